"""Names what is wrong with a use of ``Provider``: g4f's names for providers, and what is wrong with its constructor."""

from __future__ import annotations

from abc import ABCMeta
from typing import TYPE_CHECKING, Any

from ..answers.short_traceback import shortened
from ..errors import G4FLiteError
from .settings import refuse_unknown


class G4FNames(ABCMeta):
    """The metaclass of ``Provider``: an unknown attribute is an error that names the page about g4f.

    So is a constructor that does not call that of its base class, without which every call would fail, and an argument
    that it does not accept.
    """

    def __call__(cls, *arguments: Any, **settings: Any) -> Any:
        refuse_unknown(cls, settings)
        try:
            provider = super().__call__(*arguments, **settings)
        except G4FLiteError as error:  # such as a file that is not there
            raise shortened(error)  # noqa: B904  it is the same one
        if "pool" not in vars(provider):
            raise TypeError(f"{cls.__name__}.__init__ does not call super().__init__(**settings)")
        for name in ("cookies", "headers"):
            if not isinstance(value := getattr(provider, name), dict):
                what = f"self.{name} to {type(value).__name__}, but that is the setting {name}=, a dict"
                raise TypeError(f"{cls.__name__}.__init__ sets {what}; give the attribute another name")
        return provider

    if not TYPE_CHECKING:  # a type checker would take any name for an attribute

        def __getattr__(cls, name: str) -> Any:
            hint = ""
            if name[:1].isupper():
                hint = '; see docs/from-g4f.md for the replacement: a name such as "groq", or a class of g4f_lite'
            raise AttributeError(f"{cls.__name__} has no attribute {name!r}{hint}", name=name, obj=cls)
