"""Who answers a cell with ``%%chat``."""

from __future__ import annotations

import pytest
import responses
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from g4f_lite import Client, Conversation, Fallback, Local, ModelNotSupportedError, OpenAICompatible
from g4f_lite.emulator import Emulator
from g4f_lite.http.cooldown import CoolDowns
from g4f_lite.http.deadline import Deadline
from g4f_lite.testing import Echo, Scripted

from .magic_cells import run, sent, shell_with_magics, start_shell  # noqa: F401  fixtures


class Server(Echo):
    """A server that a variable holds."""


NOT_A_MODEL = "Scripted answers the next cells with gorq,local, which is not a model"
NOT_LISTED = "Scripted answers the next cells with {}, which is not in its list of models"


def test_a_model_for_all_cells_or_for_one(shell: InteractiveShell, g4f_scripted: Scripted) -> None:
    g4f_scripted.queue("A", "B", "C")
    run(shell, "%%chat\na")
    run(shell, "%chat model large")
    run(shell, "%%chat\nb")
    assert run(shell, '%%chat -m "echo"\nsay this') == "say this"
    run(shell, "%%chat -m small\nc")
    assert [call.model for call in g4f_scripted.calls] == [None, "large", "small"]
    assert sent(g4f_scripted)[-1] == ["a", "A", "b", "B", "say this", "say this", "c"]
    assert run(shell, "%chat model") == "large"


def test_a_variable_names_who_answers(shell: InteractiveShell, g4f_scripted: Scripted) -> None:
    server, other = Scripted("S1", "S2", "S3"), Scripted("O1", "O2")
    talk = Conversation(other, system="Rhyme.")
    shell.user_ns.update(server=server, client=Client(server, model="small"), talk=talk, name="echo")
    assert [run(shell, f"%%chat -m {word}\na") for word in ("server", "{server}", "client")] == ["S1", "S2", "S3"]
    assert [call.model for call in server.calls] == [None, None, "small"]
    assert run(shell, "%%chat -m $name\nb") == "b"
    assert run(shell, "%%chat -m talk\nc") == "O1"
    assert sent(other) == [["Rhyme.", "c"]]
    assert len(talk.messages) == 3
    assert len(run(shell, "%chat history")) == 8
    run(shell, "%chat model talk")
    assert run(shell, "%%chat\nd") == "O2"
    assert g4f_scripted.calls == []


