"""The client that people know from OpenAI and g4f."""

from .client import Client, ask, stream

__all__ = ["Client", "ask", "stream"]
