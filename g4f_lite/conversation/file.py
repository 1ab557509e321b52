"""A conversation's file, which is written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ..errors import ConversationChangedError
from ..messages import Messages, json_copy
from ..store.whole_file import write_whole


def write_messages(messages: Messages, target: Path, files: dict[str, str]) -> None:
    """Write messages to a JSON file.

    :param files: the files that were read or written, and the digests of their contents
    :raises ConversationChangedError: if the file changed since
    :raises OSError: if the file cannot be written
    """
    text = json.dumps(json_copy(messages, "messages"), ensure_ascii=False, indent=2) + "\n"
    real = os.path.realpath(target)
    known = files.get(real)

    def check() -> None:
        if known is not None and os.path.exists(real) and digest(Path(real).read_bytes()) != known:
            raise ConversationChangedError(
                f"{target} was changed since this conversation loaded or saved it; "
                "load it again, or save to another file"
            )

    try:
        data = text.encode()
        write_whole(real, data, check)
        files[real] = digest(data)
    except OSError as error:  # it names the temporary file, which the caller does not know
        raise OSError(error.errno, error.strerror, str(target)) from error


def read_messages(path: str | os.PathLike[str]) -> tuple[list[Any], str]:
    """Read a JSON list of messages; return it, and the digest of the file.

    :raises OSError: if the file cannot be read
    :raises ValueError: if the file is not a JSON list
    """
    data = Path(path).read_bytes()
    try:
        messages = json.loads(data.decode("utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path} is not a JSON file") from error
    except RecursionError as error:
        raise ValueError(f"{path} is not a JSON list of messages: it is nested too deeply") from error
    if not isinstance(messages, list):
        raise ValueError(f"{path} is not a JSON list of messages")
    return messages, digest(data)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
