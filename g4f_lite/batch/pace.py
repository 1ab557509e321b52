"""Requests and tokens per minute, counted in this process or, by ``limits``, in Redis for many processes."""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections.abc import Callable, Generator
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from ..answers.deltas import Delta, Usage
from ..answers.source import Stage
from ..answers.stream import AnswerStream
from ..arguments import safe_url
from ..errors import (
    DeadlineExceededError,
    G4FLiteError,
    MissingDependencyError,
    ProviderNotConfiguredError,
    StreamInterruptedError,
)
from ..http.forks import ForkSafeLock, lock_free_in_children
from ..http.redact import names_secret, password_in, scrub
from ..http.route import refuse_when_offline
from ..messages import text_of
from ..prompt import Prompt

logger = logging.getLogger(__name__)

# Of UTF-8, roughly: four letters of English, two of Russian, one and a third characters of Chinese.  The service's own
# count corrects it afterwards.
BYTES_PER_TOKEN = 4
_LOOK_SECONDS = 0.05  # how often a call that waits looks whether it was closed
_lock = lock_free_in_children()  # of making meters
_TOKEN_SECONDS = 10.0  # the tokens of so many seconds may be used at once
_MOST_OWED_SECONDS = (
    600.0  # that calls wait for the tokens of others: a caller may reserve, and a service report, any number
)
_EVENNESS = 0.95  # of the requests per minute, so that few go at once where seconds have to be whole


class Meter(Protocol):
    """Counts against the limits.

    :ivar most: the most tokens that a call may reserve
    """

    most: float

    def reserve(self, tokens: int, longest: float = math.inf) -> float:
        """Take a place for a request of so many tokens, and return the seconds to wait for it.

        :param longest: how many seconds the caller may wait; no place is taken where that is too short
        """

    def correct(self, tokens: int) -> None:
        """Count tokens that were used beyond those that were reserved; a negative number gives some back."""


