"""Messages of the library in the words of the command line."""

from __future__ import annotations

import pytest

from g4f_lite import Client, ModelNotSupportedError, TransportError
from g4f_lite.cli.failure import message_of, one_line
from g4f_lite.cli.wording import in_commands
from g4f_lite.testing import Scripted


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("prompts[16]: the prompt is empty", "prompt 17: the prompt is empty"),
        ("prompts[0]: timeout must be more than 0 seconds", "--timeout must be more than 0 seconds"),
        ("the prompt is blank; give a text or a list of messages", "the prompt is blank"),
        ("prompts[2]: system must be a string, not int", "prompt 3: --system must be a string, not int"),
        ("rpm must be above 0, not 0.0", "--rpm must be above 0, not 0.0"),
        ("max_time must be above 0 seconds, not 0.0", "--max-time must be above 0 seconds, not 0.0"),
        ("down for the max_outage of 600 s", "down for the --max-outage of 600 s"),
        (
            "or N with max_failures_in_a_row=N; reading the results again goes on",
            "or N with --max-failures N",
        ),
        ("stopped: the max_cost of $0.5 is reached", "stopped: the --max-cost of $0.5 is reached"),
        ("stopped: the max_time of 60 s has passed", "stopped: the --max-time of 60 s has passed"),
        ("it has no option 'jobs': write workers=", "it has no option 'jobs': write --workers"),
        ("max_turns must be at least 1", "max_turns must be at least 1"),
        ("the model must be loaded first", "the model must be loaded first"),
        ("no app: set X_APP in the environment, or pass app=", "no app: set X_APP in the environment"),
        ("set X_KEY in the environment, or pass api_key=", "set X_KEY in the environment, or pass --api-key-file"),
        ("no key: set GROQ_API_KEY, or give api_key=", "no key: set GROQ_API_KEY, or give --api-key-file"),
        ("no option 'x'; Client(drop_unsupported=True) drops such options with a warning", "no option 'x'"),
        (
            "it has no Batch API; use map, or a service such",
            "it has no Batch API; leave out --hosted, or name a service such",
        ),
        (
            "Groq, stream: the answer ended without the end that its protocol requires",
            "Groq, stream: the connection was cut, and the answer is incomplete; ask again",
        ),
        ("n=2: this gives one answer; client.chat.completions.create(n=…) gives several", "n=2: this gives one answer"),
        ("make it larger with Local(context=8192), or images=", "make it larger with --context 8192, or --image"),
        (
            "within 5 s; give a longer timeout=, or the chain a longer each=, if that is too short",
            "within 5 s; give a longer --timeout if that is too short",
        ),
        ("give the projector with mmproj= or", "give the projector with --mmproj or"),
        ("no .gguf file; a server is OpenAICompatible(…)", "no .gguf file; a server is named by --base-url"),
        ("none; for the service xai, write: provider='xai:grok-4'; so", "none; so"),
        ("not found: try base_url='http://127.0.0.1:1/v1'", "not found: try --base-url http://127.0.0.1:1/v1"),
        (
            "a larger one, or leave out earlier messages",
            "a larger one, or leave out earlier messages, as `g4f-lite chat --max-characters N` does",
        ),
        (
            "take a model that can have a larger one, or",
            "take a model that can have a larger one, as `g4f-lite local list` shows, or",
        ),
        ("after 5 tokens: give a larger max_tokens, which", "after 5 tokens: give a larger --max-tokens, which"),
        ("there is no model 'model=x'", "there is no model 'model=x'"),
        ("name it with one, as in provider='ollama:qwen3'", "name it with one, as in -p ollama:qwen3"),
        ("name it with one, as in Mine(…, model='qwen3')", "name it with one, as in -p PROVIDER:qwen3"),
        ("\nall failed: \n  a: no\r\n \u2028b: no \n", "all failed: a: no; b: no"),
    ],
)
def test_advice_names_the_options_of_the_command(said: str, expected: str) -> None:
    assert one_line(said) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("name that too: -p ollama -m x:1", "name that too: /model ollama:x:1"),
        ("with its provider it is -p ollama:x", "with its provider it is /model ollama:x"),
        ("of the service openai, write -p openai", "of the service openai, write /model openai"),
        ("with -p llama.cpp,local, say,", "with /model llama.cpp,local, say,"),
        ("no; `g4f-lite models`, with the same --provider or --base-url, lists them", "no; /models lists them"),
        ("the file a-p b", "the file a-p b"),
        ("try --base-url http://a/v1", "try /model http://a/v1"),
        ("as in -p http://a/v1:m", "as in /model http://a/v1:m"),
    ],
)
def test_advice_in_the_interactive_chat_names_its_commands(said: str, expected: str) -> None:
    assert in_commands(said) == expected


@pytest.mark.parametrize(
    ("provider", "where", "program", "chain"),
    [
        (
            "Ollama",
            "http://localhost:11434",
            "Ollama",
            "; with -p ollama,local, say, ",
        ),
        ("LM Studio", "http://localhost:1234", "LM Studio", "; with -p lmstudio,local, say, "),
        ("OpenAICompatible", "http://localhost:11434", "Ollama", ""),
        ("OpenAICompatible", "http://127.0.0.1:9", "the server", ""),
    ],
)
def test_who_is_alone_and_does_not_run_leads_to_a_chain(provider: str, where: str, program: str, chain: str) -> None:
    told = message_of(TransportError(f"could not connect to {where}: Connection refused", provider=provider))
    assert f"; is {program} running? `g4f-lite doctor`" in told
    asked = TransportError(f"could not connect to {where}: no; is {program} running?", provider=provider, attempts=3)
    assert message_of(asked).count("running?") == 1  # as the library says it itself
    elsewhere = TransportError("could not connect to http://localhost:9: no; is Ollama running?", provider=provider)
    assert message_of(elsewhere).count("running?") == 1
    assert told.rpartition("tests it")[2].startswith(chain)
    assert bool(chain) or told.endswith("tests it")


@pytest.mark.parametrize("name", ["gpt-4", "it's", "a'}b"])
@pytest.mark.parametrize("models", [["smollm2"], []])
def test_advice_about_an_unknown_model_is_not_in_python(name: str, models: list[str]) -> None:
    class Local(Scripted):
        def get_model(self, name: str | None = None) -> str | None:
            if name is not None:
                raise ModelNotSupportedError(f"it has no model {name!r}; try smollm2")
            return None

    provider = Local()
    provider.name, provider.models = "Local", models
    with pytest.raises(ModelNotSupportedError, match=r"write: Client\(") as caught:
        Client(provider).ask("Hello", model=name)
    assert one_line(str(caught.value)) == f"it has no model {name!r}; try smollm2"