def test_the_commands_are_about_the_conversation_that_was_chosen(
    shell: InteractiveShell, g4f_scripted: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    g4f_scripted.queue("A")
    other = Scripted("T", "U", "V")
    tutor = shell.user_ns["tutor"] = Conversation(other, system="Ask back.")
    run(shell, "%chat system Be brief.")
    run(shell, "%%chat\na")
    run(shell, "%chat model tutor")
    run(shell, "%%chat\nt")
    run(shell, "%%chat\nu")
    assert [message["content"] for message in run(shell, "%chat history")] == ["Ask back.", "t", "T", "u", "U"]
    assert run(shell, "%chat system") == "Ask back."
    capsys.readouterr()
    run(shell, "%chat undo")
    run(shell, "%chat system Rhyme.")
    run(shell, "%%chat\nv")
    assert sent(other)[-1] == ["Rhyme.", "t", "T", "v"]
    run(shell, "%chat reset")
    assert capsys.readouterr().out.startswith("Taken back, with its answer: u\n")
    assert tutor.messages == [{"role": "system", "content": "Rhyme."}]
    run(shell, "%%chat -m echo\nb")  # a cell with -m goes on with the notebook's
    run(shell, "%chat model default")
    history = [message["content"] for message in run(shell, "%chat history")]
    assert history == ["Be brief.", "a", "A", "b", "b"]


@pytest.mark.parametrize(
    ("chosen", "asked", "who", "model"),
    [
        ("server", "small", "Server", "small"),
        ("server:small", "large", "Server", "large"),
        ("client", "small", "Server", "small"),
        ("talk", "small", "Server", "small"),
        ("default", "server:small", "Server", "small"),
        ("default", "talk:small", "Server", "small"),
        ("default", "$server:qwen3:8b", "Server", "qwen3:8b"),
        ("default", "{server}:small", "Server", "small"),
        ("server:small", "server", "Server", None),
        ("server", "echo", "Echo", None),
        ("server", "echo:small", "Echo", "small"),
        ("echo", "small", "Echo", "small"),
        ("echo:large", "small", "Echo", "small"),
        ("echo", "qwen3:8b", "Echo", "qwen3:8b"),
        ("large", "small", "Scripted", "small"),
    ],
)
def test_a_model_goes_to_whoever_was_chosen(
    shell: InteractiveShell, g4f_scripted: Scripted, chosen: str, asked: str, who: str, model: str | None
) -> None:
    server = Server()
    shell.user_ns.update(server=server, client=Client(server), talk=Conversation(server))
    run(shell, f"%chat model {chosen}")
    of_one_cell = run(shell, f"%%chat -m {asked}\na")
    run(shell, f"%chat model {asked}")
    of_the_next = run(shell, "%%chat\na")
    assert [(answer.provider, answer.model) for answer in (of_one_cell, of_the_next)] == [(who, model)] * 2


def test_a_url_names_a_server_whoever_was_chosen(shell: InteractiveShell, g4f_emulator: Emulator) -> None:
    shell.user_ns["server"] = Server()
    url = f"{g4f_emulator.url}/v1"
    for chosen in ("server", "echo:large", f"{url}:large", "default"):
        run(shell, f"%chat model {chosen}")
        answer = run(shell, f"%%chat -m {url}:small\na")
        assert (answer.provider, answer.model) == ("OpenAICompatible", "small")
    run(shell, f"%chat model {url}:large")
    assert run(shell, "%%chat -m small\na").model == "small"
    assert [request.method for request in g4f_emulator.requests].count("POST") == 5


def test_a_server_that_lacks_a_model_is_not_named_once_more(
    shell: InteractiveShell, g4f_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", g4f_emulator.url)
    g4f_emulator.configure(models=["toy"], refuse_unknown_models=True)
    with pytest.raises(ModelNotSupportedError) as caught:
        run(shell, "%%chat -m ollama:large\na")
    assert "for the provider" not in str(caught.value)


def test_a_model_that_a_variable_does_not_have_is_its_error(shell: InteractiveShell) -> None:
    shell.user_ns["server"] = Scripted(*(ModelNotSupportedError("it has no model 'opnai'") for _ in range(2)))
    run(shell, "%chat model server")
    for word in ("opnai", "server:opnai"):
        with pytest.raises(ModelNotSupportedError, match=r"^Scripted, stream: it has no model 'opnai'$"):
            run(shell, f"%%chat -m {word}\nHello")


def test_a_variable_with_the_name_of_a_model_is_written_with_a_sign(
    shell: InteractiveShell, g4f_scripted: Scripted
) -> None:
    shell.user_ns["fast"] = "small"
    g4f_scripted.queue("A", "B", ModelNotSupportedError("it has no model 'fast'"))
    for word in ("{fast}", "$fast"):
        run(shell, f"%%chat -m {word}\na")
    with pytest.raises(ModelNotSupportedError, match=r"'fast'; for the value of your variable, write \{fast\}$"):
        run(shell, "%%chat -m fast\na")
    assert [call.model for call in g4f_scripted.calls] == ["small", "small", "fast"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("opnai:gpt", "there is no model 'opnai:gpt', and no provider 'opnai'; try openai"),
        ("gemini:flash", "there is no model 'gemini:flash', and no provider 'gemini'; try google"),
        ("toy-9", "it has no model 'toy-9'; try smollm2, .* write: %%chat -m ollama:toy-9$"),
        ("claude", "it has no model 'claude'; try smollm2, .*; for the service anthropic, write: %%chat -m anthropic$"),
        ("gpt-4o", "; for the service openai, write: %%chat -m openai:gpt-4o$"),
    ],
)
def test_a_model_that_nobody_has(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.setattr("g4f_lite.providers.selection.replacement", Local())
    monkeypatch.setattr(Local, "check", lambda local, prompt: local.get_model(prompt.model))  # not whether it is here
    with pytest.raises(ModelNotSupportedError, match=message):
        run(shell, f"%%chat -m {name}\nHello")
    for chosen, stays in (("default", "the default"), ("smollm2", "smollm2")):
        run(shell, f"%chat model {chosen}")
        with pytest.raises(ModelNotSupportedError, match=message.replace("$", rf" \(the model stays {stays}\)$")):
            run(shell, f"%chat model {name}")
    assert run(shell, "%chat model") == "smollm2"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gpt-4", "Scripted answers the next cells with gpt-4.\n"),
        ("llama3", "Scripted answers the next cells with llama3.\n"),
        ("gpt4", f"{NOT_LISTED.format('gpt4')}; try gpt-4.\n"),
        ("opnai", f"{NOT_LISTED.format('opnai')}; try gpt-4, llama3:latest, or the provider openai.\n"),
        ("x", f"{NOT_LISTED.format('x')}; try gpt-4, llama3:latest.\n"),
        ("echo", "Echo answers the next cells.\n"),
        ("echo,local", "Echo or Local answers the next cells.\n"),
        ("chain", "chain answers the next cells with Scripted or Echo.\n"),
        ("gorq,local", f"{NOT_A_MODEL}: several names must be providers, as in ollama:llama3.2,local.\n"),
        ("default", "Scripted answers the next cells.\n"),
        ("talk", "talk answers the next cells with large.\n"),
        ("plain", "plain answers the next cells with Scripted.\n"),
        ("client", "client answers the next cells with Scripted.\n"),
        ("server", "server answers the next cells.\n"),
        ("talk:gpt-4", "talk answers the next cells with gpt-4.\n"),
        ("talk:opnai", "talk answers the next cells with opnai, which is not in its list of models; try gpt-4.\n"),
    ],
)
def test_a_model_that_is_chosen_is_named(
    shell: InteractiveShell,
    g4f_scripted: Scripted,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    said: str,
) -> None:
    monkeypatch.setattr(g4f_scripted, "get_models", lambda: ["gpt-4", "llama3:latest"])
    server = Scripted()
    monkeypatch.setattr(server, "get_models", lambda: ["gpt-4"])
    talk, plain = Conversation(server, model="large"), Conversation(server)
    shell.user_ns.update(talk=talk, plain=plain, client=Client(server), server=server, chain=Fallback([server, Echo()]))
    run(shell, f"%chat model {name}")
    assert capsys.readouterr().out == said
    assert g4f_scripted.calls == []


