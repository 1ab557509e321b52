"""mypy --strict accepts a user's script that uses everything, and refuses one that is wrong; so does pyright."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy", reason="mypy is not installed")

pytestmark = pytest.mark.once

SCRIPT = """
from __future__ import annotations

import g4f_lite
from g4f_lite import (
    AiEngine, AllProvidersFailedError, Answer, AnswerStream, BaseProvider, ChatCompletion, Client, Conversation,
    Fallback, G4FLiteError, ImageResponse, Local, OpenAICompatible, RetryPolicy, Timeout,
)
from g4f_lite.client.image_results import ImagesResponse
from g4f_lite.client.logprobs import ChoiceLogprobs
from g4f_lite.client.chunks import CompletionChunk
from g4f_lite.client.results import Completion, MessageToolCall


def main(stream: bool) -> None:
    client = Client(
        ["groq", OpenAICompatible, Local()],
        model="gpt-4o-mini",
        models={"gpt-4o-mini": "groq:llama-3.3-70b", "gpt-4": Local, "o1": None, "*": OpenAICompatible("http://x/v1")},
        proxies={"all": "http://127.0.0.1:3128"},
        timeout=(5, 60),
        retry=RetryPolicy(attempts=2),
        verify=True,
        drop_unsupported=True,
    )
    Client("groq:llama", api_key="key", base_url="http://x/v1", proxy="http://127.0.0.1:1", timeout=Timeout(total=5))
    completion: Completion = client.chat.completions.create(
        messages=[{"role": "user", "content": "Hello"}], model="gpt-4o", temperature=0, max_tokens=5, stop=["\\n"],
        tools=[{"type": "function", "function": {"name": "f"}}], response_format={"type": "json_object"}, top_k=5,
    )
    text: str | None = completion.choices[0].message.content
    calls: list[MessageToolCall] = completion.choices[0].message.tool_calls or []
    names: list[str] = [call.function.name for call in calls]
    if completion.usage is not None:
        total: int = completion.usage.total_tokens
    with client.chat.completions.create("Hello", stream=True, stream_options={"include_usage": True}) as chunks:
        for chunk in chunks:
            piece: CompletionChunk = chunk
            print(piece.choices[0].delta.content or "", piece.choices[0].finish_reason)
    shown: Answer = client.chat.completions.create("Hello", stream=True, provider="echo").show()
    either = client.chat.completions.create("Hello", stream=stream)
    if isinstance(either, Completion):
        print(either.model_dump_json(indent=2), either.to_dict()["id"])
    else:
        either.close()
    images: ImagesResponse = client.images.generate("a cat", n=2, size="1024x1024", response_format="b64_json")
    urls: list[str | None] = [image.url for image in images.data]
    listed: list[str] = [model.id for model in client.models.list()]
    vectors: list[list[float] | str] = [each.embedding for each in client.embeddings.create(["a"], "m").data]
    patient: Client = client.with_options(timeout=5, max_retries=0).copy(retry=None)
    raw = patient.chat.completions.with_raw_response.create("Hello", logprobs=True)
    status, header, parsed = raw.status_code, raw.headers["x"], raw.parse()
    chances: list[float] = [each.logprob for each in (parsed.choices[0].logprobs or ChoiceLogprobs()).content or []]
    cost: float | None = client.usage.cost or client.usage.by_model["m"].cost or client.usage.by_provider["p"].cost
    cost = client.ask("Hello").cost or client.chat.completions.create("Hello").cost
    known: float = client.usage.known_cost + client.usage.prompt_tokens
    estimated: bool = client.count_tokens("Hello").is_estimate
    answer: Answer = client.ask("Hello", system="Be brief.", images=[b"", "cat.png"], timeout=5, seed=1)
    pieces: AnswerStream = client.stream("Hello", model="gpt-4", stop="x")
    conversation: Conversation = client.conversation(
        system="Be brief.", model="gpt-4", max_characters=1000, keep_interrupted=True
    )
    reply: Answer = conversation.ask("Hello", images="cat.png", timeout=(1, 2), temperature=0, max_tokens=5, stop=["x"])
    with conversation.stream("Hello", response_format={"type": "json_object"}, proxy=None, seed=1) as turn:
        parts: list[str | ImageResponse] = list(turn)
    path = conversation.copy().save("talk.json")
    again = Conversation.load(path, ["groq", Local], model="gpt-4", max_characters=10, keep_interrupted=True)
    Conversation("groq:llama", system="x").messages.append({"role": "user", "content": "x"})
    Conversation(AiEngine("http://x", bot_id="b", timeout=5), messages="x", model=None)
    old: str = ChatCompletion.create(model="gpt-4", messages=[{"role": "user", "content": "Hello"}])
    for word in ChatCompletion.create(model="gpt-4", messages="Hello", provider=Fallback([Local()]), stream=True):
        print(word)
    groq = OpenAICompatible.preset("groq", model="m")
    chain: BaseProvider = Fallback([groq, Local("m.gguf", download=False)], each=5)
    try:
        whole: Answer = chain.create("m", "Hello", None, (5, 60), system="x", temperature=0)
        facts: dict[str, object] = whole.to_dict()
        one: Answer = g4f_lite.ask("Hello", provider=chain, max_tokens=5, stop="x", response_format=None)
        many: Answer = g4f_lite.stream("Hello", provider="groq", temperature=0.5).start().text()
    except AllProvidersFailedError as error:
        reasons: list[G4FLiteError] = error.errors
        raise reasons[0] from error
    for delta in client.stream("Hello").deltas():
        if isinstance(delta, g4f_lite.Identity):
            answered: str | None = delta.model
    keyed = OpenAICompatible(
        "http://x/v1", api_key="k", model="m", proxy=None, timeout=5, retry=None, headers={"a": "b"}, cookies=None,
        verify=False, cert=("a", "b"), pool_size=5, on_retry=lambda error, attempt, wait: print(error.step, wait),
    )
    print(keyed, facts, one, many, reply, parts, again)
    print(text, names, urls, listed, answer.usage, pieces, shown, old, g4f_lite.ask("Hello", temperature=0))
    with Client() as other:
        other.close()
