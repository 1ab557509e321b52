"""Checks of arguments: model names, proxies, whole numbers, and hints for unknown names and those of g4f."""

from __future__ import annotations

import inspect
import re
import sys
import warnings
from collections.abc import Collection, Sequence
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

# What ask and stream say of a prompt of None, and ask of stream=True; stream=False asks for the answer in one piece.
NO_PROMPT = "prompt must be a string or a list of messages, not None"
PYTHON_ENDS = "Python is ending, and no call can be made any more"
ASK_IS_WHOLE = "ask returns the whole answer: for its pieces as they arrive write stream(…), without stream="

MAX_STOPS, MAX_STOP_LENGTH = 64, 256  # OpenAI takes 4, other services up to 16
_USE_HEADERS = "pass headers= to the provider, as in OpenAICompatible(base_url, headers={…})"
_USE_SESSION = "pass session= to the provider: a requests.Session with params, adapters or hooks of your own"
_NO_LOGPROBS = "it reports no log probabilities"
_SET_CONTEXT = "set G4F_LITE_CONTEXT for the embedded model, or write Local(context=…); a server has its own setting"
_SET_THREADS = "set G4F_LITE_THREADS for the embedded model, or write Local(threads=…)"
_USE_RETRY = "pass retry=RetryPolicy(attempts=…), which counts the first attempt as well"
_LIMIT_COST = "max_cost= of map limits what a batch costs; client.usage.known_cost is what all calls have cost"
# Options of other libraries that are not supported, and what to do instead.
_INSTEAD = {
    "n": "a call of it returns one answer; make another call for another answer",
    "logprobs": _NO_LOGPROBS,
    "top_logprobs": _NO_LOGPROBS,
    "extra_headers": _USE_HEADERS,
    "default_headers": _USE_HEADERS,
    "organization": "pass default_headers={'OpenAI-Organization': …}",
    "project": "pass default_headers={'OpenAI-Project': …}",
    "extra_query": _USE_SESSION,
    "default_query": _USE_SESSION,
    "http_client": _USE_SESSION,
    **dict.fromkeys(("context", "n_ctx", "num_ctx", "max_model_len"), _SET_CONTEXT),
    **dict.fromkeys(("threads", "n_threads", "num_thread"), _SET_THREADS),
    **dict.fromkeys(("format", "json", "json_mode"), 'pass response_format={"type": "json_object"}, or output= a type'),
    **dict.fromkeys(("stream", "streaming"), "call stream(…) in the place of ask(…)"),
    "cache": "pass cache= to the client",
    **{name: f"write Client(Fallback([…], {name}=…))" for name in ("each", "on_fallback")},
    "history": "pass all messages as the prompt, or ask a Conversation",
    "request_timeout": "pass timeout=, in seconds, to the client or to a call",
    **dict.fromkeys(("max_retries", "num_retries", "retries"), _USE_RETRY),
    **dict.fromkeys(("max_outage", "max_pause", "max_time", "on_error", "progress"), "it is one of map"),
    **dict.fromkeys(("any_key", "store", "tpm", "workers"), "it is one of map"),
    **dict.fromkeys(("budget", "cost_limit", "max_budget", "max_cost"), _LIMIT_COST),
    "price": "pass it to OpenAICompatible(base_url, price=(0.15, 0.60)), or to Client(base_url=…)",
    "rpm": "it is one of map; for all calls pass pace=Pace(rpm=…) to the client",
}