@pytest.mark.parametrize(
    ("line", "has", "has_not"),
    [
        ("%%chat -m gr", "groq", "openai"),
        ("%%chat --model ", "Local", "reset"),
        ("%%chat -f ", "code", "Local"),
        ("%%chat -s Per", "Person", "people"),
        ("%%chat -", "--interpolate", "code"),
        ("%%chat -", "-m", "abs"),
        ("%%chat ", "-m", "abs"),
        ("%%chat -m echo_", "echo_server", "Echo"),
        ("%%chat -m llama3:l", "llama3:latest", "--model"),
        ("%%chat -m echo:", "echo:echo-1", "-m"),
        ("%%chat -m server:", "server:echo-1", "-m"),
        ("%%chat -m {server:e", "server:echo-1", "-m"),
        ("%%chat -m $echo_", "echo_server", "Echo"),
        ("%chat u", "undo", "users"),
        ("%chat ", "history", "Local"),
        ("%chat model ol", "ollama", "openai"),
        ("%chat model sma", "small", "large"),
        ("%chat", "%chat", "history"),
    ],
)
def test_completion(
    shell: InteractiveShell, g4f_scripted: Scripted, monkeypatch: pytest.MonkeyPatch, line: str, has: str, has_not: str
) -> None:
    monkeypatch.setattr(g4f_scripted, "get_models", lambda: ["small", "large", "llama3:latest"])
    monkeypatch.setattr(Echo, "get_models", lambda _: ["echo-1"])
    shell.user_ns.update(Person=type("Person", (), {}), people=[], echo_server=Scripted(), server=Echo(), users=[])
    with provisionalcompleter():  # as a kernel asks
        completions = list(shell.Completer.completions(line, len(line)))
    # What is completed begins at another place on Windows.
    found = [f"{line[: each.start]}{each.text}".split()[-1].lstrip("${") for each in completions]
    assert has in found
    assert has_not not in found


def test_what_is_at_hand_is_completed_first(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Echo, "get_models", lambda _: ["small", "large"])
    shell.user_ns.update(server=Echo(), client=Client(Echo()))
    run(shell, "%chat model server")
    with provisionalcompleter():
        found = [completion.text for completion in shell.Completer.completions("%%chat -m ", 10)]
    assert found[:6] == ["client", "server", "large", "small", "Local", "AiEngine"]


@pytest.mark.parametrize("word", ["groq,local", "local,groq:small", "$groq,local", "local,{mine}", "echo,$mine"])
def test_a_variable_in_a_list_is_not_taken_for_another_provider(
    shell: InteractiveShell, g4f_scripted: Scripted, word: str
) -> None:
    shell.user_ns.update(groq=g4f_scripted, mine=g4f_scripted)
    for line in (f"%chat model {word}", f"%%chat -m {word}\nHello"):
        with pytest.raises(UsageError, match=r"is a variable, and not for a list; write chain = g4f_lite\.Fallback"):
            run(shell, line)
    assert g4f_scripted.calls == []


@pytest.mark.parametrize(("word", "near"), [("hom", "home"), ("hom:large", "home"), ("olama:llama3.2", "ollama")])
def test_a_misprint_is_not_sent_to_who_answers_now(
    shell: InteractiveShell, g4f_scripted: Scripted, monkeypatch: pytest.MonkeyPatch, word: str, near: str
) -> None:
    shell.user_ns.update(paid=g4f_scripted, home=Echo())
    run(shell, "%chat model paid")
    for line in (f"%chat model {word}", f"%%chat -m {word}\nHello"):
        with pytest.raises(UsageError, match=f"and no such model; try {near}$"):
            run(shell, line)
    assert g4f_scripted.calls == []
    shell.user_ns.update(paid=(other := Scripted("fine")))
    monkeypatch.setattr(other, "get_models", lambda: [word])
    run(shell, "%chat model paid")
    run(shell, f"%%chat -m {word}\nHello")
    assert [call.model for call in other.calls] == [word]


