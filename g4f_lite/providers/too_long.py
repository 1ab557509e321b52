"""A prompt that is too long for the model, told from other errors by what services say of it."""

from __future__ import annotations

import re

from ..errors import ContextLengthExceededError

# Patterns are compiled by re at their first use: a failure needs them, an import does not.
_CODES = r"context_length_exceeded|exceed_context_size|request_too_large|tokens_limit_reached"
# Also where the tokens of one prompt are more than a minute's limit, so that no wait helps.
_WORDS = (
    r"(?i)maximum (?:context|prompt) length|longer than the (?:model's|maximum model)"
    r"|(?:input|message|prompt|request) (?:is )?too (?:large|long)|input \(\d+ tokens\) is too large"
    r"|exceed(?:s|ed)? (?:\S{1,20} ){0,3}context (?:length|limit|size|window)|requested tokens? exceed"
    r"|exceeds (?:the )?(?:max length|maximum number of tokens allowed)|tokens in the prompt cannot exceed"
    r"|reduce the length of the (?:input|messages|prompt)"
    r"|input tokens exceed the configured limit|prompt token count of \d+ exceeds"  # Azure, GitHub Copilot
    r"|max_tokens must be at least 1, got -"  # vLLM, which has no room left for an answer
    r"|context length of only|greater than the context length"  # LM Studio
    r"|`inputs` (?:must have less|tokens \+)"  # Hugging Face's TGI
    r"|context window exceeds limit|exceeded model token limit|range of input length"  # MiniMax, Moonshot, Alibaba
    r"|'(?:input|messages)(?:\[\d+\])?(?:\.content[^']{0,60})?': string too long"  # OpenAI, of a million characters
)
_OF_ANSWER = r"(?i)max_(?:completion_)?tokens['\"`]? is too large"  # vLLM, which names the context as well


def is_too_long(label: str, said: str, status: int | None) -> bool:
    """Return whether an error says that the prompt is too long, so that the same service never takes it.

    :param label: the error's codes, in lower case
    :param said: its words
    """
    if status == 413 or re.search(_CODES, label):
        return True
    return bool(re.search(_WORDS, said)) and not re.search(_OF_ANSWER, said)


def too_long(text: str, status: int | None) -> ContextLengthExceededError:
    """Make the error for a prompt that is too long.

    :param text: what the service says
    """
    advice = "shorten it, leave out earlier messages, or take a model with a larger context"
    message = f"the prompt is too long; {advice}; the service says: {text}"
    return ContextLengthExceededError(message, status=status, may_retry=False)
