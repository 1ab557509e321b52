"""A server of OpenAI's API: any client of that API can use any provider."""

from __future__ import annotations

from .app import create_app

__all__ = ["create_app"]
