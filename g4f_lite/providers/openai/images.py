"""Pictures from an OpenAI-compatible server: ``POST {base}/images/generations``."""

from __future__ import annotations

import base64
import json
from typing import Any, ClassVar

import requests

from ...answers.images import ImageResponse
from ...arguments import check_model_name, check_proxy, unknown_name
from ...errors import ResponseFormatError
from ...http.checks import shorten
from ...http.exchange import Exchange
from ...messages import to_data_uri
from ...timeout import Timeout, TimeoutLike
from ..call import at_step, fetch, run
from ..image_fetch import fetch_image
from . import wire
from .base import OpenAIProvider

OPTIONS = frozenset(
    {"background", "extra_body", "moderation", "n", "negative_prompt", "output_compression", "output_format"}
    | {"quality", "response_format", "seed", "size", "steps", "style", "user"}
)


class ImageProvider(OpenAIProvider):
    """A server that speaks OpenAI's chat completions and makes images too."""

    image_options: ClassVar[frozenset[str]] = OPTIONS

    def generate_image(
        self,
        prompt: str,
        model: str | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        **options: Any,
    ) -> ImageResponse:
        """Ask for pictures and give their addresses, or ``data:`` URIs where the server sends the bytes.

        :param model: the model that draws; the server's default where None
        :param options: what else the API takes, such as ``n``, ``size``, ``quality`` and ``response_format``
        :raises TypeError: an option that the API does not have
        :raises G4FLiteError: there is no picture
        """
        if not isinstance(prompt, str):
            raise TypeError(f"prompt must be a string, not {type(prompt).__name__}")
        if not prompt.strip():
            raise ValueError("prompt is blank; it must say what the picture shows")
        if model is not None:
            check_model_name(model)
        for name in options:
            if name not in OPTIONS:
                raise TypeError(unknown_name("option", name, sorted(OPTIONS), f"{self.name}'s image generation"))
        body = {"prompt": prompt, **({"model": model} if model else {}), **options}
        body.update(body.pop("extra_body", None) or {})
        route, limits = self.route(None if proxy is None else check_proxy(proxy)), Timeout.of(timeout, self.timeout)
        self.check_ready()

        def ask(exchange: Exchange) -> list[str]:
            url = self.base_url + "/images/generations"
            request = requests.Request("POST", url, json=body, headers=self.headers_with(), auth=self.auth())
            answer = fetch(exchange, request, "image", self)
            try:
                with at_step(exchange, "image"):
                    return read_images(answer.json())
            finally:
                answer.drain()

        def get(url: str) -> bytes:
            return run(
                self, lambda exchange: fetch_image(exchange, url, home=self.base_url), timeout=limits, route=route
            )

        return ImageResponse(run(self, ask, timeout=limits, route=route), prompt, fetch=get)


def read_images(answer: Any) -> list[str]:
    """Read the addresses in an answer; bytes become ``data:`` URIs.

    :raises G4FLiteError: it holds no picture
    """
    if isinstance(answer, dict) and answer.get("error"):
        raise wire.service_error(200, answer) or ResponseFormatError(f"an error: {shorten(json.dumps(answer), 200)}")
    rows = answer.get("data") if isinstance(answer, dict) else None
    urls = [_url_of(row) for row in rows] if isinstance(rows, list) else []
    if not urls or not all(urls):
        raise ResponseFormatError(f"no pictures where they belong: {shorten(json.dumps(answer), 200)}")
    return urls


def _url_of(row: Any) -> str:
    if not isinstance(row, dict):
        return ""
    if isinstance(row.get("b64_json"), str) and row["b64_json"]:
        return _data_uri(row["b64_json"])
    return row["url"] if isinstance(row.get("url"), str) else ""


def _data_uri(encoded: str) -> str:
    """Write Base64 as a ``data:`` URI with the picture's real type.

    :raises ResponseFormatError: it is no picture
    """
    try:
        return to_data_uri(base64.b64decode(encoded, validate=True))
    except ValueError as error:
        raise ResponseFormatError("the service sent Base64 that is no PNG, JPEG, GIF, WebP or BMP picture") from error
