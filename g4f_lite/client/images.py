"""``client.images.generate``: pictures in the shape of OpenAI's API."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from ..answers.images import ImageResponse
from ..answers.stream import AnswerStream
from ..arguments import check_proxy
from ..errors import AllProvidersFailedError, G4FLiteError, ResponseFormatError
from ..providers.base import BaseProvider
from ..providers.fallback import Fallback
from ..providers.selection import ProviderLike
from ..timeout import TimeoutLike
from .options import refuse
from .results import Image, ImagesResponse, ImagesUsage, now
from .routing import Router

Made = TypeVar("Made")


class Images:
    """What ``client.images`` is.

    :param router: finds the provider of a call
    :param provider: who draws, where that is not the client's provider
    """

    def __init__(self, router: Router, provider: ProviderLike | None = None) -> None:
        self._router = router
        self._provider = None if provider is None else router.known(provider)

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
        **options: Any,
    ) -> ImagesResponse:
        """Have pictures made.

        :param prompt: what they show
        :param model: the model that draws; the provider's own where None
        :param n: how many;  :param size: such as ``"1024x1024"``
        :param response_format: ``"url"`` for addresses, which are ``data:`` URIs where the service sends
            bytes; ``"b64_json"`` for the bytes, which are fetched where it sends addresses; None for
            whatever the service sends
        :param provider: who draws, in place of the client's provider; of several the first that can
        :param options: what else the service can be told
        :raises TypeError: an option that the provider cannot do
        :raises G4FLiteError: there is no picture
        """
        if response_format not in (None, "url", "b64_json"):
            raise ValueError(f"response_format must be 'url' or 'b64_json', not {response_format!r}")
        wanted = {"n": n, "size": size, "quality": quality, "style": style, **options}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        if wanted.get("n") == 1:  # which is what everybody does
            del wanted["n"]
        provider = self._provider if provider is None else provider
        asked, name = self._router.find(model, provider)
        if proxy:
            check_proxy(proxy)
        proxy = proxy or self._router.proxy
        timeout = self._router.timeout if timeout is None else timeout
        with self._router.explaining(model, asked):
            return first_that_can(
                asked.providers if isinstance(asked, Fallback) else [asked],
                lambda member: _draw(
                    member, prompt, name, proxy, timeout, response_format, self._possible(wanted, member)
                ),
            )

    def _possible(self, options: dict[str, Any], provider: BaseProvider) -> dict[str, Any]:
        """Give the options for pictures that a provider can do; the others are refused or dropped."""
        known: frozenset[str] = getattr(provider, "image_options", frozenset())
        for name in options.keys() - known:
            refuse(name, options[name], known, provider, drop=self._router.drop_unsupported)
        return {name: value for name, value in options.items() if name in known}


def first_that_can(providers: list[BaseProvider], draw: Callable[[BaseProvider], Made]) -> Made:
    """Give what the first provider makes that can.

    :raises AllProvidersFailedError: of several, none could
    """
    errors: list[G4FLiteError] = []
    for provider in providers:
        try:
            return draw(provider)
        except G4FLiteError as error:
            if len(providers) == 1:
                raise
            errors.append(error)
    lines = "".join(f"\n  {error}" for error in errors)
    raise AllProvidersFailedError(f"no provider made a picture:{lines}", errors=errors) from errors[-1]


def make_pictures(
    provider: BaseProvider,
    prompt: str,
    model: str | None = None,
    proxy: str | None = None,
    timeout: TimeoutLike = None,
    **options: Any,
) -> list[ImageResponse]:
    """Have one provider make pictures, in the way that it has.

    :param model: the model that draws; where None, the one that the provider has for that, or its default
    :raises TypeError: an option that the provider cannot do
    :raises G4FLiteError: there is no picture
    """
    make = getattr(provider, "generate_image", None)
    if make is not None:
        return [make(prompt, model, proxy, timeout, **options)]
    if options:
        raise TypeError(f"{provider.name} takes no option {min(options)!r} for pictures")
    model = model or getattr(provider, "image_model", None)
    return _of_answer(provider.create_generator(model, prompt, proxy, timeout))


def _draw(
    provider: BaseProvider,
    prompt: str,
    model: str | None,
    proxy: str | None,
    timeout: TimeoutLike,
    response_format: str | None,
    options: dict[str, Any],
) -> ImagesResponse:
    """Ask one provider, and give its pictures in OpenAI's shape."""
    if response_format is not None and hasattr(provider, "generate_image"):
        options = {"response_format": response_format, **options}
    images = make_pictures(provider, prompt, model, proxy, timeout, **options)
    data = [_image(image, place, response_format) for image in images for place in range(len(image.urls))]
    first = images[0]
    usage = None if first.usage is None else ImagesUsage.of(first.usage)
    return ImagesResponse(first.created or now(), data, model, provider.name, usage)


def _of_answer(stream: AnswerStream) -> list[ImageResponse]:
    """Read the pictures in a chat's answer.

    :raises ResponseFormatError: there are none
    """
    answer = stream.text()
    if not answer.images:
        raise ResponseFormatError(
            "the answer is a text and not a picture; name a model that draws", provider=stream.provider, partial=answer
        )
    return answer.images


def _image(picture: ImageResponse, place: int, response_format: str | None) -> Image:
    url = picture.urls[place]
    revised = picture.revised_prompts[place]
    if response_format == "b64_json" or (response_format is None and url.startswith("data:")):
        return Image(b64_json=base64.b64encode(picture.bytes(place)).decode("ascii"), revised_prompt=revised)
    return Image(url=url, revised_prompt=revised)
