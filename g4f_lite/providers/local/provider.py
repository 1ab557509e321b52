"""A model embedded in this process: no key, no account, no service."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import requests

from ...answers.images import ImageResponse
from ...errors import ModelNotSupportedError, ProviderNotConfiguredError
from ...http.exchange import Route
from ...prompt import Prompt
from ..openai.base import OpenAIProvider
from ..openai.options import EXTRAS, OPTIONS
from . import weights
from .engine import check_gguf, check_installed, engine_for

SYSTEM = "You are a helpful assistant."
# Of 15 settings tried with this model, the best first impression; a long answer does not repeat itself.
SAMPLING = {"temperature": 0, "repeat_penalty": 1.0, "dry_multiplier": 0.8, "dry_allowed_length": 3}
MAX_TOKENS = 512  # of an answer, unless the caller says otherwise: asked for a story, it finds no end by itself
LIMITS = {"max_tokens", "max_completion_tokens", "n_predict"}
NOWHERE = "http://127.0.0.1/v1"  # until the engine has started and chosen a port


class Local(OpenAIProvider):
    """llama.cpp inside this process, talked to through its own server on loopback.

    Its own model is SmolLM2-135M-Instruct, which is fetched once, checked, and kept in the user's
    cache directory.  It is small: good for a first try, for tests and for demos.

    :param model: ``"smollm2"``, or the path of any ``.gguf`` file
    :param download: whether the weights may be fetched: None asks nobody at a terminal or in a
        notebook, and raises elsewhere
    """

    default_model = "smollm2"
    models = ("smollm2",)
    known_options = OPTIONS - EXTRAS - {"n"}

    def __init__(self, model: str | Path | None = None, *, download: bool | None = None, **settings: Any) -> None:
        if useless := {"api_key", "base_url"} & settings.keys():
            raise TypeError(f"Local has no use for {min(useless)}=: it is in this process; name another provider")
        if download is not None and not isinstance(download, bool):
            raise TypeError(f"download must be True, False or None, not {type(download).__name__}")
        self._download = download
        self._paths: dict[str, Path] = {}
        super().__init__(base_url=NOWHERE, model=None if model is None else str(model), **settings)
        self.default_model = "smollm2"

    def get_model(self, name: str | None = None) -> str:
        """Give ``"smollm2"`` or the resolved path of a model's file.

        :param name: one of these, or what a completion calls its model: the file's name without ``.gguf``
        :raises ModelNotSupportedError: it is neither, or the file cannot be used
        """
        own: str = getattr(self, "model", None) or self.default_model
        files = {known: weights.WEIGHTS[known].file_name for known in self.models}
        files.setdefault(own, own)  # behind the others, so that of two files of one name its own is meant
        name = {Path(file).stem: known for known, file in files.items()}.get(name or own, name or own)
        if name in self.models:
            return name
        if not name.endswith(".gguf") and not Path(name).exists():
            raise ModelNotSupportedError(f"Local has no model {name!r}: it is 'smollm2' or the path of a .gguf file")
        return str(check_gguf(name))

    def get_models(self) -> list[str]:
        return [self.get_model()]

    def generate_image(self, *_: Any, **__: Any) -> ImageResponse:
        """Raise: its models write text only.

        :raises ProviderNotConfiguredError: always
        """
        raise ProviderNotConfiguredError("it draws no pictures; name a provider that does", provider=self.name)

    def check(self, prompt: Prompt) -> None:
        super().check(prompt)
        prompt.check_text_only(self.name)
        self._path(self.get_model(prompt.model))  # fetched at the call, so that no time limit of an answer cuts it

    def request(self, prompt: Prompt, token: str) -> requests.Request:
        model = prompt.model or self.default_model
        if model in self.models:
            limit = {} if prompt.options.keys() & LIMITS else {"max_tokens": MAX_TOKENS}
            messages = prompt.messages
            if messages[0]["role"] not in ("system", "developer"):
                messages = [{"role": "system", "content": SYSTEM}, *messages]
            prompt = replace(prompt, messages=messages, options={**limit, **SAMPLING, **prompt.options})
        request = super().request(prompt, token)
        request.url = engine_for(self._path(model)).base_url + self.api_endpoint
        return request

    def route(self, proxy: str | None = None) -> Route:
        """Leave every proxy out: what is asked here stays on this machine."""
        return Route()

    def _path(self, model: str) -> Path:
        if model not in self._paths:
            check_installed()
            is_ours = model in self.models
            self._paths[model] = weights.fetch(model, download=self._download) if is_ours else Path(model)
        return self._paths[model]
