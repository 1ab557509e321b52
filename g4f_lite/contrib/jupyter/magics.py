"""The magics ``%%chat`` and ``%chat``."""

from __future__ import annotations

import difflib
import keyword
import os
import re
import sys
import typing
from collections.abc import Iterable, Sequence
from inspect import cleandoc
from textwrap import shorten
from types import CodeType
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from ...answers.answer import Answer
from ...answers.interruption import AnswerInterrupted, part_of
from ...answers.markdown import fences
from ...client.client import Client
from ...conversation import Conversation
from ...errors import G4FLiteError, ModelNotSupportedError, sanitize
from ...providers.base import BaseProvider
from ...providers.registry import names_providers
from .interpolation import interpolated, sent_as_written
from .talk import Answerer, History, Talk, explain, near_provider, noted
from .values import show_value

FORMS = ("markdown", "code", "text")
COMMANDS = ("reset", "undo", "model", "system", "history")
OPTIONS = ("-m", "--model", "-f", "--format", "-o", "--output", "-s", "--schema", "-i", "--interpolate", "--image")
USAGE = "%chat reset | undo | model NAME | system TEXT | history; a prompt goes below a line %%chat"
SOURCES = (BaseProvider, Client, Conversation)
PYTHON = {"python", "py", "python3", "ipython", "ipython3"}


def _unquoted(word: str) -> str:
    """Return an argument without the quotation marks around it, which IPython leaves there."""
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"" else word


def _near(words: Iterable[str], known: Sequence[str]) -> str | None:
    """Return the known word that one of the words may be a misprint of, if there is one."""
    for word in words:
        if near := difflib.get_close_matches(word, known, n=1, cutoff=0.7):
            return near[0]
    return None


def _stream(conversation: Conversation, prompt: str, options: dict[str, Any]) -> Any:
    """Return the answer as a stream.

    :raises UsageError: if an argument is wrong, such as a type that no answer can have
    """
    try:
        return conversation.stream(prompt, **options)
    except G4FLiteError:  # some are ValueErrors
        raise
    except (TypeError, ValueError, OSError) as error:  # the last of an image that is not there
        raise UsageError(str(error)) from error


