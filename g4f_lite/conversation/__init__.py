"""A conversation, which keeps its history."""

from .conversation import Conversation

__all__ = ["Conversation"]
