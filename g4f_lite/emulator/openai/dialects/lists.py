"""How servers list their models, and what they tell about images."""

from __future__ import annotations

import base64
from typing import Any

from ...exchange import Exchange
from ...png import draw_png
from ...record import ReceivedRequest
from ...reply import Reply, bytes_reply
from ..call import Call
from ..dialect import Dialect

Models = list[dict[str, Any]]
_CREATED = 1589478378


def _bare(models: Models) -> object:
    return [{"id": model["id"], "object": "model", "type": "chat"} for model in models]


def _ids(models: Models) -> object:
    return {"data": [{"id": model["id"]} for model in models]}


def _tags(models: Models) -> object:
    return {"models": [{"name": model["id"], "model": model["id"], "size": 1} for model in models]}


def _tags_path(request: ReceivedRequest) -> str | None:
    return {"/api/tags": "/v1/models", "/v1/models": None}.get(request.path, request.path)


def _go(exchange: Exchange) -> Reply:
    return bytes_reply(404, "text/plain", b"404 page not found")


def _both(models: Models) -> object:
    names = [{"name": model["id"], "model": model["id"], "type": "model"} for model in models]
    return {"models": names, "object": "list", "data": models}


def _prefixed(models: Models) -> object:
    return {"object": "list", "data": [{**model, "id": f"models/{model['id']}"} for model in models]}


def _revised(answer: dict[str, Any], call: Call) -> dict[str, Any]:
    revised = f"A detailed drawing of {call.body['prompt']}"
    return {"created": _CREATED, "data": [{**image, "revised_prompt": revised} for image in answer["data"]]}


def _encoded(answer: dict[str, Any], call: Call) -> dict[str, Any]:
    prompt = call.body["prompt"]
    encoded = base64.b64encode(draw_png(prompt)).decode()
    words = len(prompt.split())
    return {
        "created": _CREATED,
        "background": "opaque",
        "data": [{"b64_json": encoded} for _ in answer["data"]],
        "output_format": "png",
        "quality": "medium",
        "size": "1024x1024",
        "usage": {
            "input_tokens": words,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": words},
            "output_tokens": 1056,
            "total_tokens": words + 1056,
        },
    }


DIALECTS = [
    Dialect("models-bare-list", "List the models as a list, without an object around it.", "Together", models=_bare),
    Dialect(
        "models-ids-only", "List the models by their ids and nothing else.", "small servers and proxies", models=_ids
    ),
    Dialect(
        "ollama-tags",
        "List the models at `/api/tags`, and not at `/v1/models`.",
        "older Ollama",
        path=_tags_path,
        not_found=_go,
        models=_tags,
    ),
    Dialect(
        "llama.cpp-models", "List the models twice, as `models` and as `data`.", "llama.cpp's server", models=_both
    ),
    Dialect("gemini-models", "List the models with `models/` before each id.", "Gemini", models=_prefixed),
    Dialect(
        "images-revised-prompt",
        "Answer about an image with the prompt that was drawn, and with a time of its own.",
        "OpenAI's DALL-E 3",
        images=_revised,
    ),
    Dialect(
        "images-encoded",
        "Answer with the image itself and a usage, though a URL is asked for.",
        "OpenAI's gpt-image-1",
        images=_encoded,
    ),
]
