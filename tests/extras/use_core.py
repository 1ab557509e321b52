"""Without extras: a chat with a server, and for each feature that needs one an error that names the extra."""

import subprocess
import sys
from collections.abc import Callable

from g4f_lite import AiChatOnline, Client, Local, MissingDependencyError, OpenAICompatible, Pace
from g4f_lite.emulator import Emulator


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def import_flask_part() -> None:
    import g4f_lite.contrib.flask  # noqa: F401


with Emulator() as emulator, OpenAICompatible(f"{emulator.url}/v1", model="echo") as provider:
    paid = Client(provider)
    assert paid.ask("hello") == "hello"

client = Client("echo")
schema = {"type": "json_schema", "json_schema": {"name": "number", "schema": {"type": "integer"}}}
plain = Client(AiChatOnline(base_url="http://127.0.0.1:9"))  # a service that knows no formats
by_proxy = OpenAICompatible("http://model.invalid/v1", model="m")
shared = Client("echo", pace=Pace(rpm=60, storage="redis://127.0.0.1:9"))
features: dict[str, tuple[str, Callable[[], object]]] = {
    "a SOCKS proxy": ("socks", lambda: by_proxy.create(messages="hello", proxy="socks5h://127.0.0.1:9")),
    "a typed answer": ("typed", lambda: client.ask("7", output=int)),
    "a function tool": ("typed", lambda: client.ask("7", tools=[add])),
    "a JSON schema": ("typed", lambda: plain.ask("7", response_format=schema)),
    "the embedded model": ("local", lambda: Local().ask("hello")),
    "its download": ("local", lambda: Local.pull("smollm2")),
    "the cost of calls": ("prices", lambda: paid.usage.cost),
    "a progress bar": ("batch", lambda: client.map(["hello"], progress=True).texts()),
    "a shared pace": ("batch", lambda: shared.ask("hello")),
    "Flask apps": ("flask", import_flask_part),
}
for feature, (extra, use) in features.items():
    try:
        use()
    except MissingDependencyError as error:
        assert str(error).endswith(f': pip install "g4f-lite[{extra}]"'), f"{feature}: {error}"
    else:
        raise AssertionError(f"{feature} works without the extra {extra}")
assert client.map(["one", "two"]).texts() == ["one", "two"]

command = subprocess.run([sys.executable, "-m", "g4f_lite"], capture_output=True, text=True, check=False)
assert command.returncode == 1, command
assert command.stderr.endswith(': pip install "g4f-lite[cli]"\n'), command
