"""The examples for frameworks do what their page says, with the little that each uses of its framework."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from g4f_lite import AnswerStream, RateLimitError, TransportError
from g4f_lite.testing import Scripted

PAGE = (Path(__file__).parents[2] / "docs" / "apps.md").read_text(encoding="utf-8")
FILES = {found[1]: found[2] for found in re.finditer(r"^```python\n# (\w+)\.py\n(.*?)^```$", PAGE, re.M | re.S)}

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, g4f_scripted: Scripted) -> Run:
    """Give a function that runs a file of the page with modules in place of the framework's."""

    def run(file: str, **modules: dict[str, Any]) -> dict[str, Any]:
        for name, contents in modules.items():
            parts = name.split("__")
            for length in range(1, len(parts) + 1):
                module = ModuleType(".".join(parts[:length]))
                vars(module).update(contents if length == len(parts) else {})
                monkeypatch.setitem(sys.modules, module.__name__, module)
        namespace: dict[str, Any] = {"__name__": file}
        exec(compile(FILES[file], f"{file}.py", "exec"), namespace)
        return namespace

    return run


def test_the_page_has_these_files() -> None:
    assert list(FILES) == [
        *("streamlit_app", "gradio_app", "telegram_bot", "discord_bot", "tasks", "every_morning", "views"),
    ]


def test_streamlit(run: Run, g4f_scripted: Scripted) -> None:
    written: list[str] = []

    @contextlib.contextmanager
    def in_message() -> Iterator[None]:
        yield

    def chat_message(role: str) -> Any:
        message = in_message()
        message.write = written.append  # type: ignore[attr-defined]
        return message

    state: dict[str, Any] = {}
    streamlit = {
        "cache_resource": lambda function: function,
        "session_state": state,
        "chat_message": chat_message,
        "chat_input": lambda label: "And now?",
        "write_stream": "".join,
    }
    for _ in range(2):  # as Streamlit does, at each change
        run("streamlit_app", streamlit=streamlit)
    assert [message["content"] for message in state["messages"]] == ["And now?", "This is a scripted answer."] * 2
    assert written == ["And now?", "And now?", "This is a scripted answer.", "And now?"]
    assert [message["role"] for message in g4f_scripted.calls[1].messages] == ["user", "assistant", "user"]


def test_gradio(run: Run, g4f_scripted: Scripted) -> None:
    given: list[Any] = []
    launched = SimpleNamespace(launch=lambda: given.append("launched"))
    run("gradio_app", gradio={"ChatInterface": lambda function: given.append(function) or launched})
    answer, last = given
    assert last == "launched"
    history = [
        {"role": "user", "content": "Hi", "metadata": None},
        {"role": "assistant", "content": "Yes?", "options": []},
    ]
    assert list(answer("And now?", history))[:2] == ["This", "This is"]
    assert g4f_scripted.calls[0].messages == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "And now?"},
    ]


def test_telegram(run: Run, g4f_scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_TOKEN", "1:2")
    handlers: list[Any] = []
    bot = SimpleNamespace(add_handler=handlers.append, run_polling=lambda: handlers.append("polled"))
    builder = SimpleNamespace(token=lambda token: SimpleNamespace(build=lambda: bot))
    telegram = {
        "Application": SimpleNamespace(builder=lambda: builder),
        "MessageHandler": lambda wanted, function: function,
        "filters": SimpleNamespace(TEXT=1, COMMAND=2),
    }
    run("telegram_bot", telegram__ext=telegram)
    reply, polled = handlers
    assert polled == "polled"
    replies: list[str] = []

    async def reply_text(text: str) -> None:
        replies.append(text)

    context = SimpleNamespace(chat_data={})
    g4f_scripted.queue("Hello, Ada.", TransportError("down"), "z" * 5000)
    for text in ("I am Ada.", "And now?", "Who am I?"):
        update = SimpleNamespace(message=SimpleNamespace(text=text, reply_text=reply_text))
        asyncio.run(reply(update, context))
    assert replies == ["Hello, Ada.", "I cannot answer now. Please try again later.", "z" * 4096]
    assert len(g4f_scripted.calls[2].messages) == 3


def test_discord(run: Run, g4f_scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "token")
    bots: list[Any] = []

    class Client:
        user = "bot"

        def __init__(self, intents: Any) -> None:
            assert intents.message_content is True
            bots.append(self)

        def run(self, token: str) -> None:
            assert token == "token"

    nobody = SimpleNamespace(none=lambda: "nobody")
    intents = SimpleNamespace(default=SimpleNamespace)
    run("discord_bot", discord={"Client": Client, "Intents": intents, "AllowedMentions": nobody})
    replies: list[str] = []

    async def reply(text: str, allowed_mentions: str) -> None:
        assert allowed_mentions == "nobody"
        replies.append(text)

    channel = SimpleNamespace(typing=contextlib.nullcontext)
    for author, mentions in (("bot", ["bot"]), ("Ada", []), ("Ada", ["bot"])):
        message = SimpleNamespace(author=author, mentions=mentions, clean_content="Hi", channel=channel, reply=reply)
        asyncio.run(bots[0].on_message(message))
    assert replies == ["This is a scripted answer."]


def test_celery(run: Run, g4f_scripted: Scripted) -> None:
    class Celery:
        def __init__(self, name: str, broker: str) -> None: ...

        def task(self, *, bind: bool, max_retries: int) -> Callable[[Any], Any]:
            return lambda function: function

    def retry(exc: Exception, countdown: float) -> Exception:
        return RuntimeError(f"again in {countdown:g} s")

    summarize = run("tasks", celery={"Celery": Celery})["summarize"]
    g4f_scripted.queue("Short.", RateLimitError("slow down", retry_after=90), RateLimitError("slow down"))
    task = SimpleNamespace(retry=retry)
    answer = summarize(task, "A long text.")
    assert (answer, type(answer)) == ("Short.", str)
    for seconds in (90, 60):
        with pytest.raises(RuntimeError, match=f"again in {seconds} s"):
            summarize(task, "A long text.")


def test_apscheduler(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    jobs: list[Any] = []

    class BlockingScheduler:
        def scheduled_job(self, trigger: str, *, hour: int) -> Callable[[Any], Any]:
            return lambda function: jobs.append(function)

        def start(self) -> None:
            jobs[0]()

    run("every_morning", apscheduler__schedulers__blocking={"BlockingScheduler": BlockingScheduler})
    assert (tmp_path / "poem.txt").read_text(encoding="utf-8") == "This is a scripted answer."


def test_django(run: Run, g4f_scripted: Scripted) -> None:
    http = {
        "JsonResponse": lambda body, status: (body, status),
        "StreamingHttpResponse": lambda content, content_type: (content, content_type),
    }
    chat = run("views", django__http=http)["chat"]
    g4f_scripted.queue("Hello, Ada.", TransportError("down"))
    request = SimpleNamespace(POST={"prompt": "I am Ada."})
    stream, kind = chat(request)
    assert isinstance(stream, AnswerStream)
    assert ("".join(map(str, stream)), kind) == ("Hello, Ada.", "text/plain; charset=utf-8")
    assert chat(request) == ({"error": "no answer"}, 502)
