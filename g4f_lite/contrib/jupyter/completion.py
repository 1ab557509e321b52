"""What a notebook completes in a line of ``%%chat`` or ``%chat``."""

from __future__ import annotations

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from ...errors import G4FLiteError
from ...providers.registry import is_provider_name, suggested_names
from .magics import COMMANDS, FORMS, OPTIONS, ChatMagics


class Completer:
    """Completes models, providers, variables, forms, types and commands.

    :param magics: whose conversation says which provider's models are meant
    """

    def __init__(self, magics: ChatMagics) -> None:
        self._magics = magics

    @context_matcher(identifier="g4f_lite")
    def complete(self, context: CompletionContext) -> SimpleMatcherResult:
        """Return what may stand where the cursor is, and nothing of what Python could go on with there."""
        before = context.text_until_cursor
        words = before.split()
        whole = words.pop() if words and not before[-1].isspace() else ""
        # IPython's token begins after a sign, such as "{", and ":" is one on some systems.
        begun = whole[: len(whole) - len(context.token)].lstrip("${")
        known = [word[len(begun) :] for word in self._known(words, whole.lstrip("${")) if word.startswith(begun)]
        fitting = [word for word in known if word.startswith(context.token)]
        fitting = fitting or [word for word in known if word.lower().startswith(context.token.lower())]
        return {"completions": [SimpleCompletion(text=word) for word in fitting], "suppress": True, "ordered": True}

    def _known(self, words: list[str], begun: str) -> list[str]:
        """Return the words that may follow those before the cursor.

        :param begun: the beginning of the next one
        """
        if not words or words[0] not in ("%chat", "%%chat"):
            return []
        last = words[-1]
        if words[0] == "%chat":
            return self._answerers(begun) if words[1:] == ["model"] else [*COMMANDS] if len(words) == 1 else []
        if last in ("-m", "--model"):
            return self._answerers(begun)
        if last in ("-f", "--format"):
            return [*FORMS]
        if last in ("-s", "--schema"):
            return sorted(self._magics.types())
        return [] if last in ("-o", "--output", "--image") else [*OPTIONS]

    def _answerers(self, begun: str) -> list[str]:
        name, colon, _ = begun.partition(":")
        variables = self._magics.variables()
        named = bool(colon) and (name in variables or is_provider_name(name))
        try:
            provider, _ = self._magics.talk.addressed(self._magics.answerer(name if named else ""))
            models = self._magics.talk.lists.of(provider)
        except (G4FLiteError, ValueError):
            models = []
        if named:
            return [f"{name}:{model}" for model in models]
        providers = sorted(suggested_names(), key=str.lower)
        return [*dict.fromkeys([*sorted(variables), *sorted(models), "Local", *providers])]
