"""Messages of the library in the words of the command line: options instead of Python's arguments and calls.

In the interactive chat they are its commands instead of options.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# Arguments that the command has as an option of another name.
_OPTIONS = {"api_key": "--api-key-file", "base_url": "--base-url", "images": "--image", "response_format": "--schema"}
_OPTIONS |= {
    "max_cost": "--max-cost",
    "max_tokens": "--max-tokens",
    "max_pause": "--max-pause",
    "max_outage": "--max-outage",
    "max_time": "--max-time",
}
# And those of the same name.
_SAME = "context|mmproj|model|poll|prefix|provider|proxy|rpm|store|system|threads|timeout|tpm|workers"
_ELSEWHERE = r"if a server such as Ollama has it|for the (?:service|provider) \w+|with its provider"
_MODEL = r"(?:its default|another) model"


def _option(found: re.Match[str]) -> str:
    name = found["name"]
    return _OPTIONS.get(name, f"--{name}")


# What a message says, and what is said in its place; each may use what those before it have made.
_Rules = tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]
_IN_OPTIONS: _Rules = (
    # Advice that only a program can follow; of what the command can do, `message_of` says it.
    (rf"; to use {_MODEL} by this name, write: [\w.]*Client\(.{{0,400}}?\}}\)(?:\.[\w.]+\(…\))?", ""),
    (rf"; (?:{_ELSEWHERE}), write: provider='.{{0,400}}?'(?=$|[;\n])", ""),
    (r"; Client\(drop_unsupported=True\) drops such options with a warning", ""),
    (r"(^OpenAICompatible needs base_url=.*), or url = … in its class$",
     r"\1, or G4F_LITE_BASE_URL in the environment"),
    (r"; client\.chat\.completions\.create\(n=…\) gives several", ""),
    (r"(?<= in the environment), or pass (?!api_key=)\w+=", ""),  # a Secret of a provider of one's own
    (r"(?<=; give a longer timeout=), or the chain a longer each=,", ""),
    (r"; reading the results again goes on", ""),
    (r"; (?:what had arrived|the text) is in \.partial of this error", ""),
    (r"\bthe prompt is blank; give a text or a list of messages", "the prompt is blank"),
    (r"\bleave out earlier messages\b", "leave out earlier messages, as `g4f-lite chat --max-characters N` does"),
    (r"\btake a model that can have a larger one\b",
     "take a model that can have a larger one, as `g4f-lite local list` shows"),
    (r"; a server is OpenAICompatible\(…\)", "; a server is named by --base-url"),
    (r"the answer ended without the end that its protocol requires",
     "the connection was cut, and the answer is incomplete; ask again"),
    # Arguments, and where they stand.
    (r"\bprompts\[\d+\]: (?=(?:proxy|timeout) must be |max_cost cannot hold)", ""),  # which all prompts have
    (r"\bprompts\[(\d+)\]", lambda found: f"prompt {int(found[1]) + 1}"),
    (r"has no Batch API; use map, or a service", "has no Batch API; leave out --hosted, or name a service"),
    (r"set G4F_LITE_(CONTEXT|THREADS) for the embedded model, or write Local\(\w+=…\)",
     lambda found: f"pass --{found[1].lower()} for the embedded model"),
    (r"(?<=the name of a provider is for )OpenAICompatible\.preset\(…\)", "--provider"),
    (r"\ba file on this machine is for Local\(…\)", "a file on this machine is for --provider local"),
    (r"(?<= with )Local\(context=(\w+)\)", r"--context \1"),
    (r"(?<=give a larger )max_tokens\b", "--max-tokens"),
    (r"\bbase_url='([^']*)'", r"--base-url \1"),
    (r"\bprovider='([^']*)'", r"-p \1"),
    (r"(?<=, as in )\w+\(…, model='([^']*)'\)", r"-p PROVIDER:\1"),
    (r"\bprice=\(P, A\)", "--price P,A"),
    (r"\bmax_failures_in_a_row=(?=N)", "--max-failures "),
    (r"\bany_key=True\b", "--any-key"),
    (rf"^(?P<place>(?:prompt \d+: )?)(?P<name>{_SAME})(?= must be )", lambda found: found["place"] + _option(found)),
    (r"\b(?P<name>max_cost|max_outage|max_pause|max_time)\b(?= must be | of \$?\d| cannot hold)", _option),
    (r"\b(?P<name>api_key|base_url|response_format)\b=?", _option),
    (rf"\b(?P<name>images|max_tokens|{_SAME})=(?!\w)", _option),
)  # fmt: skip


# What the command line says, and what its interactive chat says.
_IN_COMMANDS: _Rules = (
    (r"`g4f-lite models`, with the same --provider or --base-url, lists", "/models lists"),
    (r"(?<!\S)-p ([\w.]+)(?: -m |:)", r"/model \1:"),
    (r"(?<!\S)(?:-p (?=\w)|--base-url (?=https?:))", "/model "),
)


def in_options(text: str) -> str:
    """Return a message of the library as the command says it."""
    return _said(text, _IN_OPTIONS)


def in_commands(text: str) -> str:
    """Return a message of the command as its interactive chat says it."""
    return _said(text, _IN_COMMANDS)


def _said(text: str, rules: _Rules) -> str:
    for pattern, said in rules:
        text = re.sub(pattern, said, text)
    return text