@magics_class
class ChatMagics(Magics):
    """``%%chat`` sends a cell as a prompt; ``%chat`` changes the conversation that it belongs to.

    :ivar talk: the conversation, which lives between cells
    """

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.talk = Talk()

    @no_var_expand
    @magic_arguments()
    @argument("-m", "--model", help="model, provider, provider:model, variable or variable:model")
    @argument(
        "-f",
        "--format",
        choices=FORMS,
        default="markdown",
        help="markdown shows the answer rendered, text as it is, and code puts its Python into the next cell as well",
    )
    @argument("-o", "--output", metavar="NAME", help="variable for the answer")
    @argument("-s", "--schema", metavar=("TYPE", ""), nargs="+", help="type of a value to return instead of the text")
    @argument("-i", "--interpolate", action="store_true", help="replace {expressions} in the prompt by their values")
    @argument(
        "--image", metavar="IMAGE", action="append", help="variable with an image, or path of one; may be repeated"
    )
    @cell_magic
    def chat(self, line: str, cell: str) -> Any:
        """Send the cell as a prompt, show the answer as it arrives, and return it.

        The answer is also ``_`` in the next cell.  The conversation goes on from cell to cell.
        """
        if {"-h", "--help"} & {*line.split()}:
            sys.stdout.write(self.chat.parser.format_help().replace("::\n\n  %chat", "%%chat"))
            return None
        try:
            given = parse_argstring(self.chat, line)
        except (UsageError, ValueError) as error:  # of a quotation mark that is not closed
            named = re.search(r"(?:^|\s)(?:-p|--(provider|client|conversation))[ =]?(\S+)", line)
            advice = "the prompt goes below the line, and %%chat --help lists the options"
            if named:
                advice = f"a {named[1] or 'provider'} is given as -m {named[2]}"
            elif misspelt := _near([word for word in line.split() if word not in OPTIONS], OPTIONS):
                advice = f"did you mean {misspelt}?"
            raise UsageError(f"{error}; {advice}") from error
        if not cell.strip():
            raise UsageError("the prompt is blank; it goes below %%chat, which is the first line of its cell")
        if given.output and (keyword.iskeyword(given.output) or not given.output.isidentifier()):
            raise UsageError(f"-o needs the name of a variable, not {given.output!r}")
        if given.schema and given.format != "markdown":
            raise UsageError(f"-s gives a value and -f {given.format} a text; leave one of them out")
        options = {"output": self._type(" ".join(given.schema))} if given.schema else {}
        if given.image:
            options["images"] = [self._image(_unquoted(word)) for word in given.image]
        prompt = interpolated(cell, self._evaluated) if given.interpolate else cell
        if not given.interpolate and (braces := sent_as_written(cell, self._users_own())):
            sys.stderr.write(f"{braces} was sent as it is; -i replaces it\n")
        value = self._ask(prompt.strip(), given, options)
        if given.output:
            self.shell.user_ns[given.output] = value
        return value

    def _ask(self, prompt: str, given: Any, options: dict[str, Any]) -> Any:
        answerer = self.answerer(given.model or "")
        conversation = self.talk.conversation(answerer)
        try:
            stream = _stream(conversation, prompt, {**options, "model": answerer.model})
        except ModelNotSupportedError as error:
            self._explain(error, answerer)
            raise
        try:
            with noted(self.talk.addressed(answerer)[0]):
                value = show_value(stream) if given.schema else stream.show(plain=given.format == "text")
        except KeyboardInterrupt as interrupt:
            stream.close()
            part = self._keep_part(stream, given.output)
            raise AnswerInterrupted(part, given.output) from interrupt
        except G4FLiteError as error:
            self._keep_part(stream, given.output)
            if isinstance(error, ModelNotSupportedError):
                self._explain(error, answerer)
            raise
        finally:
            if conversation is not answerer.source:
                self.talk.own = conversation.messages
        if given.format == "code":
            self._offer_code(value)
        return value

    def answerer(self, word: str) -> Answerer:
        """Return who answers for what ``-m`` is given; for nothing, who answers now.

        :raises UsageError: if it is written as a variable, ``$name`` or ``{name}``, and is not one that can answer, or
            is a list with a variable, whose name may also be that of another provider
        """
        word = _unquoted(word)
        if "," in word:
            self._refuse_variables(word)
        first, colon, model = word.partition(":")
        name = first[1:-1] if first[:1] + first[-1:] == "{}" else first.removeprefix("$")
        value = self.shell.user_ns.get(name)
        if isinstance(value, SOURCES):
            return Answerer(value, model or None, name)
        if name != first:
            if not isinstance(value, str):
                raise UsageError(f"-m {word}: {name} is not a variable with a provider, a Client or a Conversation")
            word = value + colon + model
        if not word:
            return self.talk.model
        answerer = self.talk.named(word)
        self._refuse_misprint(word, answerer)
        return answerer

    def _refuse_variables(self, word: str) -> None:
        """Raise if a list of providers has a variable.

        :raises UsageError: if so
        """
        for each in map(str.strip, word.split(",")):
            name = each.partition(":")[0].strip("${}")
            if isinstance(self.shell.user_ns.get(name), SOURCES) or each.startswith(("$", "{")):
                make = f"chain = g4f_lite.Fallback([{name}, …])"
                raise UsageError(f"-m {word}: {name} is a variable, and not for a list; write {make}, and -m chain")

    def _refuse_misprint(self, word: str, answerer: Answerer) -> None:
        """Raise if a model that is not listed has nearly the name of a variable, or a provider's before a colon.

        Its prompt is probably not for who answers now.

        :raises UsageError: if so
        """
        if names_providers(word) or answerer == Answerer(model=word):  # of which its provider knows all models
            return
        variables = [
            name for name, value in self.shell.user_ns.items() if isinstance(value, SOURCES) and name[0] != "_"
        ]
        name, colon, _ = word.partition(":")
        near = difflib.get_close_matches(name, variables, n=1, cutoff=0.75) or (near_provider(word) if colon else [])
        if near and word not in self.talk.lists.of(self.talk.addressed(answerer)[0]):
            raise UsageError(f"-m {word}: there is no variable or provider {name}, and no such model; try {near[0]}")

    def _choose(self, word: str) -> None:
        """Let the model that a word names answer the next cells, and say who that is."""
        answerer = Answerer() if word == "default" else self.answerer(word)
        try:
            if answerer == Answerer():  # no check, which would download the embedded model
                self.talk.addressed(answerer)
            else:
                self.talk.conversation(answerer).stream("Hello", model=answerer.model).close()  # nothing is sent
        except G4FLiteError as error:
            if isinstance(error, ModelNotSupportedError):
                self._explain(error, answerer)
            error.message += f" (the model stays {self.talk.model.name or 'the default'})"
            error.args = (error.message,)
            raise
        self.talk.model = answerer
        sys.stdout.write(f"{self.talk.who_answers(answerer)}.\n")

    def _explain(self, error: ModelNotSupportedError, answerer: Answerer) -> None:
        """Say what the name of an unknown model may be: a misprinted provider, or a variable with a model's name."""
        explain(error, answerer)
        if isinstance(self.shell.user_ns.get(answerer.model), str):
            error.message += f"; for the value of your variable, write {{{answerer.model}}}"
            error.args = (error.message,)

    def types(self) -> list[str]:
        """List the variables that ``-s`` may name."""
        return [name for name, value in self.shell.user_ns.items() if isinstance(value, type) and name[0] != "_"]

    def variables(self) -> list[str]:
        """List the variables that ``-m`` may name."""
        return [name for name, value in self.shell.user_ns.items() if isinstance(value, SOURCES) and name[0] != "_"]

    def _keep_part(self, stream: Any, name: str | None) -> Answer:
        """Bind what has arrived of an answer that is not whole, if anything has, and return it."""
        part = part_of(stream)
        if name and part:
            self.shell.user_ns[name] = part
        return part

    def _offer_code(self, answer: Answer) -> None:
        """Put the Python code of an answer into the next cell: fences without a language if no other is Python."""
        found = list(fences(answer))
        code = [text for language, text in found if language.lower() in PYTHON]
        code = code or [text for language, text in found if not language]
        if code:
            self.shell.set_next_input(sanitize("\n\n".join(code)))  # so that it runs as it reads
        else:
            sys.stdout.write("The answer has no Python code.\n")

    def _users_own(self) -> dict[str, Any]:
        """Return the user's variables, without what IPython has put among them."""
        own, hidden = self.shell.user_ns, self.shell.user_ns_hidden
        return {name: own[name] for name in own if name[0] != "_" and own[name] is not hidden.get(name, hidden)}

    def _evaluated(self, expression: str | CodeType) -> Any:
        return eval(expression, self.shell.user_global_ns, self.shell.user_ns)  # as Python evaluates a cell

    def _image(self, word: str) -> Any:
        """Return the value of a variable, or else a path."""
        name = word[1:-1] if word[:1] + word[-1:] == "{}" else word.removeprefix("$")
        return self.shell.user_ns.get(name, os.path.expanduser(word))

    def _type(self, expression: str) -> Any:
        """Evaluate the type that ``-s`` names, which may be in quotes."""
        text = _unquoted(expression)
        try:
            return self._evaluated(text)
        except SyntaxError as error:
            raise UsageError(f"-s {text}: this is not a type; the prompt goes below the line") from error
        except Exception as error:
            name = getattr(error, "name", None) or ""
            near = f"from typing import {name}" if name in typing.__all__ else _near([name], self.types())
            raise UsageError(f"-s {text}: {error}" + (f"; try {near}" if near else "")) from error

    @no_var_expand
    @line_magic("chat")
    def chat_command(self, line: str) -> Any:
        """Change or show the conversation of ``%%chat``::

            %chat reset
            %chat undo
            %chat model groq:llama-3.3-70b-versatile
            %chat system Answer in one sentence.
            %chat history

        The conversation is the notebook's, or the Conversation that ``model`` has chosen.
        ``reset`` forgets all messages but the system message, and ``undo`` the last question with its answer.
        ``model`` and ``system`` alone return what they are; ``model default`` and ``system none`` take them back.
        ``history`` returns the messages.  ``%%chat --help`` lists the options of a cell that is a prompt.
        """
        command, _, rest = line.strip().partition(" ")
        rest = _unquoted(rest.strip())
        if command == "reset" and not rest:
            sys.stdout.write(f"Messages forgotten: {self.talk.reset()}\n")
            return None
        if command == "undo" and not rest:
            question = self.talk.undo()
            if question is None:
                raise UsageError("there is no question to take back")
            sys.stdout.write(f"Taken back, with its answer: {shorten(sanitize(question), 80, placeholder=' …')}\n")
            return None
        if command == "history" and not rest:
            return History(self.talk.messages)
        if command == "model":
            if not rest:
                return self.talk.model.name or None
            return self._choose(rest)
        if command == "system":
            if not rest:
                return self.talk.system
            self.talk.system = None if rest == "none" else rest
            return None
        if command in ("help", "-h", "--help"):
            sys.stdout.write(cleandoc(self.chat_command.__doc__ or "").replace("``", "").replace("::", ":") + "\n")
            return None
        near = None if command in COMMANDS else _near([command], COMMANDS)
        raise UsageError((f"did you mean %chat {near}? " if near else "") + USAGE)
