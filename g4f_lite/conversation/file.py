"""A conversation's file, which is written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ..errors import ConversationChangedError, StoreError
from ..messages import Messages, json_copy, to_messages
from ..providers.regular_file import NotRegularError, open_regular
from ..store.whole_file import write_whole


class ConversationFileError(StoreError, ValueError):
    """A file that :meth:`Conversation.load` cannot read: it is empty, damaged, or not a JSON list of messages."""


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


def read_messages(path: str | os.PathLike[str]) -> tuple[Messages, str]:
    """Read a JSON list of messages; return it, and the digest of the file.

    :raises OSError: if the file cannot be read
    :raises ConversationFileError: if the file is not a JSON list of messages
    """
    try:
        with open_regular(path) as file:
            data = file.read()
    except NotRegularError as error:
        raise ConversationFileError(f"{path} is {error}", path) from error
    if not data:
        raise ConversationFileError(f"{path} is empty, and not a JSON list of messages", path)
    try:
        messages: Any = json.loads(data.decode("utf-8-sig"))
    except ValueError as error:
        raise ConversationFileError(f"{path} is not a JSON file: {error}", path) from error
    except RecursionError as error:
        message = f"{path} is not a JSON list of messages: it is nested too deeply"
        raise ConversationFileError(message, path) from error
    if not isinstance(messages, list):
        raise ConversationFileError(f"{path} is not a JSON list of messages", path)
    try:
        return to_messages(messages) if messages else [], digest(data)
    except (TypeError, ValueError) as error:
        raise ConversationFileError(f"{path} is not a JSON list of messages: {error}", path) from error


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
