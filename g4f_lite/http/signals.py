"""What a signal handler of the caller's raises in the midst of a call, which is no failure of the network."""

from __future__ import annotations

import itertools
import traceback
from types import FrameType


def pass_on_signal(error: BaseException) -> None:
    """Raise, untouched, what a signal handler of the caller's raised in the midst of the transport.

    Python runs a signal handler wherever the main thread is.  Where it raises a TimeoutError, an OSError or a
    ValueError, http.client, urllib3 and requests take that for a failure of the network and wrap it.

    :param error: what came out of the transport; nothing happens where no signal handler raised it
    """
    running = {id(frame) for frame, _ in traceback.walk_stack(None)}
    # From the innermost, because urllib3 gives its own errors the traceback of those that they wrap.
    for link in reversed(links_of(error, contexts=True)):
        frames = [frame for frame, _ in traceback.walk_tb(link.__traceback__)]
        # What was caught in a frame that still runs is something that the caller is handling, and called us meanwhile.
        if frames and (link is error or id(frames[0]) not in running) and _comes_from_signal(frames):
            context = link.__context__
            try:
                raise link
            finally:
                link.__context__ = context  # Python has just put the error there that wraps this one


def _comes_from_signal(frames: list[FrameType]) -> bool:
    """Return whether one of these frames, each called by the one before, is a signal handler's.

    Python calls a handler with the very frame that it interrupts, and nobody else passes that around.
    """
    for interrupted, frame in itertools.pairwise(frames):
        for value in frame.f_locals.values():
            if value is interrupted or (isinstance(value, tuple) and any(item is interrupted for item in value)):
                return True
    return False


def links_of(error: BaseException, *, contexts: bool = False) -> list[BaseException]:
    """List an exception and those that it wraps, outermost first.

    urllib3 keeps what it wraps as ``reason`` (MaxRetryError) or as an argument (ProtocolError), and not always as
    the cause.

    :param contexts: whether an exception wraps also the one that was being handled when it was raised
    """
    links: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop(0)
        if isinstance(link, BaseException) and link not in links:
            links.append(link)
            waiting += [getattr(link, "reason", None), *link.args, link.__cause__]
            waiting += [link.__context__] if contexts else []
    return links
