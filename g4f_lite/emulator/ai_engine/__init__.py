"""The AI Engine plugin on a WordPress site, in several of its versions."""

from .service import AiEngine

__all__ = ["AiEngine"]
