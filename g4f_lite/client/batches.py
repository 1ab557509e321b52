"""What a client gives a batch: how to send a prompt, and what tells its provider from others."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..answers.answer import Answer
from ..answers.call_usage import CallUsage
from ..answers.deltas import Usage
from ..answers.short_traceback import with_short_errors
from ..answers.stream import AnswerStream
from ..batch.cost_limit import named
from ..batch.pace import prompt_tokens
from ..batch.tables import columns_of
from ..errors import MissingDependencyError, ModelNotSupportedError, OutputError
from ..prompt import Prompt
from ..providers.base import BaseProvider
from ..providers.identity import identity_of
from ..providers.selection import ProviderLike
from ..store.answers import Kept, mark_of
from .routing import Router
from .usage import KeptUsage, UncountedUsage

if TYPE_CHECKING:
    from ..providers.turns import Member
    from ..typed.ask import Question
    from ..typed.loop import ToolUse
    from ..typed.output import Output

_SHOWN = frozenset({"response_format", "tools", "functions"})  # options that a model is shown as tokens


class BatchCalls:
    """The calls of a batch; see :class:`g4f_lite.batch.task.Calls`.

    :param router: finds the provider of a call
    :param provider: the provider for prompts that name none; None for the client's
    :param output: the type of the answers, or their JSON schema; None for text
    :param repairs: how many times to ask again if an answer is not a value of the type
    :param use: the tools of the prompts, and how they are run
    """

    def __init__(
        self,
        router: Router,
        provider: ProviderLike | None = None,
        *,
        output: Any = None,
        repairs: int = 1,
        use: ToolUse | None = None,
    ) -> None:
        self._router = copy.copy(router)
        self._usage = router.usage  # of the client
        self._router.pace = None  # a batch waits before the call, whose time limits that does not use up
        self._provider = provider
        self._output = copy.deepcopy(output) if isinstance(output, dict) else output  # it may change before it is read
        self._repairs = repairs
        self._use = use
        self.stored_as = "" if output is None else json.dumps(self._kind.schema.json, sort_keys=True)

    def __getstate__(self) -> dict[str, Any]:
        router = copy.copy(self._router)
        router.cache = None  # a file of this machine, and of this process
        return {**vars(self), "_router": router}

    @property
    def columns(self) -> tuple[str, ...]:
        return columns_of(self._output)

    def for_workers(self) -> BatchCalls:
        made, made._router = copy.copy(self), copy.copy(self._router)
        made._router.usage = UncountedUsage()
        return made

    def keep_used(self) -> None:
        self._router.usage = KeptUsage(self._usage)

    def used(self) -> list[CallUsage]:
        usage = self._router.usage
        return usage.taken() if isinstance(usage, UncountedUsage) else []

    def count(self, used: list[CallUsage]) -> None:
        for call in used:
            self._router.usage.add(call)

    def check(self, prompt: Prompt, provider: Any = None) -> None:
        if self._output is None:
            self._router.answer(prompt, provider or self._provider, self._use)
        else:
            self._router.question(prompt, self._output, provider or self._provider, self._use)

    def scope(self, prompt: Prompt, provider: Any = None) -> tuple[str, str]:
        return _scope_of(*self._router.find(prompt.model, provider or self._provider))

    def first_scope(self, prompt: Prompt, provider: Any = None) -> tuple[tuple[str, str], str] | None:
        member, model = self._first_member(prompt, provider)
        return None if member is None else (_scope_of(member.provider, model), member.name)

    @with_short_errors
    def ask(self, prompt: Prompt, provider: Any, on_begin: Callable[[Callable[[], None]], None]) -> Kept:
        began_at = time.monotonic()
        if self._output is None:
            stream = self._router.answer(prompt, provider or self._provider, self._use)
            on_begin(stream.close)
            stream.text()
            kept = Kept.of(stream, time.monotonic() - began_at)
            return kept._replace(alone=self._alone(stream, prompt, provider))
        question = self._router.question(prompt, self._output, provider or self._provider, self._use)
        on_begin(question.close)
        question.ask(self._repairs)
        kept = Kept.of(question.stream, time.monotonic() - began_at)
        usage = question.usage  # of all answers
        others = [
            usage or delta if isinstance(delta, Usage) else delta for delta in kept.deltas if type(delta) is not str
        ]
        alone = self._alone(question.stream, prompt, provider) if question.attempts == 1 else None
        # Without the text before calls of tools.
        return kept._replace(deltas=[str(question.answer), *others], took=question.took, alone=alone)

    def _alone(self, stream: AnswerStream, prompt: Prompt, provider: Any) -> tuple[str, bytes] | None:
        """Return the own name of a chain's first member, and its mark, if it gave an answer as it does alone.

        What another member of the chain does not support, such as a schema, the chain asks for in another way.
        """
        first, model = self._first_member(prompt, provider)
        answered: Member | None = getattr(stream.source, "member", None)  # None for a cache, and for a loop of tools
        if first is None or answered is not first:
            return None
        known = self._router.find(prompt.model, provider or self._provider)[0].known_options
        sent = self.as_sent(prompt, provider)
        is_as_alone = known is None or sent.options.keys() <= known
        if not is_as_alone or sent != self.as_sent(prompt, first.provider):
            return None
        return first.provider.name, mark_of(identity_of(first.provider, model))

    def model(self, prompt: Prompt, provider: Any) -> str:
        found, model, _ = self._asked(prompt, provider)
        return found.get_model(model) or ""

    def asked_first(self, prompt: Prompt, provider: Any) -> str:
        return self._asked(prompt, provider)[2]

    def _asked(self, prompt: Prompt, provider: Any) -> tuple[BaseProvider, str | None, str]:
        """Return who is asked, or asked first of a chain, with the model, and with its name there; "" without one."""
        first, model = self._first_member(prompt, provider)
        if first is None:
            return self._router.find(prompt.model, provider or self._provider)[0], model, ""
        return first.provider, model, first.name

    def _first_member(self, prompt: Prompt, provider: Any) -> tuple[Member | None, str | None]:
        """Return the member that a chain asks first, None without a chain; and the model."""
        from ..providers.fallback import Fallback

        found, model = self._router.find(prompt.model, provider or self._provider)
        return found.first_member(model) if isinstance(found, Fallback) else None, model

    def tokens(self, prompt: Prompt, provider: Any) -> int:
        sent = self.as_sent(prompt, provider)
        shown = {name: value for name, value in sent.options.items() if name in _SHOWN}
        if self._output is not None and not self._router.find(prompt.model, provider or self._provider)[0].reads_schema:
            shown.pop("response_format", None)  # its schema is in the messages
        return prompt_tokens(sent, json.dumps([*shown.values()], ensure_ascii=False) if shown else "")

    def as_sent(self, prompt: Prompt, provider: Any) -> Prompt:
        """Return the prompt as it asks for the type of the answer; nothing is sent."""
        if self._output is None:
            return prompt
        asked: list[Prompt] = []

        def note(prompt: Prompt) -> AnswerStream:
            asked.append(prompt)
            return AnswerStream(lambda: iter(()), provider="")  # type: ignore[arg-type,return-value]  # never begun

        self._question(prompt, provider, note)
        return asked[0]

    def _question(self, prompt: Prompt, provider: Any, send: Callable[[Prompt], AnswerStream]) -> Question[Any]:
        from ..typed.ask import Question

        found, _ = self._router.find(prompt.model, provider or self._provider)
        return Question.of(prompt, self._output, found, send)

    def cost(self, prompt: Prompt, provider: Any, usage: Usage) -> float | None:
        from ..answers.cost import price_of

        found, _, _ = self._asked(prompt, provider)
        try:
            price = price_of(found.priced_at, self.model(prompt, provider), usage, "default")
        except MissingDependencyError:
            return None
        return None if price is None else float(price)

    def lacks_price(self, prompt: Prompt, provider: Any) -> str:
        from ..answers.cost import lacks_price

        found, model = self._router.find(prompt.model, provider or self._provider)
        for each in _members(found):
            with suppress(ModelNotSupportedError):  # which a chain does not ask
                asked = each.get_model(model) or ""
                if lacks_price(each.priced_at, asked):
                    return named(asked, each.name)
        return ""

    def spent(self) -> tuple[float, int]:
        try:
            return self._usage.known_cost, self._usage.unpriced
        except MissingDependencyError:
            return 0.0, self._usage.unpriced

    def output(self, answer: Answer) -> Any:
        if self._output is None:
            return answer
        kind = self._kind
        try:
            return kind.convert(answer)
        except ValueError as reason:
            text = f"the answer is not a valid {kind.name}: {reason}"
            error = OutputError(text, provider=answer.provider, step="stream", partial=str(answer))
            error.usage = answer.usage
            raise error from reason

    @property
    def _kind(self) -> Output[Any]:
        from ..typed.output import Output

        return Output.of(self._output)


def _members(provider: BaseProvider) -> Iterator[BaseProvider]:
    """Yield the members of a chain, and of chains in it; a provider that is none is the only one."""
    from ..providers.fallback import Fallback

    if not isinstance(provider, Fallback):
        yield provider
        return
    for each in provider.providers:
        yield from _members(each)


def _scope_of(provider: BaseProvider, model: str | None) -> tuple[str, str]:
    return identity_of(provider, model), identity_of(provider, model, with_keys=False)