# Arguments of ask and map that are no options, for misprints.
_ARGUMENTS = {"images", "messages", "model", "output", "prompt", "provider", "proxy", "repairs", "retry", "store"}
_ARGUMENTS |= {"system", "timeout", "tools", "workers"}
# The same as other libraries name them.
_OF_A_CALL = {
    **dict.fromkeys(("attachments", "files", "image", "media"), "images"),
    **dict.fromkeys(("engine", "model_name"), "model"),
    **dict.fromkeys(("instructions", "system_instruction", "system_message", "system_prompt"), "system"),
    **dict.fromkeys(("max_new_tokens", "max_output_tokens", "max_tokens_to_sample", "num_predict"), "max_tokens"),
    **dict.fromkeys(("output_type", "response_model", "result_type"), "output"),
    **dict.fromkeys(("stop_sequences", "stop_words"), "stop"),
    "max_repairs": "repairs",
    "temp": "temperature",
    "time_out": "timeout",
    **dict.fromkeys(("concurrency", "jobs", "max_concurrency", "max_workers", "n_jobs", "n_workers"), "workers"),
    **dict.fromkeys(("num_workers", "parallel", "worker"), "workers"),
    **dict.fromkeys(("deadline", "time_limit", "total_timeout"), "max_time"),
    **dict.fromkeys(("errors", "raise_errors", "raise_on_error"), "on_error"),
    **dict.fromkeys(("progress_bar", "show_progress"), "progress"),
    **dict.fromkeys(("rate_limit", "requests_per_minute"), "rpm"),
}

# Settings of a provider as other libraries name them.
_SETTINGS = {
    **dict.fromkeys(("n_ctx", "num_ctx", "ctx_size", "context_size", "context_length", "max_model_len"), "context"),
    **dict.fromkeys(("n_threads", "num_thread", "num_threads"), "threads"),
    **dict.fromkeys(("default_model", "filename", "model_id", "model_name", "model_path", "path"), "model"),
    **dict.fromkeys(("url", "api_base", "endpoint", "host", "azure_endpoint"), "base_url"),
    **dict.fromkeys(("key", "token", "api_token"), "api_key"),
    **dict.fromkeys(("http_proxy", "https_proxy", "proxies"), "proxy"),
    **dict.fromkeys(("num_retries", "retries"), "max_retries"),
    **dict.fromkeys(("backend", "provider_name", "providers"), "provider"),
    **dict.fromkeys(("cache_dir", "cache_path"), "cache"),
    "history": "messages",
}

# Services by the words with which the names of their models begin, and which people take for the names of providers.
_SERVICES = {"chatgpt": "openai", "claude": "anthropic", "gemini": "google", "gpt": "openai", "grok": "xai"}
_OPEN_MODELS = ("gpt-oss", "gpt4all")  # others have these

# Names of g4f that are missing here, and what to write instead.
_OF_G4F = {
    "AsyncClient": "Client, in a thread if an event loop must go on",
    "AsyncProvider": "BaseProvider",
    "ClientFactory": "Client",
    "IterListProvider": "Fallback([…])",
    "IterProvider": "Fallback([…])",
    "MissingAuthError": "AuthenticationError",
    "MissingRequirementsError": "MissingDependencyError",
    "Model": "the name of the model, as a string",
    "ModelNotAllowedError": "ModelNotSupportedError",
    "ModelNotFoundError": "ModelNotSupportedError",
    "ModelUtils": "the name of the model, as a string",
    "NestAsyncioError": "",
    "NoImageResponseError": "ResponseFormatError",
    "ResponseError": "ServiceError or ResponseFormatError",
    "RetryNoProviderError": "AllProvidersFailedError",
    "RetryProvider": "Fallback([…])",
    "RetryProviderError": "AllProvidersFailedError",
    "api": "an AnswerStream in a web framework",
    "cookies": "cookies= of a provider",
    "create_async": "create, in a thread if an event loop must go on",
    "create_variation": "",
    "debug": "G4F_LITE_LOG=debug in the environment",
    "edit": "",
    "files": "",
    "get_cookies": "cookies= of a provider",
    "get_image": "client.models.list()",
    "get_last_provider": "the provider of an answer: client.ask(…).provider",
    "get_media": "client.models.list()",
    "get_model_and_provider": "Client(provider, model=…)",
    "get_video": "client.models.list()",
    "get_vision": "client.models.list()",
    "gui": "",
    "media": "client.images.generate",
    "models": "the name of the model, as a string",
    "read_cookie_files": "cookies= of a provider",
    "set_cookies": "cookies= of a provider",
    "set_cookies_dir": "cookies= of a provider",
    "version": "g4f_lite.__version__",
}

# What a client has, and people take for a function of the package.
_OF_A_CLIENT = ("batch", "chat", "conversation", "embeddings", "images", "map")

