"""The endpoints other than chat: models, embeddings, images, and whether the server is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...client.embeddings import Embeddings
from ...client.images import Images
from ...client.models import Model, ModelList
from ...client.result import Result
from ...client.routing import Router
from ...errors import G4FLiteError
from ...providers.openai.models import model_for_chats
from .failures import ApiError, api_error
from .request import Request, Response, ignored_fields
from .streams import Streams

_IMAGE_OPTIONS = ("n", "size", "quality", "style", "response_format")
_EMBEDDING_OPTIONS = ("dimensions", "encoding_format", "user")


def health(router: Router, streams: Streams, request: Request) -> Response:
    """Say that the server is there."""
    return Response.of_json({"status": "ok"})


def models(router: Router, streams: Streams, request: Request) -> Response:
    """List the models."""
    return Response.of_json(ModelList(_models(router, streams)).to_dict())


def model(router: Router, streams: Streams, request: Request) -> Response:
    """Return one model of the list, whose name is the rest of the path."""
    name = request.path.split("/", 3)[-1]
    for found in _models(router, streams):
        if found.id == name:
            return Response.of_json(found.to_dict())
    raise ApiError(404, f"there is no model {name!r:.200}", code="model_not_found", param="model")


def _models(router: Router, streams: Streams) -> list[Model]:
    """Return the models, the one of requests that name none first, because clients take the first.

    Where any name is taken, there is at least the default model.
    """
    slot = streams.take(None)
    try:
        provider = router.provider()
        owners = router.owners()
        served = provider.get_model() or model_for_chats([name for name in owners if name not in router.models])
    except G4FLiteError as error:
        raise api_error(error) from error
    finally:
        slot.give_back()
    first = served or ("" if owners else "default")
    return [Model(name, owners.get(name, provider.name)) for name in dict.fromkeys([first, *owners]) if name]


def images(router: Router, streams: Streams, request: Request) -> Response:
    """Generate images."""
    body = request.json()
    prompt = body.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        raise ApiError(400, "prompt must be a text", param="prompt")
    return _answer(Images(router).generate, prompt, body, {"prompt"}, _IMAGE_OPTIONS, streams)


def embeddings(router: Router, streams: Streams, request: Request) -> Response:
    """Return the embeddings of texts."""
    body = request.json()
    if not isinstance(body.get("input"), (str, list)):
        raise ApiError(400, "input must be a text or a list of texts", param="input")
    return _answer(Embeddings(router).create, body["input"], body, {"input"}, _EMBEDDING_OPTIONS, streams)


def _answer(
    create: Callable[..., Result],
    value: Any,
    body: dict[str, Any],
    names: set[str],
    options: tuple[str, ...],
    streams: Streams,
) -> Response:
    """Call a method of the client with a request's value, its model and those of its fields that it knows."""
    given = {name: body[name] for name in options if body.get(name) is not None}
    ignored = body.keys() - {"model", *names, *options}
    slot = streams.take(None)
    try:
        made = create(value, body.get("model") or None, **given).to_dict()
    except (G4FLiteError, TypeError, ValueError) as error:
        raise api_error(error) from error
    finally:
        slot.give_back()
    return Response.of_json(made, headers=ignored_fields(ignored))
