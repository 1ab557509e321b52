"""The method ``batch`` of a client."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ..answers.short_traceback import with_short_errors
from ..arguments import check_whole_number
from ..providers.selection import ProviderLike
from .mapping import Prompts
from .routing import Router

if TYPE_CHECKING:
    from ..answers.answer import Answer
    from ..batch.hosted import HostedBatch

T = TypeVar("T")


class HostedPrompts:
    """What a client does with prompts that a service answers in its own time.

    :param router: finds the provider of a call
    """

    _router: Router

    @overload
    def batch(
        self,
        prompts: Prompts,
        *,
        path: str | os.PathLike[str],
        output: None = None,
        poll: float = 30.0,
        repairs: int = 1,
        model: str | None = None,
        provider: ProviderLike | None = None,
        **options: Any,
    ) -> HostedBatch[Answer]: ...

    @overload
    def batch(
        self,
        prompts: Prompts,
        *,
        path: str | os.PathLike[str],
        output: type[T],
        poll: float = 30.0,
        repairs: int = 1,
        model: str | None = None,
        provider: ProviderLike | None = None,
        **options: Any,
    ) -> HostedBatch[T]: ...

    @overload
    def batch(
        self,
        prompts: Prompts,
        *,
        path: str | os.PathLike[str],
        output: Any,
        poll: float = 30.0,
        repairs: int = 1,
        model: str | None = None,
        provider: ProviderLike | None = None,
        **options: Any,
    ) -> HostedBatch[Any]: ...

    @with_short_errors
    def batch(
        self,
        prompts: Prompts,
        *,
        path: str | os.PathLike[str],
        output: Any = None,
        poll: float = 30.0,
        repairs: int = 1,
        model: str | None = None,
        provider: ProviderLike | None = None,
        **options: Any,
    ) -> HostedBatch[Any]:
        """Let a service with OpenAI's Batch API answer prompts within a day, for half the price.

        ::

            for result in client.batch(prompts, path="run.json", model="gpt-4o-mini"):
                print(result.error or result.text)

        Nothing is sent before ``submit()``, ``done``, or the first result that is read, which waits for the end of the
        batch.  If the program ends meanwhile, the same call goes on from the file.

        :param prompts: as for :meth:`map`
        :param path: the file that keeps how far the batch is; the answers are in ``<path>.store``
        :param output: the type of the results' ``output``
        :param poll: seconds between two questions how far the batch is
        :param repairs: as for :meth:`map`, for prompts that ``retry_failed()`` sends again
        :param model: the model, which must be named here, in the prompts or in the client
        :param provider: the provider, instead of the client's
        :param options: the other arguments of :meth:`ask`, such as ``system``; ``timeout`` limits each request
        :raises TypeError: if a prompt or an option cannot be sent, or the provider has no Batch API
        :raises ValueError: if the file belongs to other prompts, or no model is named
        :raises StoreError: if the file cannot be used
        """
        from ..batch.map import host_prompts
        from .hosted_calls import HostedCalls

        check_whole_number(repairs, "repairs", least=0)
        calls = HostedCalls(self._router, provider, output=output, repairs=repairs)
        given = {"model": model, **options}
        defaults = {name: value for name, value in given.items() if value is not None}
        return host_prompts(prompts, calls, defaults, path=path, poll=poll, pace=self._router.pace)
