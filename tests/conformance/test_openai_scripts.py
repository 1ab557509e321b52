"""Scripts for OpenAI's client say the same through ours, with nothing but their import changed.

They do what the chat examples of openai-python's README, and of three recipes of OpenAI's cookbook, show: streams,
functions, log probabilities.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from g4f_lite.emulator import Emulator

pytest.importorskip("openai", reason="the official package is not installed")

CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
CALLS: list[Any] = [{"tool_calls": [CALL]}, {"finish_reason": "tool_calls"}]
FUNCTION_CALL: list[Any] = [
    {"function_call": {"name": "weather", "arguments": "{}"}},
    {"finish_reason": "function_call"},
]
JSON = '{"city": "Oslo"}'

SCRIPTS: dict[str, tuple[list[Any], str]] = {
    "a completion": (
        [],
        """
client = OpenAI()
completion = client.chat.completions.create(
    model="gpt-5.5",
    messages=[
        {"role": "developer", "content": "Answer like a sailor."},
        {"role": "user", "content": "Which way is north?"},
    ],
)
print(completion.choices[0].message.content, completion.choices[0].finish_reason, completion.object)
print(completion.usage.prompt_tokens, completion.usage.completion_tokens, completion.usage.total_tokens)
print(completion.choices[0].message.role, completion.choices[0].index, completion.choices[0].logprobs)
print(completion.service_tier, completion.system_fingerprint, completion._request_id)
""",
    ),
    "a stream": (
        [],
        """
client = OpenAI()
stream = client.chat.completions.create(
    model="gpt-5.5",
    messages=[{"role": "user", "content": "List the files of a folder"}],
    stream=True,
)
for chunk in stream:
    if not chunk.choices:
        continue
    print(chunk.choices[0].delta.content or "", end="")
print()
""",
    ),
    "an image in the prompt": (
        ["a cat"],
        """
client = OpenAI()
question = [
    {"type": "text", "text": "What is on this?"},
    {"type": "image_url", "image_url": {"url": "https://example.org/cat.png", "detail": "low"}},
]
made = client.chat.completions.create(model="gpt-5.5", messages=[{"role": "user", "content": question}])
print(made.choices[0].message.content)
""",
    ),
    "a nested parameter": (
        [JSON],
        """
client = OpenAI()
completion = client.chat.completions.create(
    messages=[{"role": "user", "content": "Name a city, as JSON."}],
    model="gpt-5.5",
    response_format={"type": "json_object"},
)
print(json.loads(completion.choices[0].message.content)["city"])
""",
    ),
    "retries": (
        [],
        """
client = OpenAI(max_retries=0)
messages = [{"role": "user", "content": "Which day is today?"}]
print(client.chat.completions.create(messages=messages, model="gpt-5.5").choices[0].message.content)
print(client.with_options(max_retries=5).chat.completions.create(messages=messages, model="gpt-5.5").model)
""",
    ),
    "time limits": (
        [],
        """
client = OpenAI(timeout=20.0)
messages = [{"role": "user", "content": "Which day is today?"}]
limited = client.with_options(timeout=5.0).chat.completions
print(limited.create(messages=messages, model="gpt-5.5").choices[0].message.content)
print(client.chat.completions.create(messages=messages, model="gpt-5.5", timeout=3).choices[0].message.content)
""",
    ),
    "raw responses": (
        [],
        """
client = OpenAI()
response = client.chat.completions.with_raw_response.create(
    messages=[{"role": "user", "content": "Say that this works"}],
    model="gpt-5.5",
)
print(response.status_code, response.request_id, response.retries_taken, "content-TYPE" in response.headers)
completion = response.parse()
print(completion.choices[0].message.content)
""",
    ),
    "further fields": (
        [],
        """
client = OpenAI(default_headers={"X-Team": "a"}, default_query={"version": "1"})
made = client.chat.completions.create(
    model="gpt-5.5",
    messages=[{"role": "user", "content": "Hello"}],
    extra_headers={"X-Call": "b"},
    extra_query={"page": "2"},
    extra_body={"top_k": 3},
)
print(made.choices[0].message.content)
""",
    ),
    "a client that is closed": (
        [],
        """
with OpenAI() as client:
    made = client.chat.completions.create(messages=[{"role": "user", "content": "Hello"}], model="gpt-5.5")
    print(made.choices[0].message.content)
    print([model.id for model in client.models.list()])
""",
    ),
    "embeddings": (
        [],
        """
client = OpenAI()
made = client.embeddings.create(model="text-embedding-3-small", input=["one", "two words"], dimensions=4)
print([[round(number, 5) for number in each.embedding] for each in made.data], made.usage.total_tokens, made.model)
print([each.index for each in made.data], made.object, made.data[0].object)
""",
    ),
    "cookbook: a stream, its time and its usage": (
        [],
        """
client = OpenAI()
start = time.time()
stream = client.chat.completions.create(
    model="gpt-4o-mini",
    messages=[{"role": "user", "content": "Count 1, 2, 3"}],
    temperature=0,
    stream=True,
    stream_options={"include_usage": True},
)
pieces = []
for chunk in stream:
    elapsed = time.time() - start
    if chunk.usage is not None:
        print(f"choices: {chunk.choices}, usage: {chunk.usage.total_tokens}")
    if chunk.choices:
        pieces.append(chunk.choices[0].delta.content)
