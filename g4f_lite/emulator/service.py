"""What every emulated service answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from .exchange import Exchange
from .record import ReceivedRequest
from .reply import Reply
from .settings import Settings

Step = Literal["bootstrap", "prompt", "image", "models", "embeddings", "files", "batches"]
FailureKind = Literal["error", "limit", "quota", "rejected"]


class Service(ABC):
    """Answer the requests of one service, and write its failures."""

    name: ClassVar[str]

    @abstractmethod
    def step(self, request: ReceivedRequest, settings: Settings) -> Step | None:
        """Tell which step of the protocol a request is; ``None`` if it is not this service's."""

    def owns(self, request: ReceivedRequest, settings: Settings) -> bool:
        """Return whether this service answers a path that no service knows."""
        return False

    @abstractmethod
    def reply(self, exchange: Exchange) -> Reply:
        """Answer a request."""

    @abstractmethod
    def failure(self, exchange: Exchange, kind: FailureKind, message: str | None, status: int | None) -> Reply:
        """Refuse with the service's own kind of error answer."""

    @abstractmethod
    def failure_event(self, exchange: Exchange, kind: FailureKind, message: str | None) -> bytes:
        """Return the line or event that reports a failure in a stream that has begun."""

    @abstractmethod
    def token_refused(self, exchange: Exchange) -> Reply:
        """Refuse the token, nonce, cookie or key."""

    @abstractmethod
    def wrong_types(self, exchange: Exchange) -> bytes:
        """Return a whole line or event of right syntax with values of wrong types."""
