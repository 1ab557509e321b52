"""What says failure, in whatever place and form, is never an answer; the text that came is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from g4f_lite import (
    AuthenticationError,
    G4FLiteError,
    ModelNotSupportedError,
    OpenAICompatible,
    QuotaExceededError,
    RateLimitError,
    ResponseFormatError,
    ResponseStatusError,
    RetryPolicy,
    ServiceError,
)
from g4f_lite.http.retry import may_pass
from g4f_lite.providers.failure_words import is_of_one_prompt

from .conftest import Ask, Provide
from .openai_answers import STOP, completion, data, piece, refused, streamed, whole
from .raw_server import RawServer, every, head, length

PART = piece({"content": "Once upon"})
USAGE = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}
FAIL = {"code": 502, "message": "Provider disconnected"}
NAMED_ERROR = b"event: error\n"
COMPUTE = b'error: {"code":500,"message":"Compute error.","type":"server_error"}\n\n'
PRETTY = json.dumps({"error": {"message": "Compute error."}}, indent=2).encode() + b"\n\n"

# What comes after "Once upon", and words of the error.
AFTER_TEXT = {
    "an error line": (COMPUTE, "Compute error"),
    "an error line without a blank before it": (data(piece({"content": ""})).rstrip() + b"\n" + COMPUTE, "Compute"),
    "a line of JSON": (b'{"error":{"message":"Compute error."}}\n\n', "Compute error"),
    "lines of JSON, and no end": (PRETTY, "Compute error"),
    "a detail, and no end": (data({"detail": "no memory left"}), "no memory left"),
    "a message, and no end": (data({"message": "no memory left"}), "no memory left"),
    "words, and no end": (b"upstream connect error\n\n", "upstream connect error"),
    "an event named error": (NAMED_ERROR + b'data: {"message": "no memory"}\n\n', "no memory"),
    "an event named error, plain text": (NAMED_ERROR + b"data: no memory left\n\n", "no memory left"),
    "an event named error, nothing in it": (NAMED_ERROR + b"data: {}\n\n", "ended the answer with an error"),
    "an event named error, null": (NAMED_ERROR + b"data: null\n\n", "ended the answer with an error: null"),
    "an event named error, the end": (NAMED_ERROR + b"data: [DONE]\n\n", "ended the answer with an error"),
    "a mark in the place of data": (b"data: [ERROR]\n\n", "ended the answer with an error: [ERROR]"),
    "an event as Anthropic's": (
        NAMED_ERROR + data({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        "Overloaded",
    ),
    "plain text in an event": (b"data: [ERROR] upstream died\n\n", "upstream died"),
    "an error object": (data({"error": FAIL}), "Provider disconnected"),
    "an error text": (data({"error": "out of memory"}), "out of memory"),
    "a list with an error": (data(b'data: [{"error": {"message": "no memory"}}]\n\n'), "no memory"),
    "several errors": (data({"errors": [{"message": "one"}, {"message": "two"}]}), "one; two"),
    "an error beside choices": (data({"error": FAIL, **piece({"content": ""}, "error")}), "Provider disconnected"),
    "an error in a choice": (data(piece({"content": ""}, "error", error=FAIL)), "Provider disconnected"),
    "an error in a choice, and another reason": (data(piece({}, "stop", error=FAIL)), "Provider disconnected"),
    "an error in a delta": (data(piece({"error": FAIL})), "Provider disconnected"),
    "a finish reason": (data(piece({"content": ""}, "error")), "finish_reason 'error'"),
    "a finish reason of Zhipu's": (data(piece({}, "network_error")), "network_error"),
    "a finish reason of DeepSeek's": (data(piece({}, "insufficient_system_resource")), "insufficient_system"),
    "a finish reason of SGLang's": (data(piece({}, "abort")), "abort"),
    "a finish reason of Gemini's": (
        data(piece({}, "error", native_finish_reason="MALFORMED_FUNCTION_CALL")),
        "MALFORMED_FUNCTION_CALL",
    ),
    "the object of vLLM's": (data({"object": "error", "message": "engine died", "code": 500}), "engine died"),
    "a type": (data({"type": "error", "code": "400", "message": "not found"}), "not found"),
    "a code of DashScope's": (data({"code": "InvalidParameter", "message": "bad url", "request_id": "1"}), "bad url"),
    "a status of MiniMax's": (
        data({"choices": None, "base_resp": {"status_code": 1004, "status_msg": "login fail"}}),
        "login fail",
    ),
    "a status of MiniMax's beside choices": (
        data({**piece({"content": ""}), "base_resp": {"status_code": 1013, "status_msg": "unknown error"}}, STOP),
        "unknown error",
    ),
    "a status of MiniMax's beside the end": (
        data({**STOP, "base_resp": {"status_code": 1013, "status_msg": "unknown error"}}),
        "unknown error",
    ),
    "a success that is none beside choices": (data({**STOP, "success": False, "code": 500}), "500"),
    "a status beside choices": (data({**STOP, "status": "error", "message": "backend down"}), "backend down"),
    "a success that is none": (data({"success": False, "message": "no more"}), "no more"),
    "an error of Groq's": (data({**piece({}), "x_groq": {"id": "r", "error": "over capacity"}}), "over capacity"),
    "an error behind the finish reason": (data(STOP, {"error": FAIL}), "Provider disconnected"),
}


@pytest.mark.parametrize("form", AFTER_TEXT)
def test_a_failure_after_text_keeps_it(form: str, provide: Provide) -> None:
    events, words = AFTER_TEXT[form]
    end = b"" if "no end" in form else b"data: [DONE]\n\n"
    with RawServer(every(streamed(PART, events, end=end))) as server:
        with pytest.raises(ServiceError, match=words.replace("[", r"\[")) as caught:
            provide(server, retry=RetryPolicy(backoff=0)).create(messages="hi")
        assert caught.value.partial == "Once upon"
        assert caught.value.step == "stream"
        assert caught.value.body
        assert len(server.requests) == 1, "sent again after the first delta"


WHOLE = {
    "an error object": ({"error": FAIL}, "Provider disconnected"),
    "an error text": ({"error": "Unexpected server state"}, "Unexpected server state"),
    "an error that is true": ({"error": True, "message": "no memory"}, "no memory"),
    "a label, and the words beside it": ({"error": "Bad Request", "message": "too many images"}, "too many images"),
    "a list": ([{"error": {"message": "no memory"}}], "no memory"),
    "errors of Cloudflare's": ({"success": False, "errors": [{"code": 7000, "message": "No route"}]}, "No route"),
    "a detail": ({"detail": "the model is asleep"}, "asleep"),
    "a detail of FastAPI's": ({"detail": [{"loc": ["body", "x"], "msg": "bad field"}]}, "body.x: bad field"),
    "a message alone": ({"message": "no memory"}, "no memory"),
    "a code of Baidu's": ({"error_code": 17, "error_msg": "daily calls used"}, "daily calls used"),
    "a status of MiniMax's": ({"base_resp": {"status_code": 1004, "status_msg": "login fail"}}, "login fail"),
    "an error in a choice": (completion({"content": ""}, "error", error=FAIL), "Provider disconnected"),
    "an error in a message": (completion({"content": None, "error": FAIL}), "Provider disconnected"),
    "an error beside choices": ({**completion({"content": ""}), "error": FAIL}, "Provider disconnected"),
    "a finish reason": (completion({"content": "Once"}, "error"), "finish_reason 'error'"),
}


WITH_TEXT: list[dict[str, Any]] = [
    {"base_resp": {"status_code": 1013, "status_msg": "Server busy"}},
    {"success": False, "code": 500},
    {"ok": False},
    {"status": "error"},
    {"type": "error"},
    {"error": "Server busy"},
    {"errors": ["Server busy"]},
    {"x_groq": {"error": "Server busy"}},
]


@pytest.mark.parametrize("beside", WITH_TEXT, ids=json.dumps)
def test_a_failure_is_no_answer_even_if_its_words_are_in_a_choice(
    beside: dict[str, Any], provide: Provide, ask: Ask
) -> None:
    busy = {"content": "Server busy"}
    late = streamed(piece({"content": "Once"}), {**piece(busy), **beside}, STOP)
    for answer, partial in (
        (whole({**completion(busy), **beside}), "Server busy"),
        (late, "OnceServer busy"),
    ):
        with RawServer(every(answer)) as server, pytest.raises(ServiceError) as caught:
            ask(provide(server))
        assert caught.value.partial == partial


@pytest.mark.parametrize("form", WHOLE)
def test_a_failure_in_a_whole_answer(form: str, provide: Provide, ask: Ask) -> None:
    answer, words = WHOLE[form]
    with RawServer(every(whole(answer))) as server, pytest.raises(ServiceError, match=words) as caught:
        ask(provide(server))
    assert caught.value.partial == ("Once" if form == "a finish reason" else "")


NO_FAILURE = [
    {"error": None},
    {"error": ""},
    {"error": {}},
    {"error": {"message": "", "code": 0}},
    {"errors": []},
    {"code": 0, "message": "ok"},
    {"code": 200, "msg": "success"},
    {"base_resp": {"status_code": 0, "status_msg": ""}},
    {"type": "status", "message": "searching the web"},
    {"success": True, "message": "thinking"},
]


@pytest.mark.parametrize("field", NO_FAILURE, ids=json.dumps)
def test_a_field_that_says_no_failure_is_none(field: dict[str, Any], provide: Provide) -> None:
    events = [field, {**piece({"content": "Hello"}), **field}, {**STOP, **field}]
    with RawServer(every(streamed(*events))) as server:
        assert provide(server).create(messages="hi") == "Hello"


@pytest.mark.parametrize("word", ["stop", "length", "tool_calls", "content_filter", "eos", "end_turn", "sensitive"])
def test_a_finish_reason_that_says_no_failure_is_kept(word: str, provide: Provide) -> None:
    with RawServer(every(streamed(piece({"content": "Hello"}), piece({}, word)))) as server:
        assert provide(server).create(messages="hi").finish_reason == word


RAW = json.dumps({"error": {"message": "Model supports at most 1 image per prompt."}})
REASONS = {
    "OpenRouter's raw JSON": (
        {"message": "Provider returned error", "code": 400, "metadata": {"raw": RAW, "provider_name": "Crucible"}},
        "Crucible: Model supports at most 1 image per prompt. (Provider returned error)",
    ),
    "OpenRouter's raw text": (
        {"message": "Provider returned error", "metadata": {"raw": "out of capacity"}},
        "out of capacity (Provider returned error)",
    ),
    "OpenRouter's raw object": (
        {"message": "Provider returned error", "metadata": {"raw": {"detail": "bad image"}}},
        "bad image (Provider returned error)",
    ),
    "OpenRouter's moderation": (
        {"message": "Input was flagged", "metadata": {"reasons": ["violence"], "provider_name": "OpenAI"}},
        "OpenAI: violence (Input was flagged)",
    ),
    "Groq's": (
        {"message": "Failed to call a function.", "failed_generation": "<function=weather>{}</function>"},
        "Failed to call a function. The model wrote: <function=weather>{}</function>",
    ),
    "JSON in the message": ({"message": RAW}, "Model supports at most 1 image per prompt."),
    "a message that is an object": (
        {"message": {"detail": [{"loc": ["body", "top_p"], "msg": "must be below 1"}]}},
        "body.top_p: must be below 1",
    ),
    "half a character": ({"message": "no \ud83d"}, "no \ufffd"),
}


@pytest.mark.parametrize("form", REASONS)
def test_an_error_says_the_real_reason_and_has_all_that_came(form: str, provide: Provide) -> None:
    error, words = REASONS[form]
    answer = refused(error, "400 Bad Request", "X-Request-Id: req-7")
    with RawServer(every(answer)) as server, pytest.raises(ServiceError) as caught:
        provide(server).create(messages="hi")
    assert caught.value.message == words
    assert json.loads(caught.value.body) == {"error": error}
    assert caught.value.request_id == "req-7"


@pytest.mark.parametrize("name", ["x-request-id", "request-id", "apim-request-id", "x-ms-request-id"])
def test_the_requests_id_is_in_an_error_inside_an_answer_too(name: str, provide: Provide) -> None:
    answer = head(f"{name}: req-7", "Connection: close") + data(PART, {"error": FAIL})
    with RawServer(every(answer)) as server, pytest.raises(ServiceError) as caught:
        provide(server).create(messages="hi")
    assert caught.value.request_id == "req-7"


def test_no_body_of_an_error_shows_the_key() -> None:
    def echo(connection: Any) -> None:
        request = connection.request()
        connection.send(refused({"message": f"no: {request.headers['authorization']}"}))

    with RawServer(echo) as server, pytest.raises(ServiceError) as caught:
        OpenAICompatible(server.url, model="m", api_key="canary-1234567890").create(messages="hi")
    assert "canary" not in f"{caught.value} {vars(caught.value)}"


KINDS: dict[str, tuple[Any, type[G4FLiteError]]] = {
    "a limit": ({"message": "slow down", "code": 429}, RateLimitError),
    "a limit as a text": ({"message": "slow down", "code": "429"}, RateLimitError),
    "a limit of Google's": ({"message": "slow down", "status": "RESOURCE_EXHAUSTED"}, RateLimitError),
    "a used-up account": ({"message": "pay", "code": "insufficient_quota"}, QuotaExceededError),
    "a key of Google's": ({"message": "API key not valid.", "status": "INVALID_ARGUMENT"}, AuthenticationError),
    "a key": ({"message": "no", "status": "UNAUTHENTICATED"}, AuthenticationError),
    "a model": ({"message": "no", "code": "model_not_found"}, ModelNotSupportedError),
    "a server's trouble": ({"message": "oops", "code": 503}, ServiceError),
}


@pytest.mark.product
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("write", [whole, streamed])
def test_the_kind_of_an_error_inside_an_answer(kind: str, write: Any, provide: Provide) -> None:
    error, expected = KINDS[kind]
    with RawServer(every(write({"error": error}))) as server, pytest.raises(G4FLiteError) as caught:
        provide(server).create(messages="hi")
    assert type(caught.value) is expected


@pytest.mark.parametrize("text", ["disk full", "null", "data: nothing here\n\n", "[]", "{}"])
def test_an_answer_of_which_nothing_can_be_read_is_a_format_error(text: str, provide: Provide) -> None:
    with RawServer(every(length(text.encode()))) as server, pytest.raises(ResponseFormatError) as caught:
        provide(server).create(messages="hi")
    assert text.removeprefix("data: ").strip() in str(caught.value)


TOLD_AT_THE_END = [
    {"detail": "CUDA out of memory"},
    {"message": "Internal server error"},
    {"msg": "Internal server error"},
    {"exception": "boom"},
    {"reason": "Internal server error"},
    {"type": "response.failed", "response": {}},
    {"type": "abort", "message": "boom"},
    {"event": "error", "data": "boom"},
    {"status": "FAILED"},
    {"failed": True},
]


@pytest.mark.parametrize("told", TOLD_AT_THE_END, ids=str)
def test_words_at_the_end_of_an_answer_without_a_finish_reason_are_why_it_was_cut(told: Any, provide: Provide) -> None:
    """[DONE] alone says that the stream is over, and some write it behind a failure as well."""
    for events in ((PART, told), (PART, told, USAGE)):
        with RawServer(every(streamed(*events))) as server, pytest.raises(ServiceError) as caught:
            provide(server).create(messages="hi")
        assert caught.value.partial == "Once upon"


@pytest.mark.parametrize(
    "told", [{"message": "success"}, {"status": "done"}, {"type": "search", "results": []}, {"reason": "stop"}], ids=str
)
def test_what_says_nothing_bad_at_the_end_of_an_answer_is_no_failure(told: Any, provide: Provide) -> None:
    with RawServer(every(streamed(PART, told))) as server:
        assert provide(server).create(messages="hi") == "Once upon"


def test_words_behind_a_finish_reason_and_before_a_piece_are_no_failure(provide: Provide) -> None:
    told = {"type": "status", "message": "Searching the web"}
    for events in ((told, PART), (PART, STOP, told)):
        with RawServer(every(streamed(*events))) as server:
            assert provide(server).create(messages="hi") == "Once upon"


@pytest.mark.parametrize("url", ["/files/x.png", "blob:abc", "iVBORw0KGgo="])
def test_an_image_that_could_not_be_fetched_is_no_hole_in_an_answer(url: str, provide: Provide) -> None:
    image = piece({"images": [{"image_url": {"url": url}}]})
    with (
        RawServer(every(streamed(PART, image, STOP))) as server,
        pytest.raises(ResponseFormatError, match="an image is not what the protocol says") as caught,
    ):
        provide(server).create(messages="hi")
    assert caught.value.partial == "Once upon"


def test_a_page_of_a_gateway_in_the_middle_is_no_end(provide: Provide) -> None:
    page = b"<html><head><title>502 Bad Gateway</title></head></html>\n"
    with RawServer(every(streamed(PART, page, end=b""))) as server, pytest.raises(ResponseFormatError) as caught:
        provide(server).create(messages="hi")
    assert "Bad Gateway" in str(caught.value)
    assert caught.value.partial == "Once upon"


def test_a_busy_server_in_the_body_of_a_status_is_a_status(provide: Provide) -> None:
    answer = refused({"type": "overloaded_error", "message": "Overloaded"}, "529 Overloaded")
    with RawServer(every(answer)) as server, pytest.raises(ResponseStatusError, match="529: Overloaded"):
        provide(server).create(messages="hi")


@pytest.mark.parametrize(
    "told",
    [
        "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
        "this model is missing data required for image input",
    ],
)
def test_a_model_that_sees_no_images_is_asked_once(told: str, provide: Provide) -> None:
    """llama.cpp and Ollama say so with status 500."""
    answer = refused({"message": told}, "500 Internal Server Error")
    with RawServer(every(*[answer] * 3)) as server, pytest.raises(ServiceError, match=told[:30]) as caught:
        provide(server, retry=RetryPolicy(backoff=0)).ask("hi")
    assert (may_pass(caught.value), len(server.requests)) == (False, 1)


@pytest.mark.parametrize("answer", [streamed({"error": FAIL}), whole({"error": FAIL})])
def test_a_failure_in_an_answer_is_not_sent_again_whatever_its_code(provide: Provide, answer: bytes) -> None:
    with RawServer(every(*[answer] * 3)) as server, pytest.raises(ServiceError) as caught:
        provide(server, retry=RetryPolicy(backoff=0)).ask("hi")
    assert (caught.value.status, len(server.requests)) == (502, 1)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"message": "The server had an error while processing your request", "type": "server_error"}, 500),
        ({"message": "Internal Server Error", "code": 500}, 500),
        ({"message": "Overloaded", "type": "overloaded_error"}, 529),
        ({"message": "Provider disconnected", "code": 502}, 502),
        ({"message": "no such option", "code": 400, "type": "server_error"}, None),
        ({"message": "no such option", "type": "invalid_request_error"}, None),
    ],
)
def test_a_service_that_failed_itself_is_told_from_one_that_refuses_a_prompt(
    provide: Provide, error: dict[str, Any], status: int | None
) -> None:
    """Also to a batch, which asks once more, and to a chain, which leaves such a member out."""
    with RawServer(every(streamed({"error": error}))) as server, pytest.raises(ServiceError) as caught:
        provide(server).ask("hi")
    assert caught.value.in_answer is (status is not None)
    assert is_of_one_prompt(caught.value) is (status is None)
    assert may_pass(caught.value) is (status is not None)
    if status is not None:
        assert caught.value.status == status


def test_a_web_page_may_be_that_of_another_address() -> None:
    page = length(b"<!doctype html><h1>Welcome", "Content-Type: text/html")
    with RawServer(every(page)) as server, pytest.raises(ResponseFormatError) as caught:
        OpenAICompatible(f"{server.url}/v1", model="m").ask("hi")
    assert str(caught.value).endswith(f"a web page: 'Welcome'; the address may be wrong, which is {server.url}/v1 here")
