"""The keys of a provider of one's own: given as arguments, or read from the environment, and shown nowhere."""

from __future__ import annotations

import inspect
import os
from typing import Any, overload

from ..errors import AuthenticationError


class Secret:
    """A key or password of a provider, which is given as an argument, or else is in an environment variable::

        class Quill(Provider):
            api_key = Secret("QUILL_API_KEY")

            def __init__(self, *, api_key: str | None = None, **settings: Unpack[Settings]) -> None:
                super().__init__(**settings)
                self.api_key = api_key

    No error, log line, repr or pickle shows it, but errors and log lines do show one of three characters or fewer.
    Where it is missing, a call raises an AuthenticationError that names the variable, before anything is sent.

    :param variable: the environment variable, which is read when the key is needed
    :param required: whether there can be no answer without it
    """

    def __init__(self, variable: str, *, required: bool = True) -> None:
        self.variable = variable
        self.required = required
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.label = name.removeprefix("api_").replace("_", " ")

    @overload
    def __get__(self, provider: None, owner: type) -> Secret: ...

    @overload
    def __get__(self, provider: object, owner: type) -> str: ...

    def __get__(self, provider: object | None, owner: type) -> Secret | str:
        return self if provider is None else self.given(provider) or self.of_environment()

    def __set__(self, provider: object, value: str | None) -> None:
        vars(provider)[self.name] = None if value is None else _checked(value, f"{self.name}=")

    def given(self, provider: object) -> str | None:
        """Return the argument, or None if there was none."""
        found: str | None = vars(provider).get(self.name)
        return found

    def of_environment(self) -> str:
        """Return the value of the variable; "" if it is not set.

        :raises AuthenticationError: if it cannot be a key
        """
        found = os.environ.get(self.variable, "")
        try:
            return found and _checked(found, self.variable)
        except ValueError as error:
            raise AuthenticationError(str(error)) from error

    def source(self, provider: object) -> str:
        """Say where it comes from."""
        if self.given(provider):
            return "given"
        return f"from {self.variable}" if self.of_environment() else f"not set in {self.variable}"

    def is_missing(self, provider: object) -> bool:
        """Return whether it is required, and neither given nor in the environment."""
        return self.required and not (self.given(provider) or self.of_environment())

    def check(self, provider: Any) -> None:
        """Raise if the key is missing.

        :raises AuthenticationError: if it is required, and neither given nor in the environment
        """
        if self.is_missing(provider):
            lack = "was not pickled" if self.name in provider._lost else "is missing"
            remedy = f"set {self.variable} in the environment"
            if self.name in inspect.signature(type(provider)).parameters:
                remedy += f", or pass {self.name}="
            raise AuthenticationError(f"the {self.label} {lack}: {remedy}", provider=provider.name)


def secrets_of(kind: type) -> dict[str, Secret]:
    """Return what a class and its bases declare as secrets, by name."""
    found = {name: value for base in reversed(kind.__mro__) for name, value in vars(base).items()}
    return {name: value for name, value in found.items() if isinstance(value, Secret)}


def _checked(value: Any, name: str) -> str:
    """Return a key without the white space around it; an error does not show it.

    :raises TypeError: if it is not a string
    :raises ValueError: if it is empty, or contains a control character
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}")
    if not value.strip() or not value.strip().isprintable():
        raise ValueError(f"{name} is empty, or contains a line break or another control character")
    return value.strip()
