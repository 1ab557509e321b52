"""A synchronous chat SDK on requests.

    import g4f_lite

    print(g4f_lite.ask("Why is the sky blue?"))
    g4f_lite.stream("Tell me a story").show()

Without any setting a small model inside this process answers.  See ``Local``,
``OpenAICompatible`` and the other providers for larger ones.
"""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .answer import Answer, AnswerStream
from .deltas import Finish, Identity, Reasoning, Refusal, Revision, ToolCall, ToolCallDelta, Usage
from .errors import (
    AllProvidersFailedError,
    AuthenticationError,
    ChallengeError,
    DeadlineExceededError,
    EmptyResponseError,
    G4FLiteError,
    MissingDependencyError,
    ModelNotSupportedError,
    ProviderError,
    ProviderNotConfiguredError,
    ProviderNotFoundError,
    QuotaExceededError,
    RateLimitError,
    ResponseFormatError,
    ResponseStatusError,
    ServiceError,
    StreamInterruptedError,
    TransportError,
)
from .images import ImageResponse

if TYPE_CHECKING:
    from .client import Client, ask, stream
    from .conversation import Conversation
    from .fallback import Fallback
    from .http.deadline import Timeout
    from .http.retry import RetryPolicy
    from .legacy import ChatCompletion
    from .providers.ai_chat_online import AiChatOnline
    from .providers.ai_chats import AiChats
    from .providers.ai_engine import AiEngine
    from .providers.base import BaseProvider, Provider
    from .providers.chatgpt4_online import Chatgpt4Online
    from .providers.local import Local
    from .providers.openai_compatible import OpenAICompatible

__all__ = [
    "AiChatOnline",
    "AiChats",
    "AiEngine",
    "AllProvidersFailedError",
    "Answer",
    "AnswerStream",
    "AuthenticationError",
    "BaseProvider",
    "ChallengeError",
    "ChatCompletion",
    "Chatgpt4Online",
    "Client",
    "Conversation",
    "DeadlineExceededError",
    "EmptyResponseError",
    "Fallback",
    "Finish",
    "G4FLiteError",
    "Identity",
    "ImageResponse",
    "Local",
    "MissingDependencyError",
    "ModelNotSupportedError",
    "OpenAICompatible",
    "Provider",
    "ProviderError",
    "ProviderNotConfiguredError",
    "ProviderNotFoundError",
    "QuotaExceededError",
    "RateLimitError",
    "Reasoning",
    "Refusal",
    "ResponseFormatError",
    "ResponseStatusError",
    "RetryPolicy",
    "Revision",
    "ServiceError",
    "StreamInterruptedError",
    "Timeout",
    "ToolCall",
    "ToolCallDelta",
    "TransportError",
    "Usage",
    "ask",
    "stream",
]

# Loaded at first use: an import of this package should cost little more than one of requests.
_LAZY = {
    "AiChatOnline": ".providers.ai_chat_online",
    "AiChats": ".providers.ai_chats",
    "AiEngine": ".providers.ai_engine",
    "BaseProvider": ".providers.base",
    "ChatCompletion": ".legacy",
    "Chatgpt4Online": ".providers.chatgpt4_online",
    "Client": ".client",
    "Conversation": ".conversation",
    "Fallback": ".fallback",
    "Local": ".providers.local",
    "OpenAICompatible": ".providers.openai_compatible",
    "Provider": ".providers.base",
    "RetryPolicy": ".http.retry",
    "Timeout": ".http.deadline",
    "ask": ".client",
    "stream": ".client",
}

_OF_G4F = ("AsyncClient", "RetryProvider", "debug", "get_model_and_provider", "models")

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        hint = "; docs/from-g4f.md says what there is instead" if name in _OF_G4F else ""
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
    value = globals()[name] = getattr(import_module(_LAZY[name], __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if os.environ.get("G4F_LITE_LOG"):
    from .log import log_to_stderr

    log_to_stderr(os.environ["G4F_LITE_LOG"])