class LocalMeter:
    """Counts in this process: requests evenly spread, and tokens by what is left of a bucket that fills up again.

    :param rpm: requests per minute; None without a limit
    :param tpm: tokens per minute; None without a limit
    :param clock: tells the time in seconds; a test gives its own
    """

    def __init__(
        self, rpm: float | None = None, tpm: float | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._lock = ForkSafeLock()
        self._gap = 60 / rpm if rpm else 0.0
        self._next = clock()  # when the next request may be sent
        self._refill = tpm / 60 if tpm else 0.0
        self._size = self._left = self._refill * _TOKEN_SECONDS
        self.most = self._refill * _MOST_OWED_SECONDS
        self._filled_at = clock()

    def reserve(self, tokens: int, longest: float = math.inf) -> float:
        with self._lock.held():
            now = self._clock()
            at = max(now, self._next) if self._gap else now
            if self._refill:
                self._fill(now)
                if self._left < 0:
                    at = max(at, now - self._left / self._refill)
            if at - now <= longest:
                self._next = at + self._gap
                self._left -= min(tokens, self.most)
            return at - now

    def correct(self, tokens: int) -> None:
        if self._refill:
            with self._lock.held():
                self._fill(self._clock())
                self._left = max(-self.most, min(self._size, self._left - tokens))

    def _fill(self, now: float) -> None:
        self._left = min(self._size, self._left + (now - self._filled_at) * self._refill)
        self._filled_at = now


def _is_url(text: str) -> bool:
    try:
        return "://" in text and bool(urlsplit(text).scheme)
    except ValueError:  # such as an IPv6 address without its second bracket
        return False


class SharedMeter:
    """Counts in a storage that many processes share, by the library ``limits``.

    :param rpm: requests per minute; None without a limit
    :param tpm: tokens per minute; None without a limit
    :param storage: the URL of the storage, such as ``redis://127.0.0.1:6379``
    :raises MissingDependencyError: if ``limits``, or the client of the storage, is not installed
    :raises ProviderNotConfiguredError: if the storage cannot be used, or ``G4F_LITE_OFFLINE=1`` forbids it
    """

    def __init__(self, rpm: float | None, tpm: float | None, storage: str) -> None:
        try:
            from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
            from limits.storage import storage_from_string
            from limits.strategies import SlidingWindowCounterRateLimiter
        except ModuleNotFoundError as error:
            message = f'a shared pace needs {error.name}: pip install "g4f-lite[batch]"'
            raise MissingDependencyError(message) from error
        self._place, self._secrets = safe_url(storage), secrets_of(storage)
        if urlsplit(storage).hostname:  # unlike memory:// and redis+unix:///path
            refuse_when_offline(storage)
        options: dict[str, Any] = {}
        if storage.startswith(("redis", "valkey")):  # other storages have other names for these
            options = {"socket_timeout": 5, "socket_connect_timeout": 5}
        try:
            self._limiter = SlidingWindowCounterRateLimiter(storage_from_string(storage, **options))
        except Exception as error:  # also of its client's own kinds, where that connects at once
            if "prerequisite" in str(error):
                message = f'the storage {self._place} needs a package: pip install "g4f-lite[batch]"'
                raise MissingDependencyError(message) from error
            scrub(error, self._secrets)
            reason = str(error).replace(storage, self._place)
            raise ProviderNotConfiguredError(f"the storage {self._place} cannot be used: {reason}") from None
        # 600 a minute is 10 a second, so that not all of a minute's are sent at once.
        self._requests = RateLimitItemPerSecond(*evenly(rpm), namespace="g4f_lite") if rpm else None
        self._tokens = RateLimitItemPerMinute(max(1, round(tpm)), namespace="g4f_lite") if tpm else None
        self.most = (tpm or 0.0) * _MOST_OWED_SECONDS / 60
        self._lock = ForkSafeLock()
        self._owed = 0  # tokens that did not fit into the minute, and are counted before the next request

    def reserve(self, tokens: int, longest: float = math.inf) -> float:
        """Take a place, and return 0; or take none, and return the seconds after which to try again, negated."""
        limiter = self._limiter
        try:
            if self._tokens:
                if self._owed:
                    self._count(0)
                if self._owed or not limiter.test(self._tokens, "tokens", cost=min(tokens, self._tokens.amount)):
                    return -self._wait_for(self._tokens, "tokens")
            if self._requests and not limiter.hit(self._requests, "requests"):
                return -self._wait_for(self._requests, "requests")
            self._count(int(min(tokens, self.most)))
        except Exception as error:
            raise self._failure(error) from error
        return 0.0

    def correct(self, tokens: int) -> None:
        try:
            self._count(tokens)
        except Exception as error:
            raise self._failure(error) from error

    def _count(self, tokens: int) -> None:
        """Count tokens, and those that are owed: ``limits`` counts none of a number that does not fit as a whole."""
        item = self._tokens
        if item is None:
            return
        with self._lock.held():
            owed, self._owed = max(0, self._owed + tokens), 0
        if not owed:
            return
        try:
            fitting = min(owed, self._limiter.get_window_stats(item, "tokens").remaining)
            if fitting > 0 and self._limiter.hit(item, "tokens", cost=fitting):
                owed -= fitting
        finally:
            with self._lock.held():
                self._owed = min(self._owed + owed, round(self.most))

    def _failure(self, error: Exception) -> ProviderNotConfiguredError:
        scrub(error, self._secrets)  # which a storage may send back
        return ProviderNotConfiguredError(f"the storage {self._place} of the pace failed: {error}")

    def _wait_for(self, item: Any, name: str) -> float:
        reset = self._limiter.get_window_stats(item, name).reset_time
        return min(1.0, max(_LOOK_SECONDS, reset - time.time()))


class Pace:
    """A pace for all calls of a client: requests and tokens per minute.

    ::

        Client("groq", pace=Pace(rpm=30, storage="redis://127.0.0.1:6379"))

    :param rpm: requests per minute, which are spread evenly; None without a limit
    :param tpm: tokens per minute, of prompts and answers; None without a limit
    :param storage: None counts in this process; the URL of a Redis server counts for all processes that name it; a
        pickle leaves its password out
    :raises TypeError: if an argument has the wrong type, or there is no limit
    :raises ValueError: if a limit is not above 0
    """

    def __init__(self, rpm: float | None = None, tpm: float | None = None, storage: str | None = None) -> None:
        for name, value in (("rpm", rpm), ("tpm", tpm)):
            check_rate(value, name)
        if rpm is None and tpm is None:
            raise TypeError("a Pace needs rpm=, tpm= or both")
        if storage is not None and not isinstance(storage, str):
            raise TypeError(f"storage must be a URL such as redis://127.0.0.1:6379, not {type(storage).__name__}")
        if storage is not None and not _is_url(storage):
            raise ValueError(f"storage must be a URL such as redis://127.0.0.1:6379, not {safe_url(storage)!r}")
        self.rpm, self.tpm = rpm, tpm
        self._storage = storage
        self._is_lost = False  # whether pickling left out the password of the storage
        self._meter: Meter | None = None

    @property
    def meter(self) -> Meter:
        """What counts.

        :raises ProviderNotConfiguredError: if the storage cannot be used
        """
        if self._is_lost:
            raise ProviderNotConfiguredError(
                f"the password of the storage {self._storage} was not pickled; create the Pace again"
            )
        with _lock:  # limits imports its parts when they are used, which only one thread may do
            if self._meter is None:
                shared = self._storage is not None
                self._meter = (
                    SharedMeter(self.rpm, self.tpm, self._storage or "") if shared else LocalMeter(self.rpm, self.tpm)
                )
            return self._meter

    def stage(self, stream: AnswerStream, prompt: Prompt, limit: float | None) -> Stage:
        """Return the stage that waits for a place before the prompt is sent, and counts the tokens afterwards.

        :param limit: the total time limit of the call, in seconds
        """

        def paced(deltas: Generator[Delta, None, None]) -> Generator[Delta, None, None]:
            reserved = tokens_of(prompt)
            wait_for_place(self.meter, reserved, lambda: stream.closed, limit=limit)
            try:
                if stream.closed:
                    raise StreamInterruptedError("the answer was closed before its prompt was sent")
                yield from deltas
            except G4FLiteError:
                count_tokens(self.meter, stream.usage, reserved, has_failed=not stream.begun)
                raise
            count_tokens(self.meter, stream.usage, reserved)

        return paced

    def __getstate__(self) -> dict[str, Any]:
        state = {**vars(self), "_meter": None}
        if self._storage is not None and secrets_of(self._storage):
            state.update(_storage=safe_url(self._storage), _is_lost=True)
        return state

    def __repr__(self) -> str:
        return f"Pace(rpm={self.rpm}, tpm={self.tpm})"


def wait_for_place(
    meter: Meter,
    tokens: int,
    is_closed: Callable[[], bool],
    sleep: Callable[[float], Any] = time.sleep,
    limit: float | None = None,
) -> None:
    """Wait until a request may be sent, or nobody wants it any more.

    :param is_closed: says that nobody does
    :param limit: the total time limit of the call, in seconds
    :raises DeadlineExceededError: at once, if there is no place within the limit; none is taken then
    """
    ends_at = math.inf if limit is None else time.monotonic() + limit
    while not is_closed():
        longest = ends_at - time.monotonic()
        wait = meter.reserve(tokens, longest)
        left = abs(wait)
        if left > longest:
            message = f"the pace has no place for the prompt within the total time limit of {limit:g} s"
            raise DeadlineExceededError(f"{message}; pass a longer timeout=, or send fewer at a time", limit="total")
        while left > 0 and not is_closed():
            sleep(min(left, _LOOK_SECONDS))
            left -= _LOOK_SECONDS
        if wait >= 0:  # a place was taken
            return


def count_tokens(meter: Meter, usage: Usage | None, reserved: int, *, has_failed: bool = False) -> None:
    """Count the tokens of a call at its end, which are not worth an answer if the storage fails.

    :param usage: what the call took; None if the service does not say so
    :param reserved: the tokens that were reserved for it
    :param has_failed: whether nothing of an answer came, so that it took none as far as is known
    """
    if usage is None and not has_failed:
        return
    try:
        meter.correct((0 if usage is None else usage.total_tokens) - int(min(reserved, meter.most)))
    except ProviderNotConfiguredError as error:
        logger.warning("the tokens of a call are not counted: %s", error)


def evenly(rpm: float) -> tuple[int, int]:
    """Return how many requests go in how many seconds, both of them whole numbers: the rate, or a little less."""
    rate = rpm / 60
    for seconds in itertools.count(math.ceil(1 / rate)):
        requests = math.floor(rate * seconds)
        if requests >= max(1, _EVENNESS * rate * seconds):
            return requests, seconds
    raise AssertionError("some number of seconds is long enough")


def tokens_of(prompt: Prompt) -> int:
    """Estimate the tokens of a prompt, and of its answer if ``max_tokens`` limits it."""
    return prompt_tokens(prompt) + (longest_answer(prompt) or 0)


def prompt_tokens(prompt: Prompt, beside: str = "") -> int:
    """Estimate the tokens of a prompt.

    :param beside: what the model is shown beside the messages
    """
    texts = (text_of(message.get("content")) for message in prompt.messages)
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in (*texts, beside))
    return size // BYTES_PER_TOKEN + 1


def longest_answer(prompt: Prompt) -> int | None:
    """Return the most tokens that an answer can have; None if nothing limits them."""
    limit = prompt.options.get("max_completion_tokens") or prompt.options.get("max_tokens")
    return limit if isinstance(limit, int) else None


def secrets_of(storage: str) -> list[str]:
    """List what is secret in the URL of a storage: its password, also in its query."""
    fields = parse_qsl(storage.partition("?")[2])
    return [*password_in(storage), *(value for name, value in fields if names_secret(name))]


def check_rate(value: Any, name: str) -> None:
    """Check a limit per minute.

    :raises TypeError: if it is not a number
    :raises ValueError: if it is not above 0
    """
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be above 0, not {value}")
