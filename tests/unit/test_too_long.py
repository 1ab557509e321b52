"""A prompt that is too long for the model, as the services say it."""

from __future__ import annotations

import json
import pickle
from functools import partial
from typing import Any

import pytest
import responses

from g4f_lite import (
    AllProvidersFailedError,
    ContextLengthExceededError,
    Fallback,
    G4FLiteError,
    OpenAICompatible,
    RateLimitError,
    ServiceError,
    TransportError,
)
from g4f_lite.cli.failure import message_of, one_line
from g4f_lite.contrib.server.failures import api_error
from g4f_lite.providers.ai_chats.wire import error_of as error_of_ai_chats
from g4f_lite.providers.ai_engine.errors import error_of as error_of_ai_engine
from g4f_lite.providers.circuit_breaker import FAILURES_TO_OPEN
from g4f_lite.providers.openai.errors import error_of as error_of_openai
from g4f_lite.providers.too_long import is_too_long, too_long
from g4f_lite.testing import Scripted
from g4f_lite.typed.ways import is_refusal

URL = "http://127.0.0.1:9/v1"
CHAT = f"{URL}/chat/completions"
VLLM = (
    "This model's maximum context length is 2048 tokens. However, your request has 8 input tokens plus 2045 "
    "'max_tokens'. Please reduce one or the other."
)
MISTRAL = "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length"
LM_STUDIO = "The number of tokens to keep from the initial prompt is greater than the context length (n_keep: 5000)"
LOADED = "However, the model is loaded with context length of only 4096 tokens, which is not enough."
BEDROCK = "Input is too long for requested model."
FULL = "This model's maximum context length is 2048 tokens. However, you requested 2500 tokens (2000 in the messages)."
BY_THE_MINUTE = "Request too large for `m` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce"
SAID: dict[str, dict[str, Any]] = {
    "OpenAI": {"message": "Shorter, please.", "type": "invalid_request_error", "code": "context_length_exceeded"},
    "OpenAI, responses": {"message": "Your input exceeds the context window of this model. Please adjust your input."},
    "OpenAI, a million": {"message": "Invalid 'messages[0].content': string too long. Expected at most 1048576."},
    "OpenAI, a part": {"message": "Invalid 'messages[2].content[0].text': string too long. Expected at most 1048576."},
    "OpenAI, embeddings": {"message": "Invalid 'input[0]': string too long. Expected at most 1048576."},
    "llama.cpp": {"code": 400, "message": "no", "type": "exceed_context_size_error", "n_ctx": 4096},
    "llama.cpp, 2025": {"code": 500, "message": "the request exceeds the available context size. try increasing it"},
    "llama.cpp, embeddings": {"code": 500, "message": "input (600 tokens) is too large to process. increase the batch"},
    "llama-cpp-python": {"message": "Requested tokens (527) exceed context window of 512"},
    "vLLM": {"message": VLLM, "type": "BadRequestError", "code": 400},
    "vLLM, 2024": {"message": FULL, "type": "BadRequestError", "code": 400},
    "vLLM, decoder": {"message": "The decoder prompt (length 50) is longer than the maximum model length of 40."},
    "vLLM, no room": {"message": "max_tokens must be at least 1, got -186.", "type": "BadRequestError", "code": 400},
    "SGLang": {"message": "The input (5000 tokens) is longer than the model's context length (4096 tokens)."},
    "Anthropic": {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"},
    "Anthropic, answer": {"message": "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000"},
    "Anthropic, bytes": {"type": "request_too_large", "message": "Request exceeds the maximum size"},
    "Groq": {"message": "Please reduce the length of the messages or completion.", "type": "invalid_request_error"},
    "Groq, a minute": {"message": BY_THE_MINUTE, "type": "tokens", "code": "rate_limit_exceeded"},
    "Gemini": {"code": 400, "message": "The input token count (12) exceeds the maximum number of tokens allowed (10)."},
    "Ollama": {"message": "prompt too long; exceeded max context length by 12 tokens", "type": "api_error"},
    "Ollama, embeddings": {"message": "the input length exceeds the context length", "type": "api_error"},
    "Mistral": {"message": MISTRAL, "type": "invalid_request_error", "code": "3051"},
    "xAI": {"message": "This model's maximum prompt length is 131072 but the request contains 537812 tokens."},
    "OpenRouter": {"code": 400, "message": "This endpoint's maximum context length is 131072 tokens."},
    "LM Studio": {"message": LM_STUDIO},
    "LM Studio, loaded": {"message": LOADED},
    "GitHub": {"code": "tokens_limit_reached", "message": "Request body too large for m. Max size: 8000 tokens."},
    "GitHub Copilot": {"message": "prompt token count of 128001 exceeds the limit of 128000"},
    "Azure": {"message": "Input tokens exceed the configured limit of 272000 tokens."},
    "Bedrock": {"message": BEDROCK},
    "Cohere": {"message": "too many tokens: total number of tokens in the prompt cannot exceed 4081"},
    "TGI": {
        "message": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193.",
        "type": "validation",
    },
    "TGI, inputs": {"message": "Input validation error: `inputs` must have less than 1024 tokens. Given: 1500"},
    "MiniMax": {"message": "invalid params, context window exceeds limit (2013)"},
    "Moonshot": {"message": "Invalid request: Your request exceeded model token limit: 8192"},
    "Zhipu": {"code": "1261", "message": "Prompt exceeds max length"},
    "Alibaba": {"message": "Range of input length should be [1, 30720]"},
}


@pytest.mark.parametrize("error", SAID.values(), ids=SAID)
@pytest.mark.parametrize("streamed", [False, True], ids=["status", "event"])
@responses.activate
def test_a_prompt_that_is_too_long_is_told_from_other_errors(error: dict[str, Any], streamed: bool) -> None:
    """Instead of the answer, and as an event of a stream; it is sent once."""
    said = {"error": error}
    body, status = (f"data: {json.dumps(said)}\n\n", 200) if streamed else (json.dumps(said), 400)
    responses.post(CHAT, body, status=status)
    with pytest.raises(ServiceError) as caught:
        OpenAICompatible(URL, model="m").ask("Hello")
    assert type(pickle.loads(pickle.dumps(caught.value))) is type(caught.value) is ContextLengthExceededError
    advice = "shorten it, leave out earlier messages, or take a model with a larger context"
    assert caught.value.message == f"the prompt is too long; {advice}; the service says: {error['message']}"
    assert (caught.value.provider, caught.value.attempts) == ("OpenAICompatible", 1)


@pytest.mark.parametrize(
    ("label", "said", "status"),
    [
        ("", "'max_tokens' or 'max_completion_tokens' is too large: 9. This model's maximum context length is 8", 400),
        ("", "max_tokens is too large: 5000. This model supports at most 4096 completion tokens", 400),
        ("", "This request would exceed your organization's rate limit of 30,000 input tokens per minute", 429),
        ("rate_limit_exceeded", "Rate limit reached for `m` on tokens per minute: Limit 6000, Requested 2000", 429),
        ("", "Too many tokens, please wait before trying again.", 429),
        ("", "context deadline exceeded", 504),
        ("", "Invalid 'user': string too long. Expected a string with maximum length 64", 400),
        ("", "Invalid 'messages[1].tool_calls[0].id': string too long. Expected a string with maximum length 40", 400),
        ("", "Invalid 'messages[0].name': string too long. Expected a string with maximum length 64", 400),
        ("", "You exceeded your current quota, please check your plan", 429),
        ("", "an image is too large", 400),
    ],
)
def test_what_a_shorter_prompt_does_not_mend_is_another_error(label: str, said: str, status: int) -> None:
    assert not is_too_long(label, said, status)


@pytest.mark.parametrize(("letters", "kind"), [(8000, ContextLengthExceededError), (8192, ServiceError)])
@pytest.mark.parametrize("name", ["message", "code"])
def test_the_end_of_a_very_long_error_is_not_read(name: str, letters: int, kind: type[Exception]) -> None:
    said = {"message": "no", name: f"{'x' * letters} prompt too long, context_length_exceeded"}
    assert type(error_of_openai(said, 400, {})) is kind


def test_sites_say_it_too() -> None:
    for error_of in (partial(error_of_ai_engine, message="Hello"), error_of_ai_chats):
        error = error_of("OpenAI: Error: This model's maximum context length is 8192 tokens.", 500)
        assert (type(error), error.status) == (ContextLengthExceededError, 500)
        assert type(error_of("OpenAI: Error: out of luck", 500)) is ServiceError


def test_it_is_no_refusal_of_the_way_in_which_a_typed_answer_was_asked_for() -> None:
    text = "you requested 9000 tokens (8000 in the messages, 500 in the functions, 500 in the completion)"
    assert is_refusal(ServiceError(text, status=400), "tool")
    assert not is_refusal(ContextLengthExceededError(text, status=400), "tool")


TOO_LONG = ContextLengthExceededError("the prompt is too long")


def test_a_larger_model_takes_it_and_no_member_is_skipped_for_it() -> None:
    small, large = Scripted(*[TOO_LONG] * FAILURES_TO_OPEN, "short"), Scripted(*["long"] * FAILURES_TO_OPEN)
    chain = Fallback([small, large])
    assert [str(chain.ask("Hello")) for _ in range(FAILURES_TO_OPEN + 1)] == ["long"] * FAILURES_TO_OPEN + ["short"]


def test_the_command_names_its_option() -> None:
    told = one_line(message_of(too_long("no", 400)))
    shorter = "shorten it, leave out earlier messages, as `g4f-lite chat --max-characters N` does"
    assert told == f"the prompt is too long; {shorter}, or take a model with a larger context; the service says: no"


@pytest.mark.parametrize(
    "error",
    [
        TOO_LONG,
        AllProvidersFailedError("none answered", errors=[TOO_LONG, TOO_LONG]),
        AllProvidersFailedError("none answered", errors=[TransportError("down"), TOO_LONG, RateLimitError("busy")]),
    ],
)
def test_a_client_of_the_server_is_told_in_openais_words(error: G4FLiteError) -> None:
    made = api_error(error)
    assert (made.status, made.type, made.code) == (400, "invalid_request_error", "context_length_exceeded")
    assert made.message == str(error)
