"""The services, one module each."""

from typing import TYPE_CHECKING, Any

if not TYPE_CHECKING:  # a type checker would take any name for one of this module's

    def __getattr__(name: str) -> Any:
        from ..arguments import missing_name

        raise missing_name(__name__, name)
