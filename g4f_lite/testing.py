"""For the tests of apps that use this library: answers without a service, and services without a network.

    def test_summary(g4f_scripted):
        g4f_scripted.answer("A short summary.", RateLimitError("slow down"))
        assert summarize("A long text.") == "A short summary."
        assert "A long text." in g4f_scripted.calls[0].prompt

``Scripted`` stands in for a provider inside the process.  The emulator behind ``g4f_emulator`` is
the other side of a real socket.  Both are fixtures of the pytest plugin that comes with the package.
"""

from .providers.scripted import Echo, Scripted, ScriptedCall

__all__ = ["Echo", "Scripted", "ScriptedCall"]
