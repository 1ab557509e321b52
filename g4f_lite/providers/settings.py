"""What any provider over HTTP can be told when it is made."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypedDict

import requests

from ..http.deadline import TimeoutLike
from ..http.retry import OnRetry, RetryLike

if TYPE_CHECKING:
    from typing_extensions import Unpack as Unpack


class Settings(TypedDict, total=False):
    """The settings that a subclass of Provider takes as ``**settings`` and passes on; they are explained there."""

    model: str | None
    proxy: str | None
    timeout: TimeoutLike
    retry: RetryLike
    session: requests.Session | None
    cookies: dict[str, str] | None
    headers: dict[str, str] | None
    verify: bool | str | None
    cert: str | tuple[str, str] | None
    pool_size: int
    on_retry: OnRetry | None


def full_signature(kind: type, base: type) -> inspect.Signature:
    """Give the signature of a class with the settings in the place of ``**settings``, for completion and ``help()``.

    :param base: the class that explains them
    """
    own = list(inspect.signature(kind.__init__).parameters.values())[1:]  # type: ignore[misc]
    settings: Any = inspect.signature(base).parameters
    if own and own[-1].kind is inspect.Parameter.VAR_KEYWORD:
        names = {parameter.name for parameter in own}
        own[-1:] = [settings[name] for name in Settings.__annotations__ if name not in names]
    return inspect.Signature(own)
