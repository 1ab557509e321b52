"""What a client gives a hosted batch: what is sent for a prompt, and how the line with its answer is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..answers.call_usage import CallUsage
from ..answers.price import ModelPrices, Price
from ..answers.stream import AnswerStream
from ..http.redact import scrub
from ..prompt import Prompt
from ..providers.openai.batches import BatchAPI
from ..providers.openai.options import EXTRAS
from ..providers.openai.provider import OpenAICompatible
from ..store.answers import Kept
from ..timeout import Timeout
from .batches import BatchCalls
from .options import divide


class HostedCalls(BatchCalls):
    """The calls of a hosted batch; see :class:`g4f_lite.batch.hosted.HostedCalls`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._apis: dict[int, BatchAPI] = {}

    def check(self, prompt: Prompt, provider: Any = None) -> None:
        self.request(prompt, provider)
        super().check(prompt, provider)

    def request(self, prompt: Prompt, provider: Any = None) -> tuple[BatchAPI, dict[str, Any]]:
        """Return the Batch API of a prompt's provider, and the JSON that is sent for the prompt.

        :raises TypeError: if the provider has no Batch API, or an option cannot be in a file
        :raises ValueError: if no model is named
        """
        found, asked = self._router.addressed(self.as_sent(prompt, provider), provider or self._provider)
        if not isinstance(found, OpenAICompatible):
            raise TypeError(f"{found.name} has no Batch API; use map, or a service such as OpenAI or Groq")
        for name in sorted(EXTRAS & asked.options.keys()):
            raise TypeError(f"{name} cannot be sent with a batch; create the provider with default_{name[6:]}=")
        supported, _ = divide(asked, found, drop=self._router.drop_unsupported)
        body = found.body(replace(supported, model=found.get_model(supported.model), stream=False))
        if not body["model"]:
            raise ValueError("a batch needs the name of a model: pass model=")
        body.pop("stream", None)
        return self._api(found, asked), body

    def read(
        self,
        prompt: Prompt,
        provider: Any,
        line: Mapping[str, Any],
        used: list[Any] | None = None,
        secrets: Iterable[str] = (),
    ) -> Kept:
        """Read the answer in a line of results.

        :param used: gets what it took, at the caller's price: the list does not have the half price of every service
        :param secrets: what was sent to get the line, and no error may show
        :raises G4FLiteError: if there is none
        """

        def send(prompt: Prompt) -> AnswerStream:
            found, asked = self._router.addressed(prompt, provider or self._provider)
            assert isinstance(found, OpenAICompatible)
            _, stages = divide(asked, found, drop=self._router.drop_unsupported)
            stream = AnswerStream(
                lambda: self._api(found, asked).answer(line),
                provider=found.name,
                model=asked.model,
                scrub=lambda error: scrub(error, [*found.secrets(), *secrets]),
            )
            for stage in stages:
                stream.through(stage)
            price = _price_of(found, found.get_model(asked.model))
            return stream if used is None else stream.when_ended(lambda ended: used.append(_used_by(ended, price)))

        if self._output is None:
            stream = send(prompt)
            stream.text()
        else:
            question = self._question(prompt, provider, send)
            question.checked(question.whole())
            stream = question.stream
        return Kept.of(stream)

    def _api(self, provider: OpenAICompatible, asked: Prompt) -> BatchAPI:
        """Return the Batch API of a provider, the same one each time.

        :raises TypeError: if a prompt has another proxy than the one before
        """
        if id(provider) not in self._apis:
            self._apis[id(provider)] = BatchAPI(provider, Timeout.of(asked.timeout, provider.timeout), asked.proxy)
        api = self._apis[id(provider)]
        if api.proxy != asked.proxy:
            raise TypeError("proxy= must be the same for all prompts of a batch, which are sent in one file")
        return api


def _price_of(provider: OpenAICompatible, model: str | None) -> Price | None:
    """Return the caller's price of a model; None if there is none."""
    price = provider.priced_at
    if isinstance(price, ModelPrices):
        return price.get(model or "")
    return price if isinstance(price, Price) else None


def _used_by(stream: AnswerStream, price: Price | None) -> CallUsage:
    """Return what an answer took that the service had given before."""
    (call,) = stream.took
    return call._replace(priced_at=price) if call.priced_at is None else call
