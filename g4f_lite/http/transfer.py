"""One request on its way over a connection, and how far it has come."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .deadline import Deadline

# The transfer of the running thread.  A ContextVar, because urllib3 has no way to hand a value down to its connections.
running_transfer: ContextVar[Transfer | None] = ContextVar("g4f_lite_running_transfer", default=None)


@dataclass
class Transfer:
    """What a connection notes about the request that it carries; whoever explains a failure reads it.

    :param deadline: the limits of the call that the request belongs to
    :param address_guard: called with each IP address before it is connected to; raises to refuse it
    :param confirm: called with the deadline once a connection is made, before a byte is sent over it; raises OSError
        unless it leads where it should
    :param socket_path: of the Unix socket that is connected to, in place of the host
    :param awaits: the limit of the silence after the request's last byte: ``"first"`` for a prompt, else ``"read"``
    :ivar connecting: whether a connection is being made
    :ivar past_proxy: whether no proxy can refuse the request any more
    :ivar reused_connection: whether the connection was kept alive from an earlier request
    :ivar silence: the limit of the silence that it may be waiting in: ``awaits`` once the whole request is sent
    :ivar answer_began: whether a byte of the answer has come
    :ivar response: the response whose head is being read
    """

    deadline: Deadline
    address_guard: Callable[[str], None] | None = None
    confirm: Callable[[Deadline], None] | None = None
    socket_path: str = ""
    awaits: str = "read"
    connecting: bool = False
    past_proxy: bool = False
    reused_connection: bool = False
    silence: str = "read"
    answer_began: bool = False
    response: http.client.HTTPResponse | None = None