"""

OWN_PROVIDER = """
from collections.abc import Generator, Iterator

from g4f_lite import Body, Client, Conversation, Delta, Finish, Prompt, Provider, Secret, Settings
from g4f_lite.testing import Reply, check_provider
from requests import Request
from typing_extensions import Unpack, assert_type


class Quill(Provider):
    url = "http://quill.example"
    api_key = Secret("QUILL_API_KEY")

    def __init__(self, *, user: str = "guest", api_key: str | None = None, **settings: Unpack[Settings]) -> None:
        super().__init__(**settings)
        self.user = user
        self.api_key = api_key

    def request(self, prompt: Prompt, token: str) -> Request:
        return Request("POST", f"{self.base_url}/chat", headers=self.headers_with(Authorization=self.api_key))

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        yield body.json()
        yield Finish()


class Wren(Provider):
    def request(self, prompt: Prompt, token: str) -> Generator[Request | float, Body, None]:
        job = yield Request("POST", f"{self.base_url}/jobs", json=prompt.messages)
        assert_type(job, Body)
        yield 0.5

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        yield body.json()


client = Client(Quill(user="ann", base_url="http://localhost:1", model="m", timeout=5, retry=None))
assert_type(Conversation.load("talk.json", client, model="m"), Conversation)
Conversation(client, system="Be brief.").ask("x")
check_provider(Wren, {"/login": Reply(cookies={"a": "b"}), "/jobs": ["a", b"b"]}, text="b", refusal="no")
Quill(timeut=5)
Quill(base_url=5)
"""

WRONG = """
from g4f_lite import Client, OpenAICompatible

Client(modell="x")
Client().chat.completions.create("Hello", temperature="hot")
Client().chat.completions.create("Hello").choices[0].message.text
Client().chat.completions.create("Hello", stream=True).choices
Client().images.generate("a cat", response_format="png")
OpenAICompatible("http://x/v1", timeut=5)
"""

TYPED_ANSWERS = """
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Optional

import g4f_lite
from g4f_lite import (
    Answer, AnswerStream, Client, Conversation, OutputError, Tool, ToolCall, ToolDenied, TurnsExceededError,
    TypedStream,
)
from typing_extensions import TypedDict, assert_type


@dataclass
class Person:
    name: str


class City(TypedDict):
    name: str


client = Client("echo")
assert_type(g4f_lite.ask("x"), Answer)
assert_type(g4f_lite.ask("x", output=Person), Person)
assert_type(client.ask("x", output=None), Answer)
assert_type(client.ask("x", output=City, temperature=0, repairs=2, system="y"), City)
assert_type(client.ask("x", output=list[Person]), list[Person])
assert_type(client.ask("x", output={"type": "object"}), Any)
assert_type(client.stream("x", output={"type": "array"}), TypedStream[Any])
assert_type(client.ask("x", output=int), int)
city: City = client.ask("x", output=City)
conversation = client.conversation()
assert_type(conversation.ask("x", output=Person), Person)
assert_type(conversation.ask("x"), Answer)
assert_type(client.stream("x"), AnswerStream)
assert_type(client.stream("x", output=Person).output, Person)
people = client.stream("x", output=list[Person])
assert_type(people, TypedStream[list[Person]])
for person in people.items():
    assert_type(person, Person)
with conversation.stream("x", output=Person) as stream:
    for piece in stream:
        assert_type(piece, str)
completion = client.chat.completions.parse("x", response_format=Person)
assert_type(completion.choices[0].message.parsed, Optional[Person])
content: str | None = completion.choices[0].message.content
either: Literal["a", "b"] = client.ask("x", output=Literal["a", "b"])
maybe: Person | None = client.ask("x", output=Person | None)
try:
    pass
