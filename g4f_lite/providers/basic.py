"""The base class of everything that answers prompts."""

from __future__ import annotations

import inspect
import sys
from abc import abstractmethod
from collections.abc import Generator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from ..arguments import PYTHON_ENDS, hide_keys
from ..errors import G4FLiteError
from ..http.redact import scrub
from .askable import Askable
from .own_settings import OwnSettings
from .secret import Secret, secrets_of
from .settings import full_signature

if TYPE_CHECKING:
    from ..answers.deltas import Delta
    from ..answers.price import PricedAt
    from ..answers.source import Source
    from ..answers.stream import AnswerStream
    from ..prompt import Prompt


class BaseProvider(Askable):
    """The base class of everything that answers prompts.

    A subclass implements one method, ``begin``, which yields the deltas of an answer::

        class Shout(BaseProvider):
            def begin(self, prompt):
                yield last_user_message(prompt.messages).upper()
                yield Finish()
    """

    name: str = ""  # for errors and logs; the name of the class, unless it has another
    _kind_name: str | None = None  # for caches and stores, where the name may be the caller's own; None is the name
    working: ClassVar[bool] = True
    models: Sequence[str] = ()
    priced_at: PricedAt = None
    declared_secrets: ClassVar[dict[str, Secret]] = {}
    _own_settings: OwnSettings
    __signature__: ClassVar[inspect.Signature]
    reads_schema: bool = False  # whether the service shows the model a schema, and takes OpenAI's strict form only

    @property
    def known_options(self) -> frozenset[str] | None:
        """The names of the supported options; None if any option is accepted."""
        return None

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "name" not in vars(cls):
            cls.name = cls.__name__
        for name in ("models", "known_options"):
            if isinstance(value := vars(cls).get(name), str):  # of which each letter would be a name
                raise TypeError(f"{cls.__name__}.{name} must be a collection of names; write [{value!r}]")
        if isinstance(options := vars(cls).get("known_options"), (list, tuple, set)):
            cls.known_options = frozenset(options)  # type: ignore[assignment,method-assign]  # as it is declared
        cls.declared_secrets = secrets_of(cls)
        cls.__signature__ = full_signature(cls)  # which inspect would look for in __new__

    def __new__(cls, *arguments: Any, **settings: Any) -> Any:
        provider = super().__new__(cls)
        vars(provider)["_own_settings"] = OwnSettings(cls, arguments, settings)
        return provider

    def __init__(self) -> None:
        """Create the provider; the class says which arguments it takes."""

    @abstractmethod
    def begin(self, prompt: Prompt) -> Source | Generator[Delta, None, None]:
        """Yield the deltas of an answer; nothing is sent before the first one is requested.

        :param prompt: a prompt that ``check`` has accepted
        """

    def check(self, prompt: Prompt) -> None:
        """Raise if this provider does not accept a prompt; nothing is sent.

        :param prompt: the prompt, with the model that the caller named, or None; ``self.get_model(prompt.model)`` is
            the one that will be sent
        :raises ModelNotSupportedError: if it does not have the model
        :raises TypeError: if it does not support an option
        :raises ValueError: if it cannot send something in the messages
        """

    def refusal(self, prompt: Prompt) -> Exception | None:
        """Return the exception that ``check`` raises, or None if this provider accepts the prompt."""
        try:
            self.check(prompt)
        except (G4FLiteError, TypeError, ValueError) as error:
            return error
        return None

    def answer(self, prompt: Prompt) -> AnswerStream:
        """Return the answer to a prompt as a stream; :meth:`create_generator` does so for arguments.

        :raises G4FLiteError: if this provider does not accept the prompt
        :raises TypeError: if this provider does not support an option
        :raises ValueError: if this provider cannot send something in the messages
        """
        if sys.is_finalizing():  # which imports nothing any more
            raise G4FLiteError(PYTHON_ENDS)
        from ..answers.stream import AnswerStream  # which a call needs, and an import does not

        model = self.get_model(prompt.model) or None
        self.check(prompt)
        begin = partial(self.begin, prompt)
        return AnswerStream(begin, provider=self.name, model=model, scrub=self.scrub)

    def get_model(self, name: str | None = None) -> str | None:
        """Return the model name to send for a name or alias; that of the default model for None."""
        return name

    def get_models(self) -> list[str]:
        """Return the names of the models; an empty list if any name is accepted."""
        return list(self.models)

    def identity(self) -> Any:
        """Return what tells this provider's answers from those of another of its class, its URL and its model.

        Answers in a cache or a store are found again by the same provider only.  By default its own arguments count,
        and its ``secrets()``.  The value is hashed, with a salt.
        """
        return self._own_settings.facts(self)

    def secrets(self) -> list[str]:
        """List the strings that messages must not show: what is declared as a Secret, and arguments named like one.

        Those of three characters or fewer are shown all the same, because without them a text could not be read.
        """
        declared = (getattr(self, name) for name in self.declared_secrets)
        return [*filter(None, declared), *self._own_settings.secrets.values()]

    def scrub(self, error: BaseException) -> None:
        """Take the ``secrets()`` out of an error and its causes, in place."""
        scrub(error, self.secrets())

    def close(self) -> None:
        """Close idle connections; calls in progress finish."""

    def __repr__(self) -> str:
        model = getattr(self, "model", None)
        return f"{self.name}(model={hide_keys(model)!r})" if model else f"{self.name}()"

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