# Names of OpenAI's client that are missing here, and what to write instead.
_OF_OPENAI = {
    "APIConnectionError": "(TransportError, DeadlineExceededError)",
    "APIError": "G4FLiteError",
    "APIResponseValidationError": "ResponseFormatError",
    "APIStatusError": "(ProviderError, ModelNotSupportedError)",
    "APITimeoutError": "DeadlineExceededError",
    "AsyncOpenAI": 'Client("openai"), in a thread if an event loop must go on',
    "BadRequestError": "ServiceError",
    "ConflictError": "ResponseStatusError",
    "InternalServerError": "ResponseStatusError",
    "NotFoundError": "(ModelNotSupportedError, ServiceError)",
    "OpenAI": 'Client("openai")',
    "OpenAIError": "G4FLiteError",
    "PermissionDeniedError": "AuthenticationError",
    "UnprocessableEntityError": "ServiceError",
    "batches": "client.batch(…)",
    "beta": "client.chat.completions.parse",
    "completions": "client.chat.completions.create",
    "responses": "client.chat.completions.create",
    **dict.fromkeys(("audio", "evals", "fine_tuning", "moderations", "realtime", "vector_stores", "videos"), ""),
}

# Keys by how they begin: of OpenAI and most others, NVIDIA, Perplexity, Cerebras; Groq, Hugging Face, Replicate,
# Fireworks, GitHub, GitLab, Slack; Google's API keys and OAuth tokens, Amazon's; JSON web tokens.
KEYS = (
    r"\b(?:sk|pk|rk|xai|gsk|nvapi|pplx|csk|glpat|xox[a-z])-[\w-]{8,}",
    r"\b(?:(?:sk|pk|rk)_(?:live|test|proj)|gsk|hf|r8|fw|gh[a-z]|github_pat|tgp_v1)_[A-Za-z0-9_]{8,}",
    r"\b(?:AIza[\w-]{16,}|ya29\.[\w-]{16,}|A[KS]IA[A-Z0-9]{12,}|eyJ[\w-]{16,}[\w.-]*)",
)


def missing_attribute(owner: str, name: str) -> str:
    """Return the message of an AttributeError, with what to write instead of a name of g4f, or of OpenAI's client."""
    return f"{owner} has no attribute {name!r}{_instead_of(name)}"


def _instead_of(name: str) -> str:
    """Return what to write instead of a name of g4f, of OpenAI's client or of ``Local``; "" for any other."""
    for names, page in ((_OF_OPENAI, "from-openai.md"), (_OF_G4F, "from-g4f.md")):
        if name in names:
            instead = names[name] and f" for the replacement: {names[name]}"
            return f"; see docs/{page}{instead or ': there is none here'}"
    return "; write client.embeddings.create(input=…)" if name == "embed" else ""


def missing_name(module: str, name: str) -> Exception:
    """Return the error for a name that a module does not have, for its ``__getattr__``.

    It is an AttributeError, or an ImportError for ``from … import``, which would drop the message of the other.
    """
    root = sys.modules[__name__.partition(".")[0]]
    hint = _instead_of(name)
    if name in _OF_A_CLIENT and module == root.__name__:
        hint = f"; a client has it: Client().{name}"
    elif name in root.__all__:
        hint = f'; write "from {root.__name__} import {name}"'
    message = f"module {module!r} has no attribute {name!r}{hint}"
    asked_by_from = sys._getframe(2).f_code.co_name == "_handle_fromlist"  # a step of Python's import statement
    if asked_by_from and hint and find_spec(f"{module}.{name}") is None:
        return ImportError(message, name=module)
    return AttributeError(message, name=name, obj=sys.modules[module])


def check_name(name: Any, argument: str = "model") -> None:
    """Check the name of a model, or of something else.

    :param argument: the name of the argument, for the error
    :raises TypeError: if it is not a string
    :raises ValueError: if it is blank
    """
    if not isinstance(name, str):
        raise TypeError(f"{argument} must be a string, not {type(name).__name__}")
    if not name.strip():
        raise ValueError(f"{argument} is blank; leave it out to use the default {argument}")


