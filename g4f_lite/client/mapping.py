"""The method ``map`` of a client."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from ..answers.short_traceback import with_short_errors
from ..arguments import check_whole_number
from ..messages import Image, Message
from ..providers.selection import ProviderLike
from ..timeout import TimeoutLike
from .asking import tool_use
from .routing import Router

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ..answers.answer import Answer
    from ..batch.pace import Pace
    from ..batch.results import BatchResults
    from ..store.cache import Cache
    from ..typed.tools import OnTool, ToolLike

T = TypeVar("T")
Prompts = Iterable[str | Sequence[Message] | Mapping[str, Any]]


class ManyPrompts:
    """What a client does with many prompts.

    :param router: finds the provider of a call
    """

    _router: Router

    @overload
    def map(
        self,
        prompts: Prompts,
        *,
        output: None = None,
        repairs: int = 1,
        model: str | None = None,
        provider: ProviderLike | None = None,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int = 5,
        on_tool: OnTool | None = None,
        fresh: bool = False,
        workers: int | Literal["auto"] = "auto",
        executor: Executor | None = None,
        store: str | os.PathLike[str] | None = None,
        any_key: bool = False,
        rpm: float | None = None,
        tpm: float | None = None,
        on_error: Literal["return", "raise"] = "return",
        max_failures_in_a_row: int = 20,
        max_pause: float = 86_400.0,
        max_outage: float = 600.0,
        max_time: float | None = None,
        max_cost: float | None = None,
        progress: bool | None = None,
        **options: Any,
    ) -> BatchResults[Answer]: ...

    @overload
    def map(
        self,
        prompts: Prompts,
        *,
        output: type[T],
        repairs: int = 1,
        model: str | None = None,
        provider: ProviderLike | None = None,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int = 5,
        on_tool: OnTool | None = None,
        fresh: bool = False,
        workers: int | Literal["auto"] = "auto",
        executor: Executor | None = None,
        store: str | os.PathLike[str] | None = None,
        any_key: bool = False,
        rpm: float | None = None,
        tpm: float | None = None,
        on_error: Literal["return", "raise"] = "return",
        max_failures_in_a_row: int = 20,
        max_pause: float = 86_400.0,
        max_outage: float = 600.0,
        max_time: float | None = None,
        max_cost: float | None = None,
        progress: bool | None = None,
        **options: Any,
    ) -> BatchResults[T]: ...

    @overload
    def map(
        self,
        prompts: Prompts,
        *,
        output: Any,
        repairs: int = 1,
        model: str | None = None,
        provider: ProviderLike | None = None,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int = 5,
        on_tool: OnTool | None = None,
        fresh: bool = False,
        workers: int | Literal["auto"] = "auto",
        executor: Executor | None = None,
        store: str | os.PathLike[str] | None = None,
        any_key: bool = False,
        rpm: float | None = None,
        tpm: float | None = None,
        on_error: Literal["return", "raise"] = "return",
        max_failures_in_a_row: int = 20,
        max_pause: float = 86_400.0,
        max_outage: float = 600.0,
        max_time: float | None = None,
        max_cost: float | None = None,
        progress: bool | None = None,
        **options: Any,
    ) -> BatchResults[Any]: ...

    @with_short_errors
    def map(
        self,
        prompts: Prompts,
        *,
        output: Any = None,
        repairs: int = 1,
        model: str | None = None,
        provider: ProviderLike | None = None,
        system: str | None = None,
        images: Image | Iterable[Image] | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        response_format: Mapping[str, Any] | None = None,
        tools: Iterable[ToolLike] | None = None,
        max_turns: int = 5,
        on_tool: OnTool | None = None,
        fresh: bool = False,
        workers: int | Literal["auto"] = "auto",
        executor: Executor | None = None,
        store: str | os.PathLike[str] | None = None,
        any_key: bool = False,
        rpm: float | None = None,
        tpm: float | None = None,
        on_error: Literal["return", "raise"] = "return",
        max_failures_in_a_row: int = 20,
        max_pause: float = 86_400.0,
        max_outage: float = 600.0,
        max_time: float | None = None,
        max_cost: float | None = None,
        progress: bool | None = None,
        **options: Any,
    ) -> BatchResults[Any]:
        """Answer many prompts, several at a time, in order; nothing is sent before the results are read.

        ::

            for prompt, result in zip(prompts, client.map(prompts, store="answers.db")):
                print(prompt, result.error or result.text)

        The other parameters are those of :meth:`ask`.

        :param prompts: strings, lists of messages, or dicts of arguments with ``"prompt"`` or ``"messages"``: in a
            list, a pandas or polars Series, or an iterator, which is read as far ahead as is needed
        :param output: the type of the results' ``output``
        :param tools: functions that the model may call, as for ``ask``; they must be thread-safe, because several
            answers are in progress at once, each in a thread of its own
        :param fresh: whether to ask again for what is cached or stored, and replace it
        :param workers: how many calls are in progress at once; ``"auto"`` finds out how many the service takes
        :param executor: a ``concurrent.futures.Executor`` that makes the calls, such as one of Dask, and gets several
            prompts at once where answers are short; for its processes the provider is pickled without its key, which
            they take from their environment
        :param store: a file in which each answer is kept as it comes; the same batch later goes on from there.
            If it has answers, and none to a prompt of a list, or if another program asks the same prompts with it at
            once, that is a UserWarning, unless ``progress=False``
        :param any_key: whether answers in the store count that were asked with another API key, as after yours was
            replaced; else none does, as it may be the key of another account
        :param rpm: requests per minute; None without a limit
        :param tpm: tokens per minute, of prompts and answers; None without a limit
        :param on_error: ``"return"`` gives a failure as a result with ``.error``; ``"raise"`` raises it
        :param max_failures_in_a_row: how many failures, one after the other, stop the batch; of those that are of one
            prompt each, such as one that is too long, it is five times as many
        :param max_pause: the seconds for which the service may ask to wait; a longer wait stops the batch
        :param max_outage: the seconds for which the service may be out of reach, once it has answered, which answers in
            the store show too; a longer outage stops the batch
        :param max_time: the seconds, from when the results are read, after which the batch stops: nothing more is sent,
            and what is in progress is finished; None without a limit
        :param max_cost: the US dollars after which the batch stops in the same way: at most what was in progress costs
            more. Each price has to be known, of the extra ``prices`` or as ``price=`` says; None without a limit
        :param progress: whether to show progress; None shows it in a notebook, and in a terminal if tqdm is installed
        :raises TypeError: if ``prompts`` is one prompt or a DataFrame, or one of them is not a prompt
        :raises ValueError: if one of them is empty, or ``max_cost`` needs a price that is not known; where there are no
            prompts, there are no results
        :raises StoreError: if the store cannot be used
        """
        from ..batch.map import map_prompts
        from .batches import BatchCalls

        use = None if tools is None else tool_use(tools, max_turns, None, on_tool)
        given = {
            "model": model,
            "system": system,
            "images": images,
            "proxy": proxy,
            "timeout": timeout,
            "temperature": temperature,
            "max_tokens": max_tokens,
            "stop": stop,
            "response_format": response_format,
            "tools": None if use is None else use.toolbox.declared,
            "fresh": fresh,
            **options,
        }
        check_whole_number(repairs, "repairs", least=0)
        calls = BatchCalls(self._router, provider, output=output, repairs=repairs, use=use)
        return map_prompts(
            prompts,
            calls,
            # None is the same as no argument, but for retry=None: one attempt.
            {name: value for name, value in given.items() if value is not None or name == "retry"},
            workers=workers,
            executor=executor,
            store=store,
            any_key=any_key,
            rpm=rpm,
            tpm=tpm,
            on_error=on_error,
            max_failures_in_a_row=max_failures_in_a_row,
            max_pause=max_pause,
            max_outage=max_outage,
            max_time=max_time,
            max_cost=max_cost,
            progress=progress,
            fresh=fresh,
            pace=self._router.pace,
        )


def cache_of(cache: Any) -> Cache | None:
    """Return the cache for a ``cache=`` argument.

    :raises TypeError: if it is neither a bool, a path nor a Cache
    """
    from ..store.cache import Cache

    return Cache.of(cache)


def checked_pace(pace: Any) -> Pace:
    """Return a ``pace=`` argument.

    :raises TypeError: if it is not a Pace
    """
    from ..batch.pace import Pace

    if not isinstance(pace, Pace):
        raise TypeError(f"pace must be a Pace such as Pace(rpm=60), not {type(pace).__name__}")
    return pace
