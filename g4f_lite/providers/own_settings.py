"""The arguments that only a class of providers has: they tell its objects apart, and some are secrets."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Collection, ItemsView, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from enum import Enum
from functools import cached_property
from pathlib import PurePath
from types import FunctionType
from typing import Any

from ..http.redact import names_secret
from .secret import Secret
from .settings import Settings

# The names of arguments that hold a secret, where their class does not declare it: api_key, client_secret, password.
_SECRET_NAME = r"(?i)(^|_)(api)?(key|token|secret|password|passphrase|credential)s?$|(^|_)pin$"
_BASE_SETTINGS = {*Settings.__annotations__}  # which have attributes, and facts, of their own
MADE_ANEW = ("pool", "budget", "cool_downs")  # attributes of every provider over HTTP, which a copy has anew
_PICKLED = "left out of a pickle"


class OwnSettings:
    """The arguments that the constructor of a provider was called with, without those that every provider takes.

    A pickle of them has no secret, and nothing but plain values.

    :param kind: the class; None if the arguments have their names already
    :param arguments: the positional arguments
    :param named: the keyword arguments
    :ivar only: stands for an argument that may hold anything, and is the same for no other provider
    """

    def __init__(self, kind: type | None, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        self._call = kind, arguments, named
        self.only = os.urandom(32).hex()

    @cached_property
    def values(self) -> dict[str, Any]:
        """The arguments by their names; empty if the constructor does not accept them."""
        kind, arguments, named = self._call
        if kind is None:
            return dict(named)
        try:
            bound = inspect.signature(kind.__init__).bind(None, *arguments, **named)  # type: ignore[misc]
        except TypeError:  # which the constructor raises as well
            return {}
        found: dict[str, Any] = {}
        for name, value in list(bound.arguments.items())[1:]:
            more = bound.signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD
            found |= value if more else {name: value}
        return {name: value for name, value in found.items() if name not in _BASE_SETTINGS}

    @property
    def secrets(self) -> dict[str, str]:
        """The arguments whose names say that they are secrets."""
        return {name: value for name, value in self.values.items() if value and _is_secret(name, value)}

    def facts(self, provider: object) -> Any:
        """Return the arguments that are not secrets, as plain data, and what became of all.

        What is as the class says by itself does not count, be it given or left out.  Something that is not plain, such
        as an object of another library, makes them differ from all others.

        :param provider: the provider, where an attribute with the name of an argument counts as well
        """
        attributes, defaults, found = vars(provider), _defaults(type(provider)), {}
        for name, value in (defaults | self.values).items():
            if isinstance(getattr(type(provider), name, None), Secret):
                continue  # it counts as one of the secrets
            is_given, is_secret = name in self.values, name in self.secrets
            given = plain(value, self.only) if is_given and not is_secret else None
            kept = attributes.get(name, attributes.get(f"_{name}", None if is_secret else value))
            now = plain(kept, "" if is_given else self.only)
            if given == now:  # so that it does not matter where the value comes from
                given = None
            if given is not None or now not in (None, plain(defaults.get(name), "")):
                found[name] = [given, now]
        return found

    def without(self, secrets: Collection[str]) -> OwnSettings:
        """Return the arguments for a pickle, without those that hold one of the secrets."""
        return OwnSettings(
            None, (), {n: _PICKLED if holds(value, secrets) else value for n, value in self.values.items()}
        )

    def __reduce__(self) -> tuple[Any, ...]:
        only, kept = os.urandom(32).hex(), {}
        for name, value in self.values.items():
            kept[name] = _PICKLED if _is_secret(name, value) or _has_secret_field(value) else plain(value, only)
        return OwnSettings, (None, (), kept)

    def __repr__(self) -> str:
        return f"OwnSettings({', '.join(self.values)})"  # without the values, of which some are secrets


def _defaults(kind: type) -> dict[str, Any]:
    """Return the arguments of the constructors of a class and its bases, with their defaults.

    :param kind: the class
    """
    found = {}
    for base in reversed(kind.__mro__):
        if isinstance(init := vars(base).get("__init__"), FunctionType):
            for name, parameter in list(inspect.signature(init).parameters.items())[1:]:
                if parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
                    found[name] = parameter.default
    return {name: found[name] for name in found if name not in {*_BASE_SETTINGS, *MADE_ANEW}}


def _is_secret(name: str, value: Any) -> bool:
    """Return whether an argument is a secret by its name."""
    return isinstance(value, str) and re.search(_SECRET_NAME, name) is not None


def _has_secret_field(value: Any) -> bool:
    """Return whether a collection has a field, such as a header, whose name is that of a secret."""
    pairs = value.items() if isinstance(value, Mapping) else value
    if not isinstance(pairs, (list, tuple, ItemsView)):
        return False
    if isinstance(pairs, tuple) and len(pairs) == 2 and isinstance(pairs[0], str) and names_secret(pairs[0]):
        return True
    return any(map(_has_secret_field, pairs))


def holds(value: Any, secrets: Collection[str]) -> bool:
    """Return whether a value is one of the secrets, or a collection with one in it."""
    if isinstance(value, str):
        return value in secrets
    items = [*value.keys(), *value.values()] if isinstance(value, Mapping) else value
    return isinstance(items, (list, tuple, set, frozenset)) and any(holds(item, secrets) for item in items)


def _is_exact(value: Any) -> bool:
    """Return whether a text stands for a value completely."""
    from decimal import Decimal  # which few programs need
    from uuid import UUID

    return isinstance(value, (date, time, timedelta, PurePath, Decimal, UUID))


def plain(value: Any, other: str) -> Any:
    """Return a value as what JSON can write, so that equal values give equal JSON, in every process.

    :param other: what stands for an object that may hold anything
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, Enum):
        return [kind, value.name]
    if isinstance(value, (bytes, bytearray)):
        return [kind, bytes(value).hex()]
    if _is_exact(value):
        return [kind, str(value)]
    if isinstance(value, (list, tuple)):
        return [plain(item, other) for item in value]
    if isinstance(value, (set, frozenset)):
        return [kind, sorted((plain(item, other) for item in value), key=repr)]
    if isinstance(value, Mapping):
        return [kind, sorted(([plain(key, other), plain(item, other)] for key, item in value.items()), key=repr)]
    if isinstance(value, (type, FunctionType)):
        made_anew = "<" in value.__qualname__  # in each call of a function, with other values each time
        return other if made_anew else [kind, value.__module__, value.__qualname__]
    if is_dataclass(value):
        return [kind, [plain(getattr(value, field.name), other) for field in fields(value)]]
    return other
