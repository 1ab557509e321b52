"""For the tests of apps that use this library: answers without a service, and services without a network.

::

    def test_summary(g4f_scripted):
        g4f_scripted.queue("A short summary.", RateLimitError("slow down"))
        assert summarize("A long text.") == "A short summary."
        assert "A long text." in g4f_scripted.calls[0].prompt

``Scripted`` stands in for a provider inside the process.  The emulator behind ``g4f_emulator`` is
the other side of a real socket.  Both are fixtures of the pytest plugin that comes with the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..providers.scripted import Echo, Scripted, ScriptedCall

__all__ = ["Echo", "Scripted", "ScriptedCall"]


def __getattr__(name: str) -> Any:
    # pytest imports this package for its plugin, in everybody's tests: what is used loads the rest.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ..providers import scripted

    return getattr(scripted, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
