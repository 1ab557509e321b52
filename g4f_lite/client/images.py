"""``client.images``: generated images in the format of OpenAI's API."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Literal, TypeVar

from ..answers.images import MAX_IMAGE_BYTES, FetchLimit, ImageResponse
from ..answers.short_traceback import shortened, with_short_errors
from ..answers.stream import AnswerStream
from ..arguments import check_proxy, check_whole_number
from ..errors import AllProvidersFailedError, G4FLiteError, ResponseFormatError
from ..providers.base import BaseProvider
from ..providers.fallback import Fallback
from ..providers.selection import ProviderLike
from ..providers.turns import LEAST_SECONDS
from ..timeout import CallRetry, Timeout, TimeoutLike, check_retry
from .image_results import Image, ImagesResponse, ImagesUsage
from .options import refuse
from .results import now
from .routing import Router

Result = TypeVar("Result")


class Images:
    """The object ``client.images``.

    :param router: finds the provider of a call
    :param provider: the provider that generates images, if it is not the client's
    """

    def __init__(self, router: Router, provider: BaseProvider | None = None) -> None:
        self._router = router
        self._provider = provider

    def __repr__(self) -> str:
        return "<client.images, with generate(…)>"

    @with_short_errors
    def generate(
        self,
        prompt: str,
        model: str | None = None,
        *,
        n: int | None = None,
        size: str | None = None,
        quality: str | None = None,
        style: str | None = None,
        response_format: Literal["url", "b64_json"] | None = None,
        provider: ProviderLike | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        retry: CallRetry = "own",
        **options: Any,
    ) -> ImagesResponse:
        """Generate images.

        :param prompt: describes the images
        :param model: the image model; the provider's own if None
        :param n: the number of images
        :param size: the size, such as ``"1024x1024"``
        :param quality: the quality, as the service names it
        :param style: the style, as the service names it
        :param response_format: ``"url"`` for URLs, which are ``data:`` URIs if the service sends bytes; ``"b64_json"``
            for bytes, which are fetched if the service sends URLs; None for whatever the service sends
        :param provider: the provider to use for this call instead of the client's; of several the first that succeeds
        :param proxy: the URL of a proxy for every request of this call
        :param timeout: seconds for the whole call, a (connect, read) pair, or a Timeout
        :param retry: a RetryPolicy, a ``tenacity.Retrying``, or None for one attempt; ``"own"`` for the client's
        :param options: further options of the service
        :raises TypeError: if the provider does not support an option, or ``n`` is not a whole number
        :raises G4FLiteError: if no image was generated
        """
        if response_format not in (None, "url", "b64_json"):
            raise ValueError(f"response_format must be 'url' or 'b64_json', not {response_format!r}")
        if n is not None:
            check_whole_number(n, "n")
        wanted = {"n": n, "size": size, "quality": quality, "style": style, **options}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        if wanted.get("n") == 1:  # the default of every service
            del wanted["n"]
        provider = self._provider if provider is None else provider
        found, name = self._router.find(model, provider)
        if proxy:
            check_proxy(proxy)
        proxy = proxy or self._router.proxy
        timeout = self._router.timeout if timeout is None else timeout
        retry = self._router.retry if retry == "own" else check_retry(retry)
        members = found.providers if isinstance(found, Fallback) else [found]
        limits = shares(timeout, len(members))
        with self._router.explaining(model, found):
            return first_success(
                members,
                lambda member: _generate(
                    member, prompt, name, proxy, next(limits), retry, response_format, self._supported(wanted, member)
                ),
            )

    def _supported(self, options: dict[str, Any], provider: BaseProvider) -> dict[str, Any]:
        """Return the image options that a provider supports; refuse or drop the others."""
        known: frozenset[str] = getattr(provider, "image_options", frozenset())
        for name in options.keys() - known:
            refuse(name, options[name], known, provider, drop=self._router.drop_unsupported)
        return {name: value for name, value in options.items() if name in known}


def first_success(providers: list[BaseProvider], generate: Callable[[BaseProvider], Result]) -> Result:
    """Return the result of the first provider that succeeds.

    :raises AllProvidersFailedError: if there are several providers and all fail
    """
    errors: list[G4FLiteError] = []
    for provider in providers:
        try:
            return generate(provider)
        except G4FLiteError as error:
            if len(providers) == 1:
                raise shortened(error)  # noqa: B904  it is the same one
            errors.append(error)
    lines = "".join(f"\n  {error}" for error in errors)
    raise AllProvidersFailedError(f"no provider generated an image:{lines}", errors=errors) from errors[-1]


def shares(timeout: TimeoutLike, number: int) -> Iterator[TimeoutLike]:
    """Yield the timeout of each of several providers that are asked in turn: its share of what is left of the total."""
    whole, began_at = Timeout.of(timeout), time.monotonic()
    for left in range(number, 0, -1):
        if timeout is None or number == 1 or whole.total is None:
            yield timeout  # None is the provider's own
        else:
            yield replace(whole, total=max(LEAST_SECONDS, (began_at + whole.total - time.monotonic()) / left))


def generate_images(
    provider: BaseProvider,
    prompt: str,
    model: str | None = None,
    proxy: str | None = None,
    timeout: TimeoutLike = None,
    retry: CallRetry = "own",
    **options: Any,
) -> list[ImageResponse]:
    """Generate images with one provider, by its image API or in a chat.

    :param model: the image model; the provider's own, or else its default model, if None
    :raises TypeError: if the provider does not support an option
    :raises G4FLiteError: if no image was generated
    """
    own: dict[str, Any] = {} if retry == "own" else {"retry": retry}
    generate = getattr(provider, "generate_image", None)
    if generate is not None:
        return [generate(prompt, model, proxy, timeout, **own, **options)]
    if options:
        raise TypeError(f"{provider.name} has no option {min(options)!r} for images")
    model = model or getattr(provider, "image_model", None)
    return _images_in(provider.create_generator(model, prompt, proxy, timeout, **own))


def _generate(
    provider: BaseProvider,
    prompt: str,
    model: str | None,
    proxy: str | None,
    timeout: TimeoutLike,
    retry: CallRetry,
    response_format: str | None,
    options: dict[str, Any],
) -> ImagesResponse:
    """Generate images with one provider, and return them in OpenAI's format."""
    if response_format is not None and hasattr(provider, "generate_image"):
        options = {"response_format": response_format, **options}
    total, began_at = Timeout.of(timeout, getattr(provider, "timeout", None)).total, time.monotonic()
    images = generate_images(provider, prompt, model, proxy, timeout, retry, **options)
    left = math.inf if total is None else began_at + total - time.monotonic()
    limit = FetchLimit(left, max(2, options.get("n", 1)) * MAX_IMAGE_BYTES)
    data = [_image(image, index, response_format, limit) for image in images for index in range(len(image.urls))]
    first = images[0]
    usage = None if first.usage is None else ImagesUsage.read(first.usage)
    return ImagesResponse(first.created or now(), data, model, provider.name, usage)


def _images_in(stream: AnswerStream) -> list[ImageResponse]:
    """Read an answer and return its images.

    :raises ResponseFormatError: if it has none
    """
    answer = stream.text()
    if not answer.images:
        error = ResponseFormatError(
            "expected an image, got text; name a model that generates images", provider=stream.provider, partial=answer
        )
        stream.scrub(error)
        raise error
    return answer.images


def _image(image: ImageResponse, index: int, response_format: str | None, limit: FetchLimit) -> Image:
    url, revised = image.urls[index], image.revised_prompts[index]
    if response_format == "b64_json" or (response_format is None and url.startswith("data:")):
        data = limit.bytes_of(image, index)
        return Image(b64_json=base64.b64encode(data).decode("ascii"), revised_prompt=revised)
    return Image(url=url, revised_prompt=revised)
