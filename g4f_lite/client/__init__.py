"""A client with the interface of OpenAI's and g4f's clients."""

from typing import TYPE_CHECKING, Any

from ..arguments import missing_name
from .client import Client, ask, stream

__all__ = ["Client", "ask", "stream"]

if not TYPE_CHECKING:  # a type checker would take any name for one of this module's

    def __getattr__(name: str) -> Any:
        raise missing_name(__name__, name)
