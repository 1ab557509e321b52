"""``client.images``: generated images in the format of OpenAI's API."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from ..answers.images import MAX_IMAGE_BYTES, FetchLimit, ImageResponse
from ..answers.short_traceback import with_short_errors
from ..answers.stream import AnswerStream
from ..arguments import check_proxy, check_whole_number
from ..errors import G4FLiteError, ResponseFormatError
from ..providers.base import BaseProvider
from ..providers.chain import all_failed
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
        with self._router.explaining(model, found):
            return first_success(
                found,
                timeout,
                lambda one, limits: _generate(
                    one, prompt, name, proxy, limits, retry, response_format, self._supported(wanted, one)
                ),
            )

    def _supported(self, options: dict[str, Any], provider: BaseProvider) -> dict[str, Any]:
        """Return the image options that a provider supports; refuse or drop the others."""
        known: frozenset[str] = getattr(provider, "image_options", frozenset())
        for name in options.keys() - known:
            refuse(name, options[name], known, provider, drop=self._router.drop_unsupported)
        return {name: value for name, value in options.items() if name in known}


def first_success(
    provider: BaseProvider, timeout: TimeoutLike, generate: Callable[[BaseProvider, TimeoutLike], Result]
) -> Result:
    """Return what a provider generates, or of a chain the first member that succeeds.

    The members share the time of the call, which without a timeout is the chain's; that of a member holds within it.

    :param generate: is called with a provider and its timeout
    :raises AllProvidersFailedError: if all members of a chain fail
    """
    if not isinstance(provider, Fallback):
        return generate(provider, timeout)
    whole, began_at = Timeout.of(timeout, provider.timeout), time.monotonic()
    errors: list[G4FLiteError] = []
    for number, member in enumerate(provider.providers):
        limits = Timeout.of(timeout, getattr(member, "timeout", whole))
        if whole.total is not None:
            left = (began_at + whole.total - time.monotonic()) / (len(provider.providers) - number)
            limits = limits.within(Timeout(None, None, max(LEAST_SECONDS, left), None))
        try:
            return generate(member, limits)
        except G4FLiteError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    raise all_failed("no provider generated an image", errors, "image") from errors[-1]


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
