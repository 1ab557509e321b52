"""Files of models in the format .gguf: what their headers say.

https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import contextlib
import functools
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ...errors import ModelNotSupportedError
from ..regular_file import NotRegularError, open_regular

MAGIC = b"GGUF"
#: A phrase of the message about a file of another kind, as in ``load_failure.py``.
NOT_GGUF = "not a .gguf file"
NO_FILE = "there is no file"
#: The shortest header: magic, version, number of tensors, number of metadata entries.
HEADER_BYTES = 24
FIRST_READ_BYTES = 8 << 20
LARGEST_METADATA_BYTES = 128 << 20
CONTROL = 3  # the type of a token that is never text, such as the one that ends a message
_NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_length = struct.Struct("<Q").unpack_from
_DAMAGED = (struct.error, UnicodeDecodeError, KeyError, IndexError, OverflowError, MemoryError, TypeError)


@dataclass(frozen=True)
class Metadata:
    """What a model's file says about the model.

    :param values: its entries, without the long ones
    :param control_tokens: what stands for the tokens that are never text
    :param token_count: how many tokens the model knows
    """

    values: dict[str, Any]
    control_tokens: tuple[str, ...]
    token_count: int

    def get(self, name: str) -> Any:
        """Return an entry of the model's architecture, such as ``"block_count"``; None where there is none."""
        return self.values.get(f"{self.values.get('general.architecture')}.{name}")

    @property
    def is_projector(self) -> bool:
        """Whether it is the file with which a model sees images."""
        return self.values.get("general.architecture") == "clip"

    @property
    def chat_template(self) -> str:
        """The template that makes a text of messages."""
        template = self.values.get("tokenizer.chat_template")
        return template if isinstance(template, str) else ""

    @property
    def context(self) -> int:
        """The most tokens that a prompt and its answer may have together; 0 where it is not said."""
        return self._whole("context_length")

    def cache_bytes(self) -> int:
        """Return the bytes that llama.cpp keeps of each token of a conversation, about."""
        heads = self._whole("attention.head_count")
        size = self._whole("attention.key_length") or (self._whole("embedding_length") // heads if heads else 0)
        keys = self._whole("block_count") * (self._whole("attention.head_count_kv") or heads) * size
        return keys * 2 * 2  # a value for each key, and two bytes for both

    def _whole(self, name: str) -> int:
        value = self.get(name)
        return value if isinstance(value, int) and value > 0 else 0


def check_gguf(path: str | os.PathLike[str]) -> Path:
    """Check that a path leads to a readable .gguf file, by its first bytes, and give it resolved.

    :raises ModelNotSupportedError: if it does not
    """
    resolved = Path(path).expanduser().resolve()
    with _opened(resolved) as file:
        header = file.read(HEADER_BYTES)
    if not header.startswith(MAGIC) or len(header) < HEADER_BYTES:
        raise _refuse(f"{resolved} is {_what_it_is(header)}")
    return resolved


def similar_file(missing: Path) -> str:
    """Return what to write in the place of a file that is not there."""
    import difflib  # which few programs need

    try:
        there = {name.removesuffix(".gguf"): name for name in os.listdir(missing.parent) if name.endswith(".gguf")}
    except (OSError, ValueError):  # ValueError for what no path can be
        there = {}
    near = difflib.get_close_matches(missing.stem, there, n=1, cutoff=0.7)
    return f"did you mean {missing.parent / there[near[0]]}?" if near else "give the path of a .gguf file"


def read_metadata(path: Path) -> Metadata:
    """Read what a file says about its model.

    :raises ModelNotSupportedError: if it cannot be read, or is damaged
    """
    resolved = check_gguf(path)
    stat = resolved.stat()
    return _read(resolved, stat.st_size, stat.st_mtime_ns, stat.st_ino)


@functools.lru_cache(maxsize=16)
def _read(path: Path, size: int, *_: int) -> Metadata:
    """Read a file that has not changed; see :func:`read_metadata`."""
    wanted = FIRST_READ_BYTES
    while True:
        with _opened(path) as file:
            data = file.read(wanted)
        try:
            return _parse(data)
        except _DAMAGED as error:
            if wanted < min(size, LARGEST_METADATA_BYTES):
                wanted *= 4
                continue
            raise _refuse(f"{path} is cut or damaged; download it again") from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file; raise a ModelNotSupportedError where it cannot be opened or read."""
    try:
        with open_regular(path) as file:
            yield file
    except FileNotFoundError as error:
        raise _refuse(f"{NO_FILE} {path}; {similar_file(path)}") from error
    except NotRegularError as error:
        what = "a directory" if path.is_dir() else "a pipe or a device"
        raise _refuse(f"{path} is {what}, and {NOT_GGUF}; give the path of one") from error
    except OSError as error:
        raise _refuse(f"cannot read {path}: {error.strerror}") from error


def _what_it_is(header: bytes) -> str:
    """Say what a file is that is not a model in this format, and what to do."""
    if not header:
        return f"empty, and {NOT_GGUF}; download it again"
    if MAGIC.startswith(header[:4]):
        return "cut or damaged; download it again"
    if header.startswith(b"version https://git-lfs"):
        return f"a pointer of git-lfs, and {NOT_GGUF} itself; run `git lfs pull` beside it, or download it"
    if header.lstrip()[:1] == b"<":
        return f"a web page, and {NOT_GGUF}; download the file that the page is about"
    if header[8:10] == b'{"':
        return f"a .safetensors file, and {NOT_GGUF}; download the model as .gguf"
    if header.startswith(b"PK"):
        return f"a zip archive, such as a model of PyTorch, and {NOT_GGUF}; download the model as .gguf"
    return f"{NOT_GGUF}; give the path of one"


def _parse(data: bytes) -> Metadata:
    values: dict[str, Any] = {}
    tokens = [0]
    types: tuple[int, ...] = ()
    entries: int = _length(data, 16)[0]
    place = HEADER_BYTES
    for _ in range(entries):
        name, place = _string(data, place)
        kind: int = struct.unpack_from("<I", data, place)[0]
        place += 4
        if kind == _STRING:
            values[name], place = _string(data, place)
        elif kind != _ARRAY:
            values[name] = struct.unpack_from(_NUMBERS[kind], data, place)[0]
            place += struct.calcsize(_NUMBERS[kind])
        else:
            kind, count = struct.unpack_from("<IQ", data, place)
            place += 12
            if kind == _STRING:
                places = _ends(data, place, count)
                tokens = places if name == "tokenizer.ggml.tokens" else tokens
                place = places[-1]
            else:
                size = count * struct.calcsize(_NUMBERS[kind])
                if place + size > len(data):
                    raise IndexError
                if name == "tokenizer.ggml.token_type":
                    types = struct.unpack_from(f"<{count}i", data, place)
                place += size
    control = (data[tokens[index] + 8 : tokens[index + 1]] for index, kind in enumerate(types) if kind == CONTROL)
    return Metadata(values, tuple(token.decode("utf-8", "replace") for token in control if token), len(tokens) - 1)


def _string(data: bytes, place: int) -> tuple[str, int]:
    end = place + 8 + _length(data, place)[0]
    if end > len(data):
        raise IndexError
    return data[place + 8 : end].decode(), end


def _ends(data: bytes, place: int, count: int) -> list[int]:
    """Give where an array of strings begins, and where each of them ends."""
    if count > len(data) // 8:
        raise IndexError
    length, ends = _length, [place]
    for _ in range(count):  # hundreds of thousands
        place += 8 + length(data, place)[0]
        ends.append(place)
    if place > len(data):
        raise IndexError
    return ends


def _refuse(message: str) -> ModelNotSupportedError:
    return ModelNotSupportedError(message, provider="Local")
