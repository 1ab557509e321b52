"""A synchronous chat SDK on requests::

    import g4f_lite

    print(g4f_lite.ask("Why is the sky blue?"))
    g4f_lite.stream("Tell me a story").show()

Without configuration a small model on this machine answers.  See ``OpenAICompatible`` and the other
providers for larger models.
"""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from .answers.answer import Answer
    from .answers.deltas import (
        Attached,
        Delta,
        Finish,
        Identity,
        OtherChoice,
        Reasoning,
        Refusal,
        Revision,
        ToolCall,
        ToolCallDelta,
        Usage,
    )
    from .answers.images import ImageResponse
    from .answers.interruption import AnswerInterrupted, BatchInterrupted
    from .answers.json_text import NotJsonError
    from .answers.stream import AnswerStream
    from .batch.cost_limit import CostLimitError
    from .batch.hosted import HostedBatch
    from .batch.pace import Pace
    from .batch.result import Result
    from .batch.results import BatchResults
    from .client.client import Client, ask, stream
    from .client.legacy import ChatCompletion
    from .conversation import Conversation
    from .conversation.file import ConversationFileError
    from .errors import (
        AllProvidersFailedError,
        AuthenticationError,
        BatchStoppedError,
        ChallengeError,
        ContentFilterError,
        ContextLengthExceededError,
        ConversationChangedError,
        ConversationNotFoundError,
        DeadlineExceededError,
        EmptyResponseError,
        EngineError,
        G4FLiteError,
        HookError,
        MissingDependencyError,
        ModelNotSupportedError,
        OutputError,
        OutputTruncatedError,
        ProviderError,
        ProviderNotConfiguredError,
        ProviderNotFoundError,
        QuotaExceededError,
        RateLimitError,
        RefusalError,
        ResponseFormatError,
        ResponseStatusError,
        ServiceError,
        StoreError,
        StreamInterruptedError,
        ToolDenied,
        TransportError,
        TurnsExceededError,
    )
    from .http.body import Body
    from .prompt import Prompt
    from .providers.ai_chat_online import AiChatOnline
    from .providers.ai_chats.provider import AiChats
    from .providers.ai_engine.chatgpt4_online import Chatgpt4Online
    from .providers.ai_engine.provider import AiEngine
    from .providers.base import BaseProvider, Provider
    from .providers.fallback import Fallback
    from .providers.local.provider import Local
    from .providers.openai.provider import OpenAICompatible
    from .providers.secret import Secret
    from .providers.settings import Settings
    from .store.cache import Cache
    from .store.conversations import ConversationInfo, Conversations
    from .timeout import RetryPolicy, Timeout
    from .typed.stream import TypedStream
    from .typed.tools import Tool

__all__ = [
    "AiChatOnline",
    "AiChats",
    "AiEngine",
    "AllProvidersFailedError",
    "Answer",
    "AnswerInterrupted",
    "AnswerStream",
    "Attached",
    "AuthenticationError",
    "BaseProvider",
    "BatchInterrupted",
    "BatchResults",
    "BatchStoppedError",
    "Body",
    "Cache",
    "ChallengeError",
    "ChatCompletion",
    "Chatgpt4Online",
    "Client",
    "ContentFilterError",
    "ContextLengthExceededError",
    "Conversation",
    "ConversationChangedError",
    "ConversationFileError",
    "ConversationInfo",
    "ConversationNotFoundError",
    "Conversations",
    "CostLimitError",
    "DeadlineExceededError",
    "Delta",
    "EmptyResponseError",
    "EngineError",
    "Fallback",
    "Finish",
    "G4FLiteError",
    "HookError",
    "HostedBatch",
    "Identity",
    "ImageResponse",
    "Local",
    "MissingDependencyError",
    "ModelNotSupportedError",
    "NotJsonError",
    "OpenAICompatible",
    "OtherChoice",
    "OutputError",
    "OutputTruncatedError",
    "Pace",
    "Prompt",
    "Provider",
    "ProviderError",
    "ProviderNotConfiguredError",
    "ProviderNotFoundError",
    "QuotaExceededError",
    "RateLimitError",
    "Reasoning",
    "Refusal",
    "RefusalError",
    "ResponseFormatError",
    "ResponseStatusError",
    "Result",
    "RetryPolicy",
    "Revision",
    "Secret",
    "ServiceError",
    "Settings",
    "StoreError",
    "StreamInterruptedError",
    "Timeout",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolDenied",
    "TransportError",
    "TurnsExceededError",
    "TypedStream",
    "Usage",
    "ask",
    "stream",
]

