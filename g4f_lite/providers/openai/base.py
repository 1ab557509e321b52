"""OpenAI's chat completions over HTTP: what all servers that speak them share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import requests

from ...answers.deltas import Delta
from ...errors import G4FLiteError
from ...http.body import Body
from ...prompt import Prompt
from ..base import Provider
from . import errors
from .address import Query, explain_address, with_query
from .answer import read_answer
from .extras import check_extras, headers_of, query_of
from .options import EXTRAS, OPTIONS
from .refused_field import STREAM, STREAM_OPTIONS, give_up, refused_field


class OpenAIProvider(Provider):
    """A server that speaks OpenAI's chat completions; its address and its key are the subclass's.

    :ivar reports_usage: whether the server takes the field ``stream_options``
    :ivar query: what goes behind the ``?`` of every address
    """

    api_endpoint = "/chat/completions"
    supports_message_history = True
    known_options = OPTIONS
    reports_usage = True
    query: Query = []  # noqa: RUF012  never changed in place

    def auth(self) -> Any:
        """Return what signs a request, as ``requests`` takes it; None for nothing."""
        return None

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        return self.to_send("POST", self.api_endpoint, self.body(prompt), prompt.options)

    def body(self, prompt: Prompt) -> dict[str, Any]:
        """Write the JSON of a prompt."""
        body, _ = self._body(prompt)
        return body

    def to_send(
        self, method: str, path: str, body: dict[str, Any] | None = None, options: dict[str, Any] | None = None
    ) -> requests.Request:
        """Write a request to the server.

        :param options: the options of the call, which may hold ``extra_headers`` and ``extra_query``
        """
        url, headers, auth = self.base_url + path, self.headers_with(), self.auth()
        if self.query:
            url = with_query(url, self.query)
        if options and EXTRAS & options.keys():
            url = with_query(url, query_of(options))
            headers, auth = headers_of(options, headers, auth)
        return requests.Request(method, url, json=body, headers=headers, auth=auth)

    def _body(self, prompt: Prompt) -> tuple[dict[str, Any], set[str]]:
        """Write the JSON of a prompt, and name the fields in it that nobody asked for."""
        options = {name: value for name, value in prompt.options.items() if name not in EXTRAS}
        extra = options.pop("extra_body", None) or {}
        body: dict[str, Any] = {"model": prompt.model or "", "messages": prompt.messages}
        if prompt.stream:
            body[STREAM] = True
            if self.reports_usage:
                body[STREAM_OPTIONS] = {"include_usage": True}
        ours = {STREAM, STREAM_OPTIONS} - options.keys() - extra.keys()
        body.update(options)
        body.update(extra)
        if not body.get(STREAM) or body.get(STREAM_OPTIONS) is None:
            body.pop(STREAM_OPTIONS, None)  # which is refused where nothing is streamed
        for field in prompt.without | self._given_up.get(prompt.model, frozenset()):
            give_up(field, body)
        return body, ours

    def refused_field(self, error: G4FLiteError, prompt: Prompt) -> str | None:
        return refused_field(error, *self._body(prompt))

    def accepted(self, prompt: Prompt) -> None:
        self._given_up[prompt.model] = self._given_up.get(prompt.model, frozenset()) | prompt.without

    def deltas(self, body: Body, prompt: Prompt) -> Iterator[Delta]:
        return read_answer(body, several=prompt.options.get("n", 1) != 1)

    def service_error(self, status: int, parsed: Any, text: str) -> G4FLiteError | None:
        return errors.service_error(status, parsed)

    def explain(self, error: G4FLiteError) -> None:
        super().explain(error)
        explain_address(error, self.base_url)

    def _check_option(self, name: str, value: Any) -> None:
        super()._check_option(name, value)
        if name in EXTRAS:
            check_extras({name: value})

    def _set_up(self) -> None:
        super()._set_up()
        self._given_up: dict[str | None, frozenset[str]] = {}