def check_proxy(proxy: Any, name: str = "proxy") -> str:
    """Check the URL of a proxy, and return it.

    :param name: the name of the argument, for the error
    :raises TypeError: if it is not a string
    :raises ValueError: if it is not the URL of an HTTP or SOCKS proxy
    """
    if not isinstance(proxy, str):
        raise TypeError(f"{name} must be a URL, not {type(proxy).__name__}")
    try:
        parts = urlsplit(proxy)
        port = parts.port
        valid = parts.scheme in ("http", "https", "socks4", "socks4a", "socks5", "socks5h") and bool(parts.hostname)
        valid = valid and port != 0 and parts.path in ("", "/") and not (parts.query or parts.fragment)
    except ValueError:  # an unescaped / or the like in a password makes the rest of it a port
        valid = False
    if not valid or not proxy.isprintable() or re.search(r"[\s\\]", proxy):
        good = "http://127.0.0.1:3128 or socks5h://127.0.0.1:1080"
        hint = "; in its password write / ? # @ and the like as %2F %3F %23 %40" if "@" in proxy else ""
        raise ValueError(f"{name} must be a URL such as {good}, not {safe_url(proxy)!r}{hint}")
    if port is None and parts.scheme.startswith("socks"):
        raise ValueError(f"{name} must have a port, such as :1080: {safe_url(proxy)!r}")
    return proxy


def check_callback(function: Any, name: str) -> Any:
    """Check a callback, and return it.

    :param name: the name of the argument, for the error
    :raises TypeError: if it cannot be called, or is async
    """
    if function is not None and not callable(function):
        raise TypeError(f"{name} must be a function, not {type(function).__name__}")
    if inspect.iscoroutinefunction(function):
        raise TypeError(f"{name} must not be an async function, because it is called synchronously")
    return function


