"""The interactive chat in a terminal."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ..arguments import check_name
from ..batch.summary import counted
from ..conversation import Conversation
from ..errors import AllProvidersFailedError, G4FLiteError
from ..messages import Image, Message, text_of
from ..providers.base import BaseProvider
from ..providers.fallback import Fallback
from ..providers.openai.presets import PRESETS
from ..providers.registry import names_providers
from .commands.local import note_download
from .conversation_file import ConversationFile, is_instruction
from .failure import Failure, checking_arguments, message_of, one_line, tell
from .keyboard import silent_keyboard
from .line_editor import PROMPT, LineEditor, paths
from .model_list import DEFAULT, MOST, ModelList
from .output import write, write_dimmed
from .prompt import as_text
from .show import show
from .spending import ChatUsage
from .who_answers import Names
from .wording import in_commands

HINT = "/help lists the commands; Ctrl-D quits; Ctrl-C stops an answer."
STOPPED = "Stopped. This turn is not kept; /retry sends the message again."
HELP = """\
/help          list these commands
/new           start over, with the same system message
/retry         send the last message again; its turn is taken back
/undo          take back the last turn
/model NAME    use another model, PROVIDER, PROVIDER:MODEL or URL
/model default use the provider and the model of the start again
/model         show who answers, and what can be chosen
/models        list the models of the provider
/system TEXT   replace the system message; none removes it; alone, show it
/save FILE     save the conversation to a new file, and each further turn
/usage         show what this chat took: calls, tokens and cost
/edit          write a message in your editor, as $VISUAL or $EDITOR names it
/quit          quit, as Ctrl-D does; so do /exit, /bye, exit and quit
Alt-Enter begins another line, and Ctrl-C clears what you have typed.
A message that begins with a slash is sent after two: //etc/hosts.
"""
WIDTH = 79  # of lines with many names
QUIT = ("/quit", "/exit", "/bye", "quit", "exit")  # as other programs with a prompt call it
COMMANDS = ("/edit", "/help", "/model", "/models", "/new", "/quit", "/retry", "/save", "/system", "/undo", "/usage")
# What makes a provider of its name: the provider, and what the conversation asks, which may be an adapter of it.
Choose = Callable[[str], tuple[BaseProvider, BaseProvider]]


class InteractiveChat:
    """Reads prompts and writes answers until the user quits.

    A turn that fails or is stopped leaves the history unchanged, and its message can be sent again.

    :param conversation: the conversation
    :param options: options of each turn
    :param images: images to send with the first message
    :param texts: texts to add to the first message
    :param whole: whether to write each answer only when it is complete
    :param raw: whether to write answers without rendering them
    :param provider: the provider that the conversation asks, without an adapter
    :param choose: makes another provider, which can answer
    :param file: the file of the conversation
    :param check: raises for an answer that does not have the requested format; None if any will do
    """

    def __init__(
        self,
        conversation: Conversation,
        options: dict[str, Any],
        images: list[Image] | None,
        *,
        texts: Sequence[str] = (),
        whole: bool,
        raw: bool,
        provider: BaseProvider,
        choose: Choose,
        file: ConversationFile,
        check: Callable[[str], object] | None = None,
    ) -> None:
        self._conversation = conversation
        self._provider = provider
        self._first = provider, conversation.provider, conversation.model  # which /model default goes back to
        self._choose = choose
        self._file = file
        self._options = options
        self._images = images
        self._texts = texts
        self._whole = whole
        self._raw = raw
        self._check = check
        self._models = ModelList(provider, options.get("proxy"))
        arguments = {
            "/model": lambda begun: self._models.begun(begun),
            "/save": paths,
            "/system": lambda begun: [],
        }
        self._editor = LineEditor(COMMANDS, arguments)
        self._names = Names()
        self._usage = ChatUsage(self._names, provider)
        self._unanswered: str | None = None  # the last message, if there was no answer

    def run(self) -> None:
        """Run until the user quits.

        :raises KeyboardInterrupt: if the user quits with Ctrl-C
        """
        write(self._banner())
        if self._file.source is not None:
            write_dimmed(self._last_turn())
        try:
            while True:
                line = self._editor.read()
                if line in QUIT:
                    return
                try:
                    self._obey(line)
                except click.ClickException as error:
                    _show(error)
                except KeyboardInterrupt:  # in the user's editor, for instance
                    write("\n")
        except EOFError:
            write("\n")

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
        elif command == "/models":
            self._list_models()
        elif command == "/new":
            self._start_over()
        elif command == "/undo":
            write(f"Taken back: {_shortened(self._undo())}\n")
        elif command == "/usage":
            write(f"{self._usage}\n")
        elif command == "/edit":
            self._edit()
        elif command == "/retry":
            self._retry()

    def _banner(self) -> str:
        """Return what is shown first: who answers, what is continued, and what waits to be sent."""
        lines = [f"Chatting with {self._who()}."]
        if self._file.source is not None:
            messages = sum(1 for message in self._conversation.messages if not is_instruction(message))
            lines.append(f"Continuing {self._file.source}: {counted(messages, 'message')}.")
        waiting = [(len(self._images or ()), "image"), (len(self._texts), "text file")]
        if any(number for number, _ in waiting):
            listed = ", ".join(counted(number, name) for number, name in waiting if number)
            lines.append(f"Sent with your first message: {listed}.")
        return "\n".join([*lines, HINT, ""])

    def _last_turn(self) -> str:
        """Return the last message of the user as one line, and what was answered; "" if there is none."""
        messages = self._conversation.messages
        turns = [number for number, message in enumerate(messages) if message["role"] == "user"]
        if not turns:
            return ""
        asked, *rest = (text_of(message.get("content")) for message in messages[turns[-1] :])
        return "\n".join([f"{PROMPT}{_shortened(asked)}", *filter(None, rest), ""])

    def _who(self) -> str:
        return self._names.who_answers(self._provider, self._conversation.model)

    def _set_model(self, name: str) -> None:
        if not name:
            write(self._choice())
            return
        with checking_arguments():
            check_name(name)
        with silent_keyboard(), _failing():
            if name == DEFAULT:
                provider, asked, model = self._first
                self._use(provider, asked, ModelList(provider, self._options.get("proxy")), model)
            elif names_providers(name) and not self._models.has(name):  # mistral:7b is a model of Ollama
                self._set_provider(name)
            else:
                self._models.check_name(name)
                sent = self._provider.get_model(name)  # an error, where the provider knows its models
                note_download(self._provider, name)
                if self._provider.name != "Local":  # which lists what is on this machine, and takes any file
                    self._models.check(sent or name)
                self._conversation.model = name
                write(f"The model is {name} from now on.\n")
                self._models.note_lacking(name)

    def _choice(self) -> str:
        """Say who answers, and what can be chosen instead."""
        with silent_keyboard():
            names = self._models.begun("")
        self._models.note_unlisted()
        more = f" and {len(names) - MOST} more, which /models lists" if len(names) > MOST else ""
        lines = [
            f"Chatting with {self._who()}.",
            f"Models: {', '.join(names[:MOST])}{more}." if names else "",
            f"Providers: {', '.join(['local', *PRESETS])}.",
            f"/model NAME takes one, /model ollama:llama3.2 both, and /model {DEFAULT} what the chat began with.",
        ]
        how: Any = {"break_long_words": False, "break_on_hyphens": False}
        return "".join(f"{textwrap.fill(line, WIDTH, **how)}\n" for line in lines if line)

    def _set_provider(self, name: str) -> None:
        """Use another provider from now on, if it runs and has the model that is named behind it."""
        provider, asked = self._choose(name)
        models = ModelList(provider, self._options.get("proxy"))
        model = getattr(provider, "model", None)
        if provider.name != "Local" and not isinstance(provider, Fallback):
            if model:
                models.check(model)
            else:
                models.reach()
        self._use(provider, asked, models, None)  # the provider's own model

    def _use(self, provider: BaseProvider, asked: BaseProvider, models: ModelList, model: str | None) -> None:
        self._provider, self._conversation.provider, self._models = provider, asked, models
        self._usage.provider = provider
        self._conversation.model = model
        write(f"Chatting with {self._who()} from now on.\n")

    def _list_models(self) -> None:
        with silent_keyboard(), _failing():
            names = self._models.ask(self._options.get("timeout"))
        self._models.note_unlisted()
        write("".join(f"{name}\n" for name in names) or f"{self._provider.name} lists no models.\n")

    def _set_system(self, text: str) -> None:
        messages = self._conversation.messages
        old = list(itertools.takewhile(is_instruction, messages))
        if not text:
            write("".join(f"{text_of(message['content'])}\n" for message in old) or "There is no system message.\n")
            return
        system: list[Message] = [] if text == "none" else [{"role": "system", "content": as_text(text)}]
        if system == old:
            return
        self._conversation.messages = system + messages[len(old) :]
        try:
            self._file.save_changed(self._conversation)
        except click.ClickException:
            self._conversation.messages = messages
            raise
        write("The system message is replaced.\n" if system else "There is no system message any more.\n")

    def _save(self, name: str) -> None:
        if not name:
            raise Failure("there is no file; write /save FILE")
        path = Path(name).expanduser()
        if self._file.is_saved_to(path):
            write(f"The chat is saved to {name} already.\n")
            return
        self._file = ConversationFile(None, path)
        if not all(map(is_instruction, self._conversation.messages)):
            self._file.save(self._conversation)
            write(f"Saved to {name}, as each further turn will be.\n")
        else:
            write(f"Each turn will be saved to {name}.\n")

    def _edit(self) -> None:
        """Send a message that is written in the user's editor."""
        text = (click.edit("", extension=".md") or "").strip()
        if not text:
            write("Nothing was written.\n")
            return
        self._editor.add(text)
        write(f"{text}\n")
        self._turn(text)

    def _retry(self) -> None:
        """Send the last message again; a turn that was kept is taken back, and stays if it fails now."""
        if self._unanswered is not None:
            self._turn(self._unanswered)
            return
        before = list(self._conversation.messages)
        self._turn(self._undo())
        if len(self._conversation.messages) < len(before):
            self._conversation.messages = before
            self._unanswered = None
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
        self._unanswered = None
        self._file.save(self._conversation)
        return text

    def _start_over(self) -> None:
        """Start a new conversation with the same system message; the file is left as it is."""
        messages = list(itertools.takewhile(is_instruction, self._conversation.messages))
        self._conversation = self._conversation.copy()
        self._conversation.messages = messages
        self._unanswered = None
        write("A new conversation begins.\n")
        write(self._file.stop_saving())

    def _turn(self, line: str) -> None:
        self._unanswered = line
        try:
            with checking_arguments():
                message = "\n\n".join([as_text(line), *self._texts])
                stream = self._conversation.stream(message, images=self._images, **self._options)
            with stream.when_ended(self._usage.add_stream):
                answer = show(stream, whole=self._whole, raw=self._raw)
            if not self._conversation.model and self._names.learn(self._provider, answer):
                write_dimmed(f"Chatting with {self._who()}.\n")
            self._images = self._unanswered = None
            self._texts = ()
            self._file.save(self._conversation)
            if self._check is not None:
                self._check(str(stream.text()))
        except KeyboardInterrupt:
            write(f"\n{STOPPED}\n")
        except click.ClickException as error:
            _show(error)
        except G4FLiteError as error:
            if isinstance(error, AllProvidersFailedError) and isinstance(self._provider, Fallback):
                self._provider.forgive()  # the user may have mended one of them before the next message
            _show(Failure(message_of(error)))


def _show(error: click.ClickException) -> None:
    """Write an error, whose advice is in commands of the chat."""
    tell(f"Error: {in_commands(one_line(error.message))}")


@contextmanager
def _failing() -> Iterator[None]:
    """Raise an error of the library in a ``with`` block as one that is shown, after which the chat goes on."""
    try:
        with checking_arguments():
            yield
    except G4FLiteError as error:
        raise Failure(message_of(error)) from error


def _shortened(text: str) -> str:
    """Return a text as one line that fits a terminal."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