except OutputError as error:
    assert_type(error.text, str)


def weather(city: str, days: int = 1) -> str:
    return "sunny"


def approve(call: ToolCall) -> bool:
    if call.args["city"] != "Oslo":
        raise ToolDenied("too far")
    return True


def note(call: ToolCall, result: object) -> None:
    print(call.name, result)


assert_type(client.ask("x", tools=[weather, Tool(weather, parallel=True), {"type": "function"}], max_turns=3), Answer)
assert_type(g4f_lite.stream("x", tools=(weather, len), approve=approve, on_tool=note), AnswerStream)
assert_type(client.ask("x", tools=[weather], output=Person), Person)
talk = client.conversation(tools=[weather], approve=approve, max_turns=2)
assert_type(talk.ask("x", tools=[], on_tool=note), Answer)
assert_type(talk.stream("x", tools=[Tool(weather)], output=Person).output, Person)
Conversation("echo", tools=[weather]).stream("x", approve=lambda call: call.name == "weather").messages[0]["role"]
try:
    pass
except TurnsExceededError as exceeded:
    print(exceeded.messages[-1])
"""

WRONG_ANSWERS = """
from dataclasses import dataclass
from g4f_lite import Client

@dataclass
class Person:
    name: str

client = Client("echo")
text: str = client.ask("x", output=Person)
client.ask("x", output=Person).age
client.ask("x", output=Person, repairs="2")
client.stream("x", output=Person).items()
client.chat.completions.parse("x", response_format=Person).choices[0].message.parsed.name
client.ask("x", tools=["weather"])
client.ask("x", tools=[len], max_turns="2")
client.conversation(tools=len)
"""


def check(script: str, folder: Path) -> list[str]:
    """Run mypy on a script where only the package is found; give what it says, line by line."""
    path = folder / "script.py"
    path.write_text(script, encoding="utf-8")
    arguments = ["--strict", "--config-file=", f"--cache-dir={folder / 'cache'}", "--no-error-summary", "--no-pretty"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *arguments, path.name],
        cwd=folder,
        env={"MYPYPATH": "package", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as its only neighbour, found however it is installed."""
    import g4f_lite

    folder = tmp_path_factory.mktemp("typed")
    (folder / "package").mkdir()
    (folder / "package" / "g4f_lite").symlink_to(Path(g4f_lite.__file__).parent)
    return folder


@pytest.mark.timeout(240)
def test_a_script_that_uses_everything(folder):
    assert [line for line in check(SCRIPT, folder) if line.startswith("script.py")] == []


@pytest.mark.timeout(240)
def test_a_script_that_is_wrong(folder):
    lines = [line for line in check(WRONG, folder) if ": error:" in line and line.startswith("script.py")]
    assert [int(line.split(":")[1]) for line in lines] == [4, 5, 6, 7, 8, 9]


@pytest.mark.timeout(240)
def test_the_settings_of_a_provider_of_ones_own(folder: Path) -> None:
    """The last two lines are wrong."""
    lines = [line for line in check(OWN_PROVIDER, folder) if ": error:" in line and line.startswith("script.py")]
    last = len(OWN_PROVIDER.splitlines())
    assert [int(line.split(":")[1]) for line in lines] == [last - 1, last]


@pytest.mark.timeout(240)
def test_mypy_knows_the_type_of_each_answer(folder: Path) -> None:
    assert [line for line in check(TYPED_ANSWERS, folder) if line.startswith("script.py")] == []


@pytest.mark.timeout(240)
def test_mypy_finds_what_is_wrong(folder: Path) -> None:
    lines = [line for line in check(WRONG_ANSWERS, folder) if ": error:" in line and line.startswith("script.py")]
    assert [int(line.split(":")[1]) for line in lines] == [10, 11, 12, 13, 14, 15, 16, 17]


@pytest.mark.skipif(importlib.util.find_spec("pyright") is None, reason="pyright is not installed")
@pytest.mark.parametrize(("script", "wrong"), [(TYPED_ANSWERS, []), (WRONG_ANSWERS, [10, 11, 12, 13, 14, 15, 16, 17])])
def test_pyright_says_the_same(script: str, wrong: list[int], folder: Path) -> None:
    path = folder / "script.py"
    path.write_text(script, encoding="utf-8")
    settings = {"extraPaths": ["package"], "include": ["script.py"], "typeCheckingMode": "standard"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    arguments = ["--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(
        [sys.executable, "-m", "pyright", *arguments], cwd=folder, capture_output=True, text=True, timeout=110
    )
    found = json.loads(done.stdout)["generalDiagnostics"]
    assert sorted({each["range"]["start"]["line"] + 1 for each in found if each["severity"] == "error"}) == wrong
