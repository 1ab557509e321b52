"""Tools for testing apps that use this library: scripted answers, and emulated services::

::

    def test_summary(g4f_scripted):
        g4f_scripted.queue("A short summary.", RateLimitError("slow down"))
        assert summarize("A long text.") == "A short summary."
        assert "A long text." in g4f_scripted.calls[0].prompt

``Scripted`` replaces a provider inside the process.  The emulator behind ``g4f_emulator`` is a real server on
loopback.  Both fixtures come with the package's pytest plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..providers.scripted import Echo, Scripted, ScriptedCall
    from .played_service import Reply
    from .provider_check import check_provider

__all__ = ["Echo", "Reply", "Scripted", "ScriptedCall", "check_provider"]


def __getattr__(name: str) -> Any:
    # pytest imports this package in every test run, for its plugin, so the rest is loaded when it is used.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "check_provider":
        from .provider_check import check_provider

        return check_provider
    if name == "Reply":
        from .played_service import Reply

        return Reply
    from ..providers import scripted

    return getattr(scripted, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
