"""The conversation at a terminal."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import click

from ..conversation import Conversation
from ..errors import G4FLiteError
from ..messages import Image, Message
from .conversation_file import ConversationFile
from .failure import Failure, checking_arguments, words_of
from .output import show, write
from .prompt import as_text

with contextlib.suppress(ImportError):  # Windows has none, and edits lines itself
    import readline  # noqa: F401  input() then lets the user edit and recall lines

COMMANDS = "/new forgets what was said; /quit or Ctrl-D leaves; Ctrl-C stops an answer."


class Talk:
    """A conversation: the user types, the model answers, until the user leaves.

    A turn that fails or is stopped leaves the history as it was.

    :param conversation: the conversation, at its beginning
    :param limits: options for each turn
    :param pictures: what to show with the first message
    :param whole: print each answer at its end only
    :param raw: print them as they are
    :param file: where the conversation is kept
    """

    def __init__(
        self,
        conversation: Conversation,
        limits: dict[str, Any],
        pictures: list[Image] | None,
        *,
        whole: bool,
        raw: bool,
        file: ConversationFile,
    ) -> None:
        self._conversation = conversation
        self._file = file
        self._limits = limits
        self._pictures = pictures
        self._whole = whole
        self._raw = raw

    def run(self) -> None:
        """Talk until the user leaves.

        :raises KeyboardInterrupt: with Ctrl-C
        """
        provider = self._conversation.provider
        names = self._conversation.model, getattr(provider, "model", None), getattr(provider, "default_model", None)
        model = next(filter(None, names), None)
        write(f"Talking to {provider.name}{f' ({model})' if model else ''}. {COMMANDS}\n")
        while True:
            try:
                line = input("> ").strip()
            except EOFError:
                write("\n")
                return
            if line == "/quit":
                return
            if line == "/new":
                self._forget()
            elif line:
                self._turn(line)

    def _forget(self) -> None:
        """Begin again: the system text stays, and so does the file."""
        messages = list(itertools.takewhile(is_instruction, self._conversation.messages))
        self._conversation = self._conversation.copy()
        self._conversation.messages = messages
        write(self._file.leave())

    def _turn(self, line: str) -> None:
        try:
            with checking_arguments():
                stream = self._conversation.stream(as_text(line), images=self._pictures, **self._limits)
            with stream:
                show(stream, whole=self._whole, raw=self._raw)
            self._pictures = None
            self._file.keep(self._conversation)
        except KeyboardInterrupt:
            write("\n")
        except click.ClickException as error:
            error.show()
        except G4FLiteError as error:
            Failure(words_of(error)).show()


def is_instruction(message: Message) -> bool:
    """Tell a text that says how the model shall behave."""
    return message["role"] in ("system", "developer")