assert elapsed >= 0
print("".join(piece for piece in pieces if piece is not None))
reply = chunk
print(reply.object, reply.choices, reply.usage.completion_tokens)
""",
    ),
    "cookbook: functions": (
        [CALLS, "It is sunny.", CALLS, FUNCTION_CALL],
        """
client = OpenAI()
tools = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Tell the weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    },
]

def request(messages, tools=None, tool_choice=None, model="gpt-4o"):
    return client.chat.completions.create(model=model, messages=messages, tools=tools, tool_choice=tool_choice)

messages = [{"role": "user", "content": "How is the weather in Oslo?"}]
message = request(messages, tools=tools).choices[0].message
messages.append(message)
print(message.content or None, message.function_call, message.refusal)
for call in message.tool_calls:
    print(call.id, call.type, call.function.name, json.loads(call.function.arguments)["city"])
    messages.append({"role": "tool", "tool_call_id": call.id, "name": call.function.name, "content": "sunny"})
print(request(messages).choices[0].message.content)
forced = {"type": "function", "function": {"name": "weather"}}
print(request(messages[:1], tools, forced).choices[0].finish_reason)
older = client.chat.completions.create(
    model="gpt-4", messages=messages[:1], functions=[tools[0]["function"]], function_call={"name": "weather"}
)
print(older.choices[0].message.function_call.name, older.choices[0].finish_reason)
""",
    ),
    "cookbook: log probabilities": (
        ["Sports", "It is so", "a b"],
        """
client = OpenAI()

def get_completion(messages, model="gpt-4o", max_tokens=500, temperature=0, stop=None, seed=123, tools=None,
                   logprobs=None, top_logprobs=None):
    params = {
        "model": model, "messages": messages, "max_tokens": max_tokens, "temperature": temperature, "stop": stop,
        "seed": seed, "logprobs": logprobs, "top_logprobs": top_logprobs,
    }
    if tools:
        params["tools"] = tools
    return client.chat.completions.create(**params)

messages = [{"role": "user", "content": "Of which kind is this headline?"}]
found = get_completion(messages, logprobs=True, top_logprobs=2)
for number, each in enumerate(found.choices[0].logprobs.content[0].top_logprobs, start=1):
    print(number, each.token, each.logprob, round(math.exp(each.logprob) * 100, 2))
found = get_completion(messages, logprobs=True)
collected = []
for token in found.choices[0].logprobs.content:
    print(token.token, token.logprob, token.bytes, token.top_logprobs)
    collected += token.bytes
print(bytes(collected).decode("utf-8"))
print(math.exp(-sum(token.logprob for token in found.choices[0].logprobs.content) / 3))
print(get_completion(messages).choices[0].logprobs)
""",
    ),
    "several choices": (
        ["one", "two", "three", "four"],
        """
client = OpenAI()
messages = [{"role": "user", "content": "A number?"}]
made = client.chat.completions.create(model="gpt-4o", messages=messages, n=2)
print([(choice.index, choice.message.content) for choice in made.choices])
texts = {}
for chunk in client.chat.completions.create(model="gpt-4o", messages=messages, n=2, stream=True):
    for choice in chunk.choices:
        texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
print(texts)
""",
    ),
}
THEIRS = "import json, math, time\nfrom openai import OpenAI\n"
OURS = "import json, math, time\nfrom g4f_lite import Client as OpenAI\n"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def environment(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment choose the server, and the key, of both clients."""
    for prefix in ("OPENAI", "G4F_LITE"):
        monkeypatch.setenv(f"{prefix}_BASE_URL", f"{emulator.url}/v1")
        monkeypatch.setenv(f"{prefix}_API_KEY", "none")


def printed(emulator: Emulator, header: str, name: str, capsys: pytest.CaptureFixture[str]) -> tuple[str, list[Any]]:
    """Run a script, and return what it printed, and the bodies that it sent."""
    answers, script = SCRIPTS[name]
    emulator.reset()
    for answer in answers:
        emulator.answer(answer)
    names: dict[str, Any] = {}
    exec(compile(header + script, name, "exec"), names)
    names["client"].close()  # else its sockets are found open whenever garbage is collected
    bodies = [request.json() for request in emulator.requests if request.method == "POST"]
    return capsys.readouterr().out, bodies


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_prints_the_same(name: str, emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    theirs, their_bodies = printed(emulator, THEIRS, name, capsys)
    ours, our_bodies = printed(emulator, OURS, name, capsys)
    assert ours == theirs
    assert ours
    assert [in_common(body) for body in our_bodies] == [in_common(body) for body in their_bodies]


def in_common(body: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the clients do in ways of their own: ours reads every answer from a stream, where a message that
    has calls only has no content.
    """
    own = {"stream", "stream_options", "encoding_format"}
    sent = {name: value for name, value in body.items() if name not in own and value is not None}
    for message in sent.get("messages", ()):
        message["content"] = message["content"] or None
        for call in message.get("tool_calls", ()):
            call.pop("index", None)
    return sent


def test_a_key_in_the_script_needs_the_service_in_the_import(
    emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    script = """
import os
client = OpenAI(api_key=os.environ.get("OPENAI_API_KEY", "<none>"))
print(client.chat.completions.create("Hello", model="gpt-4o").choices[0].message.content)
"""
    with pytest.raises(TypeError, match="api_key= alone does not select a service"):
        exec(OURS + script, {})
    choice = f"OpenAI = partial(Client, base_url={emulator.url + '/v1'!r})\n"
    exec(f"from functools import partial\nfrom g4f_lite import Client\n{choice}{script}", {})
    assert capsys.readouterr().out == "Hello\n"
