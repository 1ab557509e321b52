"""Why a text is not a value of a type."""

from __future__ import annotations


class Mismatch(ValueError):
    """A text that is not a value of the type; the message says why, and goes to the model."""
