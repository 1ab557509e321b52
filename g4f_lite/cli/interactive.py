"""The interactive chat in a terminal."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import click

from ..arguments import check_name
from ..conversation import Conversation
from ..errors import G4FLiteError
from ..messages import Image, Message
from .conversation_file import ConversationFile
from .failure import Failure, checking_arguments, message_of
from .line_editor import LineEditor
from .output import write
from .prompt import as_text
from .show import show

HINT = "/help lists the commands; Ctrl-D quits; Ctrl-C stops an answer."
HELP = """\
/help          list these commands
/new           start over, with the same system message
/retry         take back the last turn, and send its message again
/undo          take back the last turn
/model NAME    use another model of the provider; without NAME, say which one is used
/system TEXT   replace the system message; without TEXT, remove it
/save FILE     save the conversation to a new file, and each further turn
/quit          quit, as Ctrl-D does
A message that begins with a slash is sent after two: //etc/hosts.
"""
COMMANDS = ("/help", "/model", "/new", "/quit", "/retry", "/save", "/system", "/undo")


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
        write(f"Chatting with {self._conversation.provider.name}{self._model(' ({})')}. {HINT}\n")
        editor = LineEditor(COMMANDS)
        try:
            while True:
                line = editor.read()
                if line == "/quit":
                    return
                try:
                    self._obey(line)
                except click.ClickException as error:
                    error.show()
        except EOFError:
            write("\n")
        finally:
            editor.save()

    def _obey(self, line: str) -> None:
        """Run a command, or send a message.

        :raises click.ClickException: if the command is not valid
        """
        command, _, argument = line.partition(" ")
        argument = argument.strip()
        if line.startswith("//"):
            self._turn(line[1:])
        elif not line.startswith("/"):
            if line:
                self._turn(line)
        elif command == "/model":
            self._set_model(argument)
        elif command == "/system":
            self._set_system(argument)
        elif command == "/save":
            self._save(argument)
        elif argument or command not in COMMANDS:
            raise Failure(f"there is no command {line!r}; /help lists them, and //… sends a message with a slash")
        elif command == "/help":
            write(HELP)
        elif command == "/new":
            self._start_over()
        elif command == "/undo":
            self._undo()
        elif command == "/retry":
            self._retry()

    def _model(self, form: str) -> str:
        """Return the name of the model in a text, or nothing if there is none."""
        provider = self._conversation.provider
        names = self._conversation.model, getattr(provider, "model", None), getattr(provider, "default_model", None)
        model = next(filter(None, names), None)
        return form.format(model) if model else ""

    def _set_model(self, name: str) -> None:
        if not name:
            write(self._model("{}\n") or "The provider chooses the model.\n")
            return
        with checking_arguments():
            check_name(name)
        self._conversation.model = name

    def _set_system(self, text: str) -> None:
        messages = self._conversation.messages
        rest = list(itertools.dropwhile(is_instruction, messages))
        system: list[Message] = [{"role": "system", "content": as_text(text)}] if text else []
        self._conversation.messages = system + rest
        write(self._file.stop_saving())

    def _save(self, name: str) -> None:
        if not name:
            raise Failure("there is no file; write /save FILE")
        self._file = ConversationFile(None, Path(name).expanduser())
        if self._conversation.messages:
            self._file.save(self._conversation)

    def _retry(self) -> None:
        """Take back the last turn and send its message again; if that fails, the turn stays."""
        before = list(self._conversation.messages)
        self._turn(self._undo())
        if len(self._conversation.messages) < len(before):
            self._conversation.messages = before
            self._file.save(self._conversation)

    def _undo(self) -> str:
        """Take back the last turn, and return its message.

        :raises click.ClickException: if there is none, or its message is not a text
        """
        messages = self._conversation.messages
        turns = [number for number, message in enumerate(messages) if message["role"] == "user"]
        text = messages[turns[-1]]["content"] if turns else None
        if not isinstance(text, str):
            raise Failure("there is no turn with a text to take back")
        del messages[turns[-1] :]
        self._file.save(self._conversation)
        return text

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
