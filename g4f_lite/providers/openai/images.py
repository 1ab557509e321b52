"""Images from an OpenAI-compatible server: ``POST {base}/images/generations``."""

from __future__ import annotations

import base64
import json
import re
from typing import Any, ClassVar

from ...answers.images import ImageResponse
from ...arguments import check_name, check_proxy, unknown_name
from ...errors import G4FLiteError, ResponseFormatError
from ...http.checks import shorten
from ...http.exchange import Exchange
from ...messages import json_copy, to_data_uri
from ...timeout import CallRetry, Timeout, TimeoutLike
from ..call import fetch, later_fetch, run
from ..sending import at_step
from .errors import failure_in
from .extras import check_extras, secrets_of
from .fields import number_in, objects_in, text_in
from .listing import ListingProvider
from .options import EXTRAS
from .parts import unreadable

OPTIONS = EXTRAS | frozenset(
    {"background", "extra_body", "moderation", "n", "negative_prompt", "output_compression", "output_format"}
    | {"quality", "response_format", "seed", "size", "steps", "style", "user"}
)


class ImageProvider(ListingProvider):
    """A server that speaks OpenAI's chat completions and makes images too."""

    image_options: ClassVar[frozenset[str]] = OPTIONS

    def generate_image(
        self,
        prompt: str,
        model: str | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        *,
        retry: CallRetry = "own",
        **options: Any,
    ) -> ImageResponse:
        """Ask for images and give their addresses, or ``data:`` URIs where the server sends the bytes.

        :param model: the model that draws; the server's default where None
        :param retry: the retry policy of this call
        :param options: what else the API takes, such as ``n``, ``size``, ``quality`` and ``response_format``
        :raises TypeError: if an option that the API does not have
        :raises G4FLiteError: if there is no image
        """
        if not isinstance(prompt, str):
            raise TypeError(f"prompt must be a string, not {type(prompt).__name__}")
        if not prompt.strip():
            raise ValueError("prompt is blank; it must say what the image shows")
        if model is not None:
            check_name(model)
        for name in options:
            if name not in OPTIONS:
                raise TypeError(unknown_name("option", name, sorted(OPTIONS), f"{self.name}'s image generation"))
        check_extras(options)
        own = {name: value for name, value in options.items() if name not in EXTRAS}
        body = {"prompt": prompt, **({"model": model} if model else {}), **own}
        body.update(json_copy(body.pop("extra_body", None) or {}, "the option extra_body", number_names=True))
        route, limits = self.route(None if proxy is None else check_proxy(proxy)), Timeout.of(timeout, self.timeout)
        self.check_ready()

        def ask(exchange: Exchange) -> ImageResponse:
            exchange.secrets = lambda: [*self.secrets(), *secrets_of(options)]
            request = self.to_send("POST", "/images/generations", body, options)
            answer = fetch(exchange, request, "image", self)
            try:
                with at_step(exchange, "image"):
                    image = read_images(answer.json(), prompt)
                image.fetch = later_fetch(self, exchange, limits)
                return image
            except G4FLiteError as error:
                self.explain(error)
                raise
            finally:
                answer.drain()

        return run(self, ask, timeout=limits, route=route, retry=retry)


def read_images(answer: Any, prompt: str = "") -> ImageResponse:
    """Read the images in an answer, and what the service says about them; bytes become ``data:`` URIs.

    :raises G4FLiteError: if it holds no image
    """
    rows = answer
    if isinstance(answer, dict):
        rows = answer.get("data") or answer.get("images")
        if not rows and (failure := failure_in(answer, whole=True)) is not None:
            raise failure
    found = [(url, text_in(row, "revised_prompt") or None) for row in objects_in(rows) if (url := _url_of(row))]
    if not found:
        failure = next((error for row in objects_in(rows) if (error := failure_in(row, whole=True))), None)
        raise failure or ResponseFormatError(f"expected images, got {shorten(json.dumps(answer), 200)}")
    usage = answer.get("usage") if isinstance(answer, dict) else None
    return ImageResponse(
        [url for url, _ in found],
        prompt,
        revised_prompts=[revised for _, revised in found],
        created=number_in(answer, "created"),
        usage=usage if isinstance(usage, dict) else None,
    )


def _url_of(row: dict[str, Any]) -> str:
    """Return the address of an image, or "" if there is none.

    :raises ResponseFormatError: if it is not one that can be fetched
    """
    encoded = text_in(row, "b64_json")
    if encoded and not encoded.startswith("data:"):
        return _data_uri(encoded)
    url = encoded or text_in(row, "url")
    if re.match(r"(?i)(?!https?:|data:)[a-z][a-z0-9+.-]*:", url.strip()):
        raise unreadable("the address of an image", url)  # such as javascript:, which a page must not have
    return url


def _data_uri(encoded: str) -> str:
    """Write Base64 as a ``data:`` URI with the image's real type.

    :raises ResponseFormatError: if it is not an image
    """
    try:
        return to_data_uri(base64.b64decode(encoded, validate=True))
    except ValueError as error:
        raise ResponseFormatError("the service sent Base64 that is not a PNG, JPEG, GIF, WebP or BMP image") from error
