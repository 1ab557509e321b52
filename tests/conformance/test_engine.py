"""The embedded engine, with the real weights: who can use it, and how it is asked."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from unit.services import PIXEL

from g4f_lite import Client, ContextLengthExceededError, Local, ModelNotSupportedError, OpenAICompatible, ServiceError
from g4f_lite.cli.examination import Examiner
from g4f_lite.providers.local import engine as engine_module
from g4f_lite.providers.local import engines
from g4f_lite.providers.local.engine import Engine

from .conftest import COPY_CONTEXT, engine_of, get
from .tiny_model import PATCHES, write_tiny_model, write_tiny_projector

PROMPT = "Why is the sky blue?"
unix = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def test_it_answers(local: Local) -> None:
    answer = local.create(messages=PROMPT, max_tokens=8)
    assert answer
    assert answer.finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 8


def test_a_model_without_a_chat_template_says_so_once(model: Path, tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "base.gguf", template="")
    base = Local(path, context=COPY_CONTEXT, keep_alive=0)
    with pytest.warns(UserWarning, match=r"^base\.gguf has no chat template: .* base model.*; take the file with -it"):
        assert base.create(messages=PROMPT, max_tokens=4)
    assert base.create(messages=PROMPT, max_tokens=4)
    found = Examiner(lambda: base, "local", "named", counts=True, seconds=30).examine()
    assert found.verdict.startswith("it works, but base.gguf has no chat template")
    assert found.remedy == "take the file with -it or Instruct in its name"


def test_a_file_has_one_engine_however_it_is_named(
    engine: Engine, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    link = tmp_path / "link.gguf"
    link.symlink_to(model)
    monkeypatch.chdir(model.parent)
    assert engine_of(Local(link)) is engine_of(Local(model.name)) is engine


def test_threads_that_come_at_once_start_one(tiny: Path) -> None:
    barrier = threading.Barrier(4)
    provider = Local(tiny, context=COPY_CONTEXT, keep_alive=0)
    before = set(engines._engines.values())

    def start() -> Engine:
        barrier.wait()
        return engine_of(provider)

    with ThreadPoolExecutor(4) as threads:
        found = {future.result() for future in [threads.submit(start) for _ in range(4)]}
    assert len(found) == 1
    assert set(engines._engines.values()) - before <= found


@pytest.mark.once
def test_four_are_answered_at_the_same_time(local: Local) -> None:
    def times(number: int) -> tuple[float, float]:
        stream = local.create_generator(
            messages=f"Count from {number}.", max_tokens=24, extra_body={"ignore_eos": True}
        )
        at = [time.monotonic() for _ in stream]
        return at[0], at[-1]

    with ThreadPoolExecutor(4) as threads:
        began, ended = zip(*threads.map(times, range(4)), strict=True)
    assert max(began) < min(ended)


@pytest.mark.once
def test_conversations_that_take_turns_are_not_computed_again(local: Local) -> None:
    system = {"role": "system", "content": "You are a terse assistant who answers in one short sentence."}
    conversations = [
        [system, {"role": "user", "content": f"Tell me about {what}."}] for what in ("cats", "dogs", "jam")
    ]
    for messages in conversations:
        messages += [_turn(local, messages)[0], {"role": "user", "content": "Go on."}]
    for messages in conversations:
        _, usage = _turn(local, messages)
        assert usage.prompt_tokens - usage.cached_tokens < 20, usage


def _turn(local: Local, messages: list[Any]) -> tuple[dict[str, str], Any]:
    answer = local.create(messages=messages, max_tokens=8)
    return {"role": "assistant", "content": str(answer)}, answer.usage


@unix
def test_nobody_else_can_connect_to_it(engine: Engine) -> None:
    path = Path(engine.socket_path)
    assert path.is_socket()
    assert (path.parent.stat().st_uid, path.parent.stat().st_mode & 0o777) == (os.geteuid(), 0o700)


@linux
def test_it_has_no_port(engine: Engine) -> None:
    sockets = {os.readlink(link) for link in Path("/proc", str(engine._process.pid), "fd").iterdir()}
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    assert not sockets & {f"socket:[{row[9]}]" for row in rows}


@unix
@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("why", ["no directory", "no socket"])
def test_where_it_can_have_no_socket_it_has_a_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    if why == "no socket":  # as llama.cpp takes no path of this length
        (tmp_path / ("long" * 30)).mkdir()
    directory = tmp_path / ("long" * 30) / "directory"
    monkeypatch.setattr(engine_module, "place_of_socket", lambda _: str(directory / "engine.sock"))
    local = Local(write_tiny_model(tmp_path / "port.gguf"), context=COPY_CONTEXT, timeout=60, retry=None, keep_alive=0)
    assert engine_of(local).base_url.startswith("http://127.0.0.1:")
    assert local.create(messages=PROMPT, max_tokens=1)
    assert not directory.exists()


@pytest.mark.once
def test_only_the_loopback_interface_is_served(at_port: Local) -> None:
    port = int(engine_of(at_port).base_url.split(":")[2].partition("/")[0])
    with socket.socket() as same_port:  # taken on every address, were the engine listening on all of them
        same_port.bind(("127.0.0.2", port))


@pytest.mark.parametrize("page", ["/v1/models", "/props", "/metrics", "/tokenize"])
@pytest.mark.parametrize("key", ["", "wrong"])
def test_nobody_else_can_use_it(engine: Engine, page: str, key: str) -> None:
    assert get(engine, page, key)[0] == 401


@linux
def test_the_key_is_on_no_command_line_and_in_no_environment(engine: Engine) -> None:
    key = engine.token.partition(" ")[2].encode()
    process = Path("/proc", str(engine._process.pid))
    assert len(key) > 30
    assert key not in (process / "cmdline").read_bytes()
    assert key not in (process / "environ").read_bytes()


def test_a_page_in_a_browser_reads_nothing(engine: Engine) -> None:
    _, headers, _ = get(engine, "/v1/models", Origin="http://evil.example")
    assert headers["Access-Control-Allow-Origin"] not in ("*", "http://evil.example")


@pytest.mark.parametrize("page", ["/", "/slots"])
def test_what_nobody_needs_is_not_served(engine: Engine, page: str) -> None:
    assert get(engine, page)[0] >= 400


def test_every_slot_has_its_own_context(engine: Engine) -> None:
    properties = json.loads(get(engine, "/props")[2])
    assert properties["total_slots"] == engine.slots.count == 4
    assert properties["default_generation_settings"]["n_ctx"] == engine.settings.context == 4096


@linux
def test_how_its_threads_wait_is_its_own_affair(engine: Engine) -> None:
    environment = Path("/proc", str(engine._process.pid), "environ").read_bytes()
    assert b"GOMP_SPINCOUNT=300" in environment.split(b"\0")
    assert b"OMP_WAIT_POLICY" not in environment
    assert not {"GOMP_SPINCOUNT", "GGML_NO_BACKTRACE"} & os.environ.keys()
    assert 1 <= engine.threads <= len(os.sched_getaffinity(0))


@linux
def test_a_terminal_interrupts_the_program_only(engine: Engine) -> None:
    assert os.getsid(engine._process.pid) == engine._process.pid != os.getsid(0)


def test_a_prompt_that_is_too_long_names_the_setting(local: Local) -> None:
    told = r"\d+ more than the context of 4096; .*Local\(context=8192\), or send a shorter prompt, of about 1\d+ char"
    with pytest.raises(ContextLengthExceededError, match=told):
        local.create(messages="long " * 5000)


@pytest.mark.once
@pytest.mark.parametrize("stream", [True, False])
def test_a_prompt_that_is_too_long_is_understood_as_the_server_of_llama_cpp_says_it(
    at_port: Local, stream: bool
) -> None:
    engine = engine_of(at_port)
    server = OpenAICompatible(engine.base_url, api_key=engine.token.partition(" ")[2], model="any")
    told = r"^the prompt is too long; .*; the service says: request \(\d+ tokens\) exceeds the available context size"
    with pytest.raises(ContextLengthExceededError) as caught:
        server.create(messages="long " * 5000, stream=stream)
    assert re.search(told, caught.value.message)
    assert (caught.value.status, caught.value.attempts) == (400, 1)


@pytest.mark.once
def test_text_does_not_act_as_a_control_token(local: Local) -> None:
    def tokens(text: str) -> int:
        usage = local.create(messages=text, max_tokens=1).usage
        assert usage is not None
        return usage.prompt_tokens

    assert tokens("a<|im_end|>b") - tokens("ab") > 3  # it would be one


@pytest.mark.usefixtures("tiny")
def test_a_model_with_a_projector_sees_images(tmp_path: Path) -> None:
    """A token for each part of an image comes into the prompt, and a text does not stand for one."""
    path, mmproj = write_tiny_model(tmp_path / "seeing.gguf"), write_tiny_projector(tmp_path / "mmproj.gguf")
    seeing = Local(path, mmproj=mmproj, context=COPY_CONTEXT, keep_alive=0)

    def tokens(text: str, *images: bytes) -> int:
        usage = seeing.create(messages=text, images=images or None, max_tokens=1).usage
        assert usage is not None
        return usage.prompt_tokens

    image = tokens("Hi", PIXEL) - tokens("Hi")
    assert image >= PATCHES**2
    assert tokens("Hi", PIXEL, PIXEL) - tokens("Hi") == 2 * image
    assert tokens("Hi<__media__>") - tokens("Hi") == len("<__media__>")
    with pytest.raises(ServiceError):
        tokens("Hi", PIXEL[:40])


class TestBadFiles:
    @pytest.mark.parametrize(
        ("begin", "rest"),
        [
            pytest.param(50_000_000, b"", id="cut in the middle", marks=pytest.mark.once),
            pytest.param(98_362_400, b"", id="cut at the end", marks=pytest.mark.once),
            pytest.param(1_000, b"", id="cut in the header"),
            pytest.param(4, b"\3\0\0\0" + b"\xff" * 9_000, id="huge counts"),
            pytest.param(24, b"garbage " * 9_000, id="garbage after the header's first line"),
            pytest.param(5_000, bytes(9_000), id="zeros"),
        ],
    )
    def test_are_told_as_what_they_are(
        self, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], begin: int, rest: bytes
    ) -> None:
        path = tmp_path / "damaged.gguf"
        with model.open("rb") as source:
            path.write_bytes(source.read(begin) + rest)
        with pytest.raises(ModelNotSupportedError, match=r"damaged\.gguf.* is cut or damaged.*download it again"):
            Local(path, retry=None).create(messages="Hello")
        assert capfd.readouterr() == ("", "")

    @pytest.mark.once
    def test_the_engines_reason_is_told(self, tiny: Path, tmp_path: Path) -> None:
        """Its first line, and not its last, which says only that it gives up."""
        model, projector = tmp_path / "model.gguf", write_tiny_projector(tmp_path / "projector.gguf")
        model.write_bytes(tiny.read_bytes().replace(b"llama", b"lamma"))
        projector.write_bytes(projector.read_bytes().replace(b"mlp", b"plm"))

        def reason(local: Local) -> str:
            with pytest.raises(ModelNotSupportedError) as caught:
                local.create(messages="Hello")
            return str(caught.value)

        with_it = Local(tiny, mmproj=projector, context=COPY_CONTEXT + 3, retry=None)
        with ThreadPoolExecutor(2) as threads:  # each waits for llama.cpp to write its log
            of_model, of_projector = threads.map(reason, [Local(model, retry=None), with_it])
        assert re.search(r"\(llama_model_load: .*unknown model arch.*'lamma'\)", of_model)
        reasoned = r"cannot load .*tiny\.gguf with .*projector\.gguf: .*Failed to load CLIP model from .*\)$"
        assert re.search(reasoned, of_projector)


@pytest.mark.once
def test_an_import_starts_nothing() -> None:
    code = """
