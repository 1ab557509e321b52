"""A client with the interface of OpenAI's and g4f's clients."""

from .client import Client, ask, stream

__all__ = ["Client", "ask", "stream"]