# The module of each public name, imported when the name is first used.
_NAMES = {
    ".answers.answer": ("Answer",),
    ".answers.deltas": (
        "Attached",
        "Delta",
        "Finish",
        "Identity",
        "OtherChoice",
        "Reasoning",
        "Refusal",
        "Revision",
        "ToolCall",
        "ToolCallDelta",
        "Usage",
    ),
    ".answers.images": ("ImageResponse",),
    ".answers.interruption": ("AnswerInterrupted", "BatchInterrupted"),
    ".answers.json_text": ("NotJsonError",),
    ".answers.stream": ("AnswerStream",),
    ".batch.hosted": ("HostedBatch",),
    ".batch.cost_limit": ("CostLimitError",),
    ".batch.pace": ("Pace",),
    ".batch.result": ("Result",),
    ".batch.results": ("BatchResults",),
    ".client.client": ("Client", "ask", "stream"),
    ".client.legacy": ("ChatCompletion",),
    ".conversation": ("Conversation",),
    ".conversation.file": ("ConversationFileError",),
    ".errors": (
        "AllProvidersFailedError",
        "AuthenticationError",
        "BatchStoppedError",
        "ChallengeError",
        "ContentFilterError",
        "ContextLengthExceededError",
        "ConversationChangedError",
        "ConversationNotFoundError",
        "DeadlineExceededError",
        "EmptyResponseError",
        "EngineError",
        "G4FLiteError",
        "HookError",
        "MissingDependencyError",
        "ModelNotSupportedError",
        "OutputError",
        "OutputTruncatedError",
        "ProviderError",
        "ProviderNotConfiguredError",
        "ProviderNotFoundError",
        "QuotaExceededError",
        "RateLimitError",
        "RefusalError",
        "ResponseFormatError",
        "ResponseStatusError",
        "ServiceError",
        "StoreError",
        "StreamInterruptedError",
        "ToolDenied",
        "TransportError",
        "TurnsExceededError",
    ),
    ".http.body": ("Body",),
    ".prompt": ("Prompt",),
    ".providers.ai_chat_online": ("AiChatOnline",),
    ".providers.ai_chats.provider": ("AiChats",),
    ".providers.ai_engine.chatgpt4_online": ("Chatgpt4Online",),
    ".providers.ai_engine.provider": ("AiEngine",),
    ".providers.base": ("BaseProvider", "Provider"),
    ".providers.fallback": ("Fallback",),
    ".providers.local.provider": ("Local",),
    ".providers.openai.provider": ("OpenAICompatible",),
    ".providers.secret": ("Secret",),
    ".providers.settings": ("Settings",),
    ".store.cache": ("Cache",),
    ".store.conversations": ("ConversationInfo", "Conversations"),
    ".timeout": ("RetryPolicy", "Timeout"),
    ".typed.stream": ("TypedStream",),
    ".typed.tools": ("Tool",),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}

logging.getLogger(__name__).addHandler(logging.NullHandler())


if not TYPE_CHECKING:  # a type checker would take any name for one of this module's

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            return globals().setdefault(name, _version())
        if name not in _MODULES:
            from .arguments import missing_name

            raise missing_name(__name__, name)
        value = globals()[name] = getattr(import_module(_MODULES[name], __name__), name)
        return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # which takes as long as all the rest of an import

    try:
        return version("g4f-lite")
    except PackageNotFoundError as error:
        raise AttributeError("g4f_lite was not installed, so that its version is not known") from error


def load_ipython_extension(ipython: Any) -> None:
    """Add ``%%chat`` and ``%chat`` to IPython or a notebook, which calls this for ``%load_ext g4f_lite``."""
    from .contrib.jupyter import load

    load(ipython)


if os.environ.get("G4F_LITE_LOG"):
    from .http.log import log_to_stderr

    log_to_stderr(os.environ["G4F_LITE_LOG"])
