"""The OpenAI protocol, and the dialects in which other servers speak it."""

from .dialects import DIALECTS
from .service import OpenAICompatible

__all__ = ["DIALECTS", "OpenAICompatible"]