import os, sys, threading
from g4f_lite.cli.examination import Examiner
from g4f_lite.providers.local import engines
print(threading.active_count(), "xllamacpp" in sys.modules, len(os.listdir("/proc/self/task")))
"""
    if not Path("/proc/self/task").exists():
        pytest.skip("needs /proc")
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert printed.stdout.split() == ["1", "False", "1"]


@pytest.mark.once
def test_texts_become_vectors_that_are_near_where_the_texts_are(copy: Path) -> None:
    local = Local(copy, context=COPY_CONTEXT, keep_alive=0, timeout=60)
    cat, kitten, stocks = local.embed(["The cat sleeps.", "A kitten is napping.", "Stock prices fell on Monday."])
    assert len(cat) == len(kitten) == 576
    assert near(cat, kitten) > near(cat, stocks)
    for wrong in ([], "", ["a", " "]):
        with pytest.raises(ValueError, match="no text"):
            local.embed(wrong)
    with pytest.raises(
        ContextLengthExceededError, match=rf"a text has 2\d+ tokens, more than the context of {COPY_CONTEXT}"
    ):
        local.embed("word " * 2 * COPY_CONTEXT)
    made = Client(local).embeddings.create(["The cat sleeps."], encoding_format="float")
    assert made.data[0].embedding == pytest.approx(cat, abs=1e-4)
    assert made.usage is not None
    assert made.usage.prompt_tokens > 3


@pytest.mark.once
def test_it_counts_the_tokens_of_a_prompt_as_it_reports_them(local: Local) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Wie heißt das? 犬 <|im_end|>"}]
    answer = local.create(messages=messages, max_tokens=1)
    assert answer.usage is not None
    assert local.count_tokens(messages) == answer.usage.prompt_tokens
    assert local.count_tokens("Hello") == 1
    assert local.count_tokens("") == 0
    assert local.count_tokens("a<|im_end|>b") - local.count_tokens("ab") > 3  # as in a message
    count = Client(local).count_tokens(messages)
    assert (count, count.method, count.is_estimate) == (answer.usage.prompt_tokens, "engine", False)
    with pytest.raises(ValueError, match="accepts only text"):
        local.count_tokens([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}])


@pytest.mark.once
def test_it_reports_log_probabilities(local: Local) -> None:
    made = Client(local).chat.completions.create(PROMPT, max_tokens=3, logprobs=True, top_logprobs=2)
    logprobs = made.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert "".join(token.token for token in logprobs.content) == made.choices[0].message.content
    assert [len(token.top_logprobs) for token in logprobs.content] == [2, 2, 2]


def near(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
