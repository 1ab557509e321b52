"""What a .gguf file is that holds no whole model for chats: a projector, a part, a model for embeddings, a base."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from ...errors import ModelNotSupportedError
from .gguf import Metadata

#: What ``general.type`` calls a file that is not a model: what it is, and what to do.
_TYPES = {
    "adapter": "an adapter (LoRA) for a model; name the model itself",
    "imatrix": "what a model is quantized with; name the model itself",
}


def check_model(path: Path, metadata: Metadata) -> None:
    """Check that a file holds a whole model, or is the first of the files that do.

    :raises ModelNotSupportedError: if it does not
    """
    if metadata.is_projector:
        _refuse(path, "is a projector, not a model; name the model, and give this file with mmproj=")
    if what := _TYPES.get(metadata.values.get("general.type", "")):
        _refuse(path, f"is not a model, but {what}")
    number, count = (metadata.values.get(f"split.{name}") for name in ("no", "count"))
    if isinstance(number, int) and isinstance(count, int) and count > 1:
        _check_parts(path, number + 1, count)


def check_chats(path: Path, metadata: Metadata) -> None:
    """Check that a model writes answers.

    :raises ModelNotSupportedError: if it was made for embeddings
    """
    if metadata.get("pooling_type") or metadata.get("attention.causal") is False:
        _refuse(path, "is a model for embeddings, which writes no answers; use it with embed(), and another for chats")


def lacks_template(path: Path, metadata: Metadata) -> str | None:
    """Say that a model has no chat template, and what to do; None if it has one.

    It is asked all the same: some files of models for chats lack it, and llama.cpp takes the template ChatML.
    """
    if metadata.chat_template:
        return None
    what = "it is probably a base model, which continues a text instead of answering"
    return f"{path.name} has no chat template: {what}; take the file with -it or Instruct in its name"


def check_projector(path: Path, metadata: Metadata) -> None:
    """Check that a file is one with which a model sees images.

    :raises ModelNotSupportedError: if it is a model itself
    """
    if not metadata.is_projector:
        _refuse(path, "is a model, not a projector; the projector of a model that can see has mmproj in its name")


def _check_parts(path: Path, number: int, count: int) -> None:
    first = _ending(1, count)
    if number > 1:
        _refuse(path, f"is part {number} of {count} of a model; give the path of the first, which ends in {first}")
    if not path.name.endswith(first):  # llama.cpp finds the others by their names
        _refuse(path, f"is part 1 of {count} of a model; its name must end in {first}")
    begin = path.name.removesuffix(first)
    for other in range(2, count + 1):
        if not path.with_name(name := f"{begin}{_ending(other, count)}").is_file():
            _refuse(path, f"is part 1 of {count} of a model, and {name} is not beside it; download all parts")


def _ending(number: int, count: int) -> str:
    return f"-{number:05}-of-{count:05}.gguf"


def _refuse(path: Path, what: str) -> NoReturn:
    raise ModelNotSupportedError(f"{path} {what}", provider="Local")
