"""What our web servers write, whatever a service has sent."""

from __future__ import annotations

from typing import Any

import pytest

from g4f_lite.contrib.replies import retry_after, to_json
from g4f_lite.contrib.server.request import Response

INFINITE, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, "é", None, True]}, '{"a":[1,"é",null,true]}'),
        ({"a": NAN, "b": {"c": [INFINITE, (-INFINITE, 2.5)]}}, '{"a":null,"b":{"c":[null,[null,2.5]]}}'),
        (NAN, "null"),
        ("NaN", '"NaN"'),
        ("a\ud83d", '"a\ufffd"'),
        ("\ud83d\ude42\n", '"🙂\\n"'),
    ],
)
def test_json_is_what_browsers_read(value: Any, text: str) -> None:
    assert to_json(value) == text


def test_the_response_of_the_server_is_such_json() -> None:
    assert b"".join(Response.of_json({"total_time": NAN}).body) == b'{"total_time":null}'


@pytest.mark.parametrize(
    ("seconds", "header"),
    [(0, "1"), (7.2, "8"), (60, "60"), (1e9, "86400"), (INFINITE, "86400"), (-5, "1"), (NAN, "1")],
)
def test_a_client_is_told_to_wait_for_whole_seconds_and_a_day_at_most(seconds: float, header: str) -> None:
    assert retry_after(seconds) == header
