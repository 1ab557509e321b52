"""The endpoints other than chat: models, embeddings, images, and whether the server is there."""

from __future__ import annotations

from typing import Any

from ...client.images import Images
from ...client.models import Models
from ...client.results import Model
from ...client.routing import Router
from ...errors import G4FLiteError
from .failures import ApiError, api_error
from .request import Request, Response
from .streams import Streams

_IMAGE_OPTIONS = ("n", "size", "quality", "style", "response_format")


def health(router: Router, streams: Streams, request: Request) -> Response:
    """Say that the server is there."""
    return Response.of_json({"status": "ok"})


def models(router: Router, streams: Streams, request: Request) -> Response:
    """List the models; where any name is taken, that of the default model, so that a client has one to choose."""
    try:
        found = Models(router).list()
    except G4FLiteError as error:
        raise api_error(error) from error
    if not found.data:
        provider = router.provider()
        found.data = [Model(provider.get_model() or "default", provider.name)]
    return Response.of_json(found.to_dict())


def images(router: Router, streams: Streams, request: Request) -> Response:
    """Generate images."""
    body = request.json()
    prompt, model = body.get("prompt"), body.get("model")
    if not isinstance(prompt, str) or not prompt.strip():
        raise ApiError(400, "prompt must be a text", param="prompt")
    options = {name: body[name] for name in _IMAGE_OPTIONS if body.get(name) is not None}
    ignored = sorted(body.keys() - {"prompt", "model", *_IMAGE_OPTIONS})
    slot = streams.take(None)
    try:
        made: dict[str, Any] = Images(router).generate(prompt, model, **options).to_dict()
    except (G4FLiteError, TypeError, ValueError) as error:
        raise api_error(error) from error
    finally:
        slot.give_back()
    return Response.of_json(made, headers=[("x-ignored-fields", ", ".join(ignored))] if ignored else [])
