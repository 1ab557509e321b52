"""A text of a server's, however made, costs time in proportion to its length, and never a strange exception."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from g4f_lite import QuotaExceededError, RateLimitError, ServiceError
from g4f_lite.arguments import hide_keys
from g4f_lite.cli.failure import one_line
from g4f_lite.client.text_limits import approximate_tokens
from g4f_lite.http.checks import ERROR_BODY_BYTES, rate_limit_error, shorten
from g4f_lite.http.pages import visible, without_title
from g4f_lite.http.parsing import parse_json
from g4f_lite.http.redact import redact
from g4f_lite.http.waits import parse_retry_after
from g4f_lite.providers.ai_engine import errors as ai_engine_errors
from g4f_lite.providers.ai_engine.images import without_images
from g4f_lite.providers.ai_engine.nonce import nonce_in_page
from g4f_lite.providers.openai.listing import advice
from g4f_lite.providers.openai.presets import PRESETS

LIMIT = 1.0  # seconds of this thread's own; what is in proportion takes a hundredth
BODY = ERROR_BODY_BYTES
EVENT = 1 << 20
MESSAGE = 1 << 18  # of which each byte takes its time; what is in proportion to its square takes some seconds


def _seconds(function: Callable[[str], Any], text: str) -> float:
    began = time.thread_time()
    function(text)
    return time.thread_time() - began


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("function", "unit", "length"),
    [
        (lambda text: rate_limit_error(text, ""), "reached the ", BODY),
        (lambda text: rate_limit_error(text, ""), "reached your " + "w " * 20, BODY),
        (visible, "<", BODY),
        (visible, "<script ", BODY),
        (visible, "<script></script ", BODY),
        (visible, "<style>", BODY),
        (without_title, "<title", BODY),
        (without_title, "<title>", BODY),
        (lambda text: without_images(text, ["u"]), "![", EVENT),
        (lambda text: without_images(text, ["u", "v"] * 50_000), "![a", EVENT),
        (parse_retry_after, "9", BODY),
        (parse_retry_after, "1 ", BODY),
        (redact, "basic  ", BODY),
        (redact, "://a", BODY),
        (redact, "?key", BODY),
        (redact, "-key", BODY),
        (redact, "&a-token-", BODY),
        (redact, "sk-a ", BODY),
        (lambda text: redact(text, ["abcdefghijklmnopqrstu"]), "abcdefghij", BODY),
        (nonce_in_page, 'restNonce":', BODY),
        (lambda text: ai_engine_errors.service_error(500, {"message": text}), "<", EVENT),
        (lambda text: ai_engine_errors.service_error(500, {"message": text}), "&#1", EVENT),
        (lambda text: parse_json(f"[{text}0]"), "[],", BODY),
        (lambda text: parse_json(f'["{text}"]'), "[\\\\\\" + '"', EVENT),
        (shorten, "a ", EVENT),
        (lambda text: one_line(f"a{text}b"), " ", MESSAGE),
        (lambda text: one_line(f"a:{text}b"), " ", MESSAGE),
        (one_line, ":\n ", MESSAGE),
        (lambda text: approximate_tokens(f"a{text}"), " ", EVENT),
        (lambda text: approximate_tokens(f"a{text}b"), " ", EVENT),
        (one_line, "; for the service a, write: provider='", MESSAGE),
        (one_line, "; to use its default model by this name, write: Client(", MESSAGE),
        (hide_keys, "sk-a ", BODY),
        (hide_keys, "sk-", BODY),
        (hide_keys, "a.", BODY),
    ],
)
def test_time_is_in_proportion(function: Callable[[str], Any], unit: str, length: int) -> None:
    assert _seconds(function, unit * (length // len(unit))) < LIMIT


def test_a_message_of_several_lines_is_one() -> None:
    assert one_line(" a \r\n\n b:\n c\u2028d\n") == "a; b: c; d"


def test_long_names_that_a_server_lists_are_cut() -> None:
    names = [f"{number}{'x' * 100_000}" for number in range(9)]
    told = advice("gpt-4x", names, PRESETS["openai"])
    assert told.startswith("; it has 0" + "x" * 98 + "…, 1")
    assert len(told) < 1_000


def test_what_is_far_behind_in_a_text_is_not_looked_at() -> None:
    assert shorten("a" + " " * ERROR_BODY_BYTES + "b") == "a"


@pytest.mark.parametrize("said", ["&#" + "9" * 5000 + ";", "&#x" + "f" * 5000, "<" * 5000, "&#"])
def test_an_error_text_full_of_signs_is_the_services_error(said: str) -> None:
    assert type(ai_engine_errors.service_error(500, {"success": False, "message": said})) is ServiceError


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("You have reached the limit", QuotaExceededError),
        ("You have reached your free daily message usage limit", QuotaExceededError),
        ("You have reached the page on how to raise one of many limits", RateLimitError),
    ],
)
def test_words_for_a_used_up_allowance(said: str, kind: type[RateLimitError]) -> None:
    assert type(rate_limit_error(said, said)) is kind


@pytest.mark.parametrize(
    ("reply", "urls", "shown"),
    [
        ("![a](http://x/y)", ["http://x/y"], ""),
        ("![a](u) ![b](v)\n", ["u", "v"], ""),
        ("a ![b](http://x/y_(1).png) c", ["http://x/y_(1).png"], "a  c"),
        ("![a](u) and ![b](other)", ["u"], " and ![b](other)"),
        ("u", ["u"], ""),
    ],
)
def test_a_reply_without_the_images_that_come_beside_it(reply: str, urls: list[str], shown: str) -> None:
    assert without_images(reply, urls) == shown
