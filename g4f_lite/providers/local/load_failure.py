"""Why llama.cpp could not load a model, by what it wrote, and what helps."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path

from ...errors import EngineError, G4FLiteError, ModelNotSupportedError
from .memory import total_memory

PROVIDER = "Local"
#: Phrases of the messages, by which :mod:`g4f_lite.cli.diagnosis` tells them apart.
NO_MEMORY = "there is too little memory"
TOO_LARGE = "has more bytes than the memory of this machine"
CUT = "is cut or damaged"
LOAD = "llama.cpp cannot load"
PROJECTOR = "the projector is of another model"
UNKNOWN_KIND = "is of a kind that this version of llama.cpp does not know"

Fits = Callable[[int], bool]
SMALLEST_ADVISED = 512
_STAMP = re.compile(r"^[\d.]+ E +")  # before a line of llama.cpp: since when, and that it is an error
# The words of llama.cpp, of the operating system and of C++, which starts no thread without memory for it.
_MEMORY = re.compile(
    r"insufficient memory|cannot allocate memory|(?:failed|unable) to allocate|bad_alloc|not enough memory"
    r"|resource temporarily unavailable",
    re.IGNORECASE,
)
_CUT = re.compile(r"not within the file bounds|corrupted or incomplete|failed to read")
_EYE = re.compile(r"CLIP model|\b(?:mtmd|clip)_")  # the part of llama.cpp that loads projectors
_KIND = re.compile(r"unknown model architecture|unknown pre-tokenizer type|only supports up to version")
_KILLED = -getattr(signal, "SIGKILL", 9)  # how Linux ends a program where the memory runs out


def _always(_: int) -> bool:
    return True


def not_loaded(files: str, context: int, words: bytes, fits: Fits = _always) -> G4FLiteError:
    """Return the error for a model that llama.cpp refuses.

    :param files: the paths, for the message
    :param context: the tokens that the engine was to have memory for
    :param words: what its process wrote
    :param fits: tells whether there is memory for a context
    """
    if line := _line(words, _MEMORY):
        return _no_memory(files, context, line, words, fits)
    if line := _line(words, _EYE):
        what = f"{LOAD} {files}: {PROJECTOR}, or damaged; give the one that is published with the model ({line})"
    elif line := _line(words, _KIND):
        what = f"{files} {UNKNOWN_KIND}; upgrade xllamacpp, or use another model ({line})"
    elif line := _line(words, _CUT):
        what = f"{files} {CUT}; download it again ({line})"
    else:  # llama.cpp says the reason first
        what = (
            f"{LOAD} {files}: it {CUT}, or is of a kind that this version does not know; download it "
            f"again, or upgrade xllamacpp{line_in_brackets(words, 0)}"
        )
    return ModelNotSupportedError(what, provider=PROVIDER)


def out_of_memory(files: str, context: int, words: bytes, code: int, fits: Fits = _always) -> EngineError | None:
    """Return the error for a process that ended without memory while it loaded; None if it ended otherwise.

    :param code: its exit code
    """
    line = _line(words, _MEMORY) or (f"signal {-code}" if code == _KILLED else "")
    return _no_memory(files, context, line, words, fits) if line else None


def check_size(path: Path) -> None:
    """Raise if a model is larger than all the memory.

    llama.cpp maps the file and does not allocate memory for it, so it would read the disk without an end, and not fail.

    :raises EngineError: if it is
    """
    size, total = path.stat().st_size, total_memory()
    if total is not None and size > total:
        raise EngineError(
            f"{path} {TOO_LARGE}: {size / 1e9:.1f} GB of {total / 1e9:.1f} GB; use a smaller model", provider=PROVIDER
        )


def line_in_brackets(words: bytes, which: int) -> str:
    """Return a line of what the process wrote, for the end of a message.

    :param which: its index
    """
    lines = _lines(words)
    return f" ({lines[which]})" if lines else ""


def _lines(words: bytes) -> list[str]:
    return [_STAMP.sub("", line).strip()[:200] for line in words.decode("utf-8", "replace").strip().splitlines()]


def _line(words: bytes, pattern: re.Pattern[str]) -> str:
    return next((line for line in _lines(words) if pattern.search(line)), "")


def _no_memory(files: str, context: int, line: str, words: bytes, fits: Fits) -> EngineError:
    smaller = max(SMALLEST_ADVISED, context // 4)
    while smaller > SMALLEST_ADVISED and not fits(smaller):
        smaller = max(SMALLEST_ADVISED, smaller // 2)
    helps = f"make it smaller with Local(context={smaller}), or use a smaller model"
    if context <= SMALLEST_ADVISED or not fits(smaller):
        helps = "use a smaller model"
    return EngineError(
        f"{NO_MEMORY} for {files} with a context of {context}; {helps} ({line})",
        last_words=words.decode("utf-8", "replace").strip(),
        provider=PROVIDER,
    )