def test_a_list_of_providers_is_asked_whoever_was_chosen(
    shell: InteractiveShell, g4f_scripted: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.user_ns.update(server=g4f_scripted)
    for chosen in ("default", "server", "echo:tiny", "echo,local"):
        run(shell, f"%chat model {chosen}")
        capsys.readouterr()
        run(shell, "%%chat -m groq,echo\nHello")
        told = capsys.readouterr().err
        assert (told[:26], told[-16:]) == ("Note: Groq did not answer ", "); Echo answers\n")
    run(shell, "%chat model large")
    assert capsys.readouterr().out.startswith("Echo answers the next cells with large")
    assert g4f_scripted.calls == []


def test_a_model_that_has_come_since_is_in_the_list(
    shell: InteractiveShell,
    g4f_scripted: Scripted,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = ["small"]
    monkeypatch.setattr(g4f_scripted, "get_models", lambda: [*names])
    run(shell, "%chat model large")
    names.append("large")
    run(shell, "%chat model large")
    said = f"{NOT_LISTED.format('large')}; try small.\nScripted answers the next cells with large.\n"
    assert capsys.readouterr().out == said


def test_names_that_a_terminal_obeys_are_neither_shown_nor_completed(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    named = ["ma\x1b[2J", "mb\u202egnp", "mc\nimport os", "md"]
    shell.user_ns["server"] = server = Server()
    monkeypatch.setattr(Server, "get_models", lambda self: named)
    run(shell, "%chat model server:m")
    assert capsys.readouterr().out.endswith("; try md.\n")
    with provisionalcompleter():
        [completed] = shell.Completer.completions("%chat model server:m", 20)
    assert completed.text[-2:] == "md"
    assert [*server.get_models()] == named


def test_models_that_cannot_be_listed_are_left_out(
    shell: InteractiveShell,
    g4f_scripted: Scripted,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def get_models() -> list[str]:
        raise RuntimeError("a bug of somebody's")

    monkeypatch.setattr(g4f_scripted, "get_models", get_models)
    with provisionalcompleter():
        found = [completion.text for completion in shell.Completer.completions("%%chat -m op", 12)]
    assert {"openai", "openrouter"} <= {*found}
    run(shell, "%chat model x")
    assert capsys.readouterr().out == "Scripted answers the next cells with x.\n"


@pytest.mark.parametrize("option", ["", " -s int"])
@pytest.mark.parametrize(("wait", "noted"), [("30", True), ("1", False)])
@responses.activate
def test_a_wait_that_the_service_asks_for_is_noted(
    shell: InteractiveShell,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: str,
    wait: str,
    noted: bool,
) -> None:
    if option:
        pytest.importorskip("msgspec")
    monkeypatch.setattr(Deadline, "sleep", lambda deadline, seconds: None)
    monkeypatch.setattr(CoolDowns, "begin", lambda cool_downs, model, seconds, most: None)  # which that would not end
    url = "http://127.0.0.1:9/v1/chat/completions"
    for _ in range(2):
        responses.post(url, status=429, headers={"Retry-After": wait}, json={})
        responses.post(url, json={"choices": [{"message": {"content": "36"}, "finish_reason": "stop"}]})
    server = OpenAICompatible("http://127.0.0.1:9/v1", model="m", name="One")
    told: list[float] = []
    shell.user_ns.update(server=server, chain=Fallback([server]))
    for name in ("server", "chain"):
        run(shell, f"%%chat -m {name}{option}\nHow many?")
        note = f"Note: One asks to wait {wait} s; waiting (an interrupt ends it)\n"
        assert capsys.readouterr().err == (note if noted else "")
    assert server.on_retry is None
    server.on_retry = lambda error, attempt, seconds: told.append(seconds)
    responses.post(url, status=429, headers={"Retry-After": wait}, json={})
    responses.post(url, json={"choices": [{"message": {"content": "36"}, "finish_reason": "stop"}]})
    run(shell, f"%%chat -m server{option}\nHow many?")
    assert (told, capsys.readouterr().err) == ([float(wait)], "")


def test_the_default_is_chosen_without_a_download(
    shell: InteractiveShell, g4f_scripted: Scripted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    g4f_scripted.queue("A")
    checked: list[object] = []
    monkeypatch.setattr(g4f_scripted, "check", checked.append)  # where the embedded model is downloaded
    run(shell, "%chat model echo")
    run(shell, "%chat model default")
    assert capsys.readouterr().out.endswith("Scripted answers the next cells.\n")
    assert checked == []
    assert run(shell, "%%chat\na") == "A"
    assert len(checked) == 1
