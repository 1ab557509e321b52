"""``Provider.Name``, as scripts for g4f write it, leads to its replacement."""

from __future__ import annotations

from abc import ABCMeta
from typing import TYPE_CHECKING, Any


class G4FNames(ABCMeta):
    """The metaclass of ``Provider``: an unknown attribute is an error that names the page about g4f."""

    if not TYPE_CHECKING:  # a type checker would take any name for an attribute

        def __getattr__(cls, name: str) -> Any:
            hint = ""
            if name[:1].isupper():
                hint = '; see docs/from-g4f.md for the replacement: a name such as "groq", or a class of g4f_lite'
            raise AttributeError(f"{cls.__name__} has no attribute {name!r}{hint}", name=name, obj=cls)
