"""How long a service asks its callers to wait, in each of the ways in which services say so."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone

MOST_SECONDS = 1e9  # 30 years: time.sleep takes no more than some hundreds
_READ_CHARACTERS = 100  # of a header; a longer one is no time
# Patterns are compiled by re at their first use: a failure needs them, an import does not.
_NUMBER = r"(?a)\d+(?:\.\d*)?"
_DURATION = r"(?a)(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+"
_PART = r"(?a)(\d+(?:\.\d+)?)(ms|s|m|h|d)"
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_EPOCH_SECONDS, _EPOCH_MILLISECONDS = 1e9, 1e12  # numbers from here on are a date and not a duration
_RESET = r"(?i)(?:x-|anthropic-)?rate-?limit-(?:[\w-]{0,40}-)?reset(?:-[\w-]{0,40})?"
_AMOUNT = (
    r"(\d{1,9}(?:\.\d{1,9})?) ?(ms|milli[a-z]*|s(?:ec[a-z]*)?|m(?:in[a-z]*)?|h(?:ours?|rs?)?|d(?:ays?)?)(?![a-z_])"
)
_IN_TEXT = rf"(?ai)(?:(?:try again|retry) (?:in|after)|wait(?: for)?) ((?:{_AMOUNT}(?:,? and |,? )?){{1,4}})"

Clock = Callable[[], float]


def _clock_of(headers: Mapping[str, str], now: Clock) -> Clock:
    """Return the clock by which a service names a date: its own, where it says what that is (RFC 9110 §6.6.1)."""
    value = headers.get("Date")
    date = None if value is None or len(value) > _READ_CHARACTERS else _date_of(value)
    return now if date is None else lambda: date


def named_wait(headers: Mapping[str, str], *, now: Clock = time.time) -> float | None:
    """Return the seconds that ``retry-after-ms`` or ``Retry-After`` asks for; None where neither does."""
    milliseconds = headers.get("retry-after-ms", "").strip()
    if len(milliseconds) <= _READ_CHARACTERS and re.fullmatch(_NUMBER, milliseconds):
        return _seconds(float(milliseconds) / 1000)
    return parse_retry_after(headers.get("Retry-After"), now=_clock_of(headers, now))


def reset_wait(headers: Mapping[str, str], *, now: Clock = time.time) -> float | None:
    """Return the seconds until a limit is reset, by headers such as ``x-ratelimit-reset-requests``.

    Where others say what remains, the limits count of which nothing does; else the one that is reset first.

    :returns: None where no header says so
    """
    waits, exhausted = [], []
    now = _clock_of(headers, now)
    for name, value in headers.items():
        if re.fullmatch(_RESET, name) and (wait := parse_reset(value, now=now)) is not None:
            waits.append(wait)
            if headers.get(re.sub("reset", "remaining", name, flags=re.IGNORECASE), "").strip() in ("0", "0.0"):
                exhausted.append(wait)
    return max(exhausted) if exhausted else min(waits, default=None)


def parse_reset(value: str, *, now: Clock = time.time) -> float | None:
    """Read when a limit is reset: ``6m0s``, seconds, or a date as a number or in ISO 8601."""
    value = value.strip()
    if (seconds := parse_duration(value)) is not None:
        return seconds
    if len(value) > _READ_CHARACTERS:
        return None
    if re.fullmatch(_NUMBER, value):
        number = float(value)
        if number < _EPOCH_SECONDS:
            return number
        return _seconds((number / 1000 if number >= _EPOCH_MILLISECONDS else number) - now())
    try:
        date = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    return _seconds((date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp() - now())


def _seconds(wait: float) -> float:
    return min(max(0.0, wait), MOST_SECONDS)


def parse_duration(value: str) -> float | None:
    """Read a duration such as ``34s``, ``1m2.5s`` or ``20ms``, in seconds; None where it is not one."""
    value = value.strip()
    if len(value) > _READ_CHARACTERS or not re.fullmatch(_DURATION, value):
        return None
    return _seconds(sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_PART, value)))


def wait_in_text(text: str) -> float | None:
    """Find the wait in an error's words, such as "Please try again in 7.66s"; None where they name none."""
    found = re.search(_IN_TEXT, text)
    if found is None:
        return None
    amounts = re.findall(f"(?ai){_AMOUNT}", found[1])
    return _seconds(sum(float(number) * _seconds_of(unit.lower()) for number, unit in amounts))


def _seconds_of(unit: str) -> float:
    return _SECONDS["ms" if unit.startswith(("ms", "milli")) else unit[0]]


def parse_retry_after(value: str | None, *, now: Clock = time.time) -> float | None:
    """Read a Retry-After header: seconds, or an HTTP date (RFC 9110 §10.2.3), or a duration such as ``30s``.

    :returns: seconds to wait, 0 for a past date, None where it says nothing that makes sense
    """
    if value is None:
        return None
    value = value.strip()
    if re.fullmatch(_NUMBER, value):
        return _seconds(float(value))  # infinity, where it has an enormous number of digits
    if (seconds := parse_duration(value)) is not None:
        return seconds
    date = _date_of(value)
    return None if date is None else _seconds(date - now())


def _date_of(value: str) -> float | None:
    """Read an HTTP date as seconds since 1970; None where it is not one."""
    try:
        date = email.utils.parsedate_to_datetime(value)
        return (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
