"""What a client gives a batch: how to send a prompt, and what tells its provider from others."""

from __future__ import annotations

from typing import Any

from ..answers.answer import Answer
from ..answers.stream import AnswerStream
from ..prompt import Prompt
from ..providers.identity import identity_of
from ..providers.selection import ProviderLike
from .routing import Router


class BatchCalls:
    """The calls of a batch; see :class:`g4f_lite.batch.task.Calls`.

    :param router: finds the provider of a call
    :param provider: the provider for prompts that name none; None for the client's
    :param fresh: whether the client's cache is not to be used
    """

    def __init__(self, router: Router, provider: ProviderLike | None = None, *, fresh: bool = False) -> None:
        self._router = router
        self._provider = provider
        self._fresh = fresh

    def answer(self, prompt: Prompt, provider: Any = None) -> AnswerStream:
        return self._router.answer(prompt, provider or self._provider, fresh=self._fresh)

    def scope(self, prompt: Prompt, provider: Any = None) -> str:
        return identity_of(*self._router.find(prompt.model, provider or self._provider))

    def output(self, answer: Answer) -> Any:
        return answer
