"""The interactive chat in a terminal."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import click

from ..conversation import Conversation
from ..errors import G4FLiteError
from ..messages import Image, Message
from .conversation_file import ConversationFile
from .failure import Failure, checking_arguments, message_of
from .output import write
from .prompt import as_text
from .show import show

with contextlib.suppress(ImportError):  # Windows has no readline, and edits lines itself
    import readline  # noqa: F401  lets the user edit and recall lines in input()

COMMANDS = "/new starts over; /quit or Ctrl-D quits; Ctrl-C stops an answer."


class InteractiveChat:
    """Reads prompts and writes answers until the user quits.

    A turn that fails or is stopped leaves the history unchanged.

    :param conversation: the conversation
    :param options: options of each turn
    :param images: images to send with the first message
    :param whole: whether to write each answer only when it is complete
    :param raw: whether to write answers without rendering them
    :param file: the file of the conversation
    """

    def __init__(
        self,
        conversation: Conversation,
        options: dict[str, Any],
        images: list[Image] | None,
        *,
        whole: bool,
        raw: bool,
        file: ConversationFile,
    ) -> None:
        self._conversation = conversation
        self._file = file
        self._options = options
        self._images = images
        self._whole = whole
        self._raw = raw

    def run(self) -> None:
        """Run until the user quits.

        :raises KeyboardInterrupt: if the user presses Ctrl-C at the prompt
        """
        provider = self._conversation.provider
        names = self._conversation.model, getattr(provider, "model", None), getattr(provider, "default_model", None)
        model = next(filter(None, names), None)
        write(f"Chatting with {provider.name}{f' ({model})' if model else ''}. {COMMANDS}\n")
        while True:
            try:
                line = input("> ").strip()
            except EOFError:
                write("\n")
                return
            if line == "/quit":
                return
            if line == "/new":
                self._start_over()
            elif line:
                self._turn(line)

    def _start_over(self) -> None:
        """Start a new conversation with the same system message; the file is left as it is."""
        messages = list(itertools.takewhile(is_instruction, self._conversation.messages))
        self._conversation = self._conversation.copy()
        self._conversation.messages = messages
        write(self._file.stop_saving())

    def _turn(self, line: str) -> None:
        try:
            with checking_arguments():
                stream = self._conversation.stream(as_text(line), images=self._images, **self._options)
            with stream:
                show(stream, whole=self._whole, raw=self._raw)
            self._images = None
            self._file.save(self._conversation)
        except KeyboardInterrupt:
            write("\n")
        except click.ClickException as error:
            error.show()
        except G4FLiteError as error:
            Failure(message_of(error)).show()


def is_instruction(message: Message) -> bool:
    """Return whether a message is a system message."""
    return message["role"] in ("system", "developer")