def check_whole_number(value: Any, name: str, *, least: int = 1, most: int | None = None) -> int:
    """Check a whole number, and return it.

    :param name: the name of the argument, for the error
    :param least: the smallest number that is accepted
    :param most: the largest number that is accepted; None for any
    :raises TypeError: if it is not a whole number
    :raises ValueError: if it is less than ``least`` or more than ``most``
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value}")
    if most is not None and value > most:
        raise ValueError(f"{name} must be at most {most}, not {value}")
    return value


def check_stop(stop: Any) -> list[str]:
    """Return the stop sequences of a call that is not left to a service to check.

    :param stop: a string, or a list of strings
    :raises TypeError: if it is something else
    :raises ValueError: if one is empty, or they are more or longer than a search at each piece of an answer can bear
    """
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, (list, tuple)) or not all(isinstance(each, str) for each in stops):
        raise TypeError("stop must be a string or a list of strings")
    if not all(stops):
        raise ValueError("stop contains an empty string")
    if len(stops) > MAX_STOPS or any(len(each) > MAX_STOP_LENGTH for each in stops):
        raise ValueError(f"stop may be at most {MAX_STOPS} sequences of at most {MAX_STOP_LENGTH} characters each")
    return list(stops)


def service_of(name: str) -> str | None:
    """Return the preset of the service that a famous name belongs to: ``"anthropic"`` for ``"claude-haiku"``."""
    first = re.match(r"[a-z]*", name.strip().lower())
    if first is None or name.lower().startswith(_OPEN_MODELS):
        return None
    return _SERVICES.get(first[0])


def called_otherwise(option: str) -> str:
    """Return what to write for an option that this library has under another name; "" if it has none."""
    return f"; write {_OF_A_CALL[option]}=" if option in _OF_A_CALL else ""


def unknown_name(kind: str, name: str, known: Sequence[str], owner: str) -> str:
    """Return an error message for an unknown name, with what to do instead or with similar names.

    :param kind: what the name is of: ``"option"``, ``"model"``, ``"provider"`` or ``"preset"``
    :param known: the known names; the first of them are listed if none is similar
    :param owner: the provider or class that has the known names
    """
    if kind == "option" and name in _INSTEAD:
        return f"{owner} has no option {name!r}: {_INSTEAD[name]}"
    if kind == "option" and name in _OF_A_CALL:
        return f"{owner} has no option {name!r}: write {_OF_A_CALL[name]}="
    import difflib

    known = to_compare(sorted({*known, *_ARGUMENTS} - {name}) if kind == "option" else known)
    service = service_of(name) if kind in ("preset", "provider") else None
    if service is not None and service in known:
        whole = kind == "preset" or name.isalpha()
        near = [service if whole else f"{service}:{name}", *difflib.get_close_matches(name, known, n=1, cutoff=0.75)]
    else:
        near = difflib.get_close_matches(name, known, n=3, cutoff={"option": 0.75, "model": 0.5}.get(kind, 0.6))
    own = "; in Python, a provider that you have made is passed itself, and not its name"
    hint = own if kind == "provider" and not near else ""
    near = near or ([] if kind == "option" else list(known)[:8])
    hint = f"; try {', '.join(near)}{hint}" if near else ""
    return f"{owner} has no {kind} {hide_keys(name)!r}{hint}"


def to_compare(names: Sequence[str]) -> list[str]:
    """Return the names that another one is compared with: not all that a server may list, as that takes long."""
    return [name for name in names[:10_000] if len(name) <= 200]


def unknown_setting(name: str, known: Sequence[str], options: Collection[str], owner: str) -> str:
    """Return an error message for an unknown argument of a client or of a provider's class, with what to write instead.

    :param known: the arguments that the class has
    :param options: the options of a call
    :param owner: the class
    """
    import difflib

    option = _OF_A_CALL.get(name, name)
    if (same := _SETTINGS.get(name)) in known or (same := _OF_A_CALL.get(name)) in known:
        hint = f": write {same}="
    elif name in _INSTEAD:
        hint = f": {_INSTEAD[name]}"
    elif option in options:
        hint = f": pass {option}= to the call, as in ask(…, {option}=…)"
    elif near := difflib.get_close_matches(name, known, n=3):
        hint = f"; try {', '.join(f'{each}=' for each in near)}"
    elif near := difflib.get_close_matches(name, list(options), n=1, cutoff=0.75):
        hint = f": pass {near[0]}= to the call, as in ask(…, {near[0]}=…)"
    else:
        hint = ""
    return f"{owner} does not accept {name}={hint}"


def warn(message: str) -> None:
    """Issue a UserWarning at the caller's line, the first one outside this package and what it calls itself through."""
    inside = (__name__.partition(".")[0], "tenacity", "contextlib")
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in inside:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, UserWarning, stacklevel=level)


def hide_keys(text: str) -> str:
    """Return a text with what looks like a key of a service, and has a digit, as names often have none, as ``***``.

    So is what stands before the last ``@`` of a URL in it.
    """
    text = without_credentials(text)
    return re.sub("|".join(KEYS), lambda found: "***" if re.search(r"\d", found[0]) else found[0], text)


def without_credentials(text: str) -> str:
    """Return a text in which ``***`` stands for the user and the password of each URL.

    A password may hold an unescaped ``/``, ``?``, ``#``, ``@`` or ``\\``, so all up to the last ``@`` is taken for one.
    """
    return re.sub(r"[^\s\"'<>]+", _without_password, text)


def _without_password(word: re.Match[str]) -> str:
    start, end = word[0].find("://") + 3, word[0].rfind("@")
    return f"{word[0][:start]}***{word[0][end:]}" if 3 <= start < end else word[0]


def safe_url(url: str) -> str:
    """Return a URL for an error message or a log, without credentials, query, fragment and what looks like a key.

    A password may hold an unescaped ``/``, ``?``, ``#``, ``@`` or ``\\``, so all up to the last ``@`` is taken for one.
    """
    scheme = re.match(r"(?:[A-Za-z][\w+.-]*:)?//", url)
    start = scheme.end() if scheme else 0
    _, at, rest = url[start:].rpartition("@")
    return hide_keys(url[:start] + ("***@" if at else "") + re.split(r"[?#]", rest, maxsplit=1)[0])[:200]
