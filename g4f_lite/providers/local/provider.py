"""A model on this machine: no key, no account, no service."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...messages import Message
from ...timeout import CallRetry, TimeoutLike
from ..openai.embeddings import Vectors
from . import weights
from .base import EngineProvider
from .catalogue import DEFAULT, WEIGHTS
from .embeddings import embed
from .keep_alive import KeepAlive
from .references import name_of
from .runner import Runner
from .token_count import count_tokens
from .vision import VARIABLE, checked_file


class Local(EngineProvider):
    """llama.cpp in a process of its own, which is started when it is needed and ends with this one.

    Its own model is SmolLM2-135M-Instruct, which is fetched once, checked, and kept.  It is small: good for a
    first try, for tests and for demos.

    :param model: a known name such as ``"smollm2"`` or ``"qwen3-0.6b"``, a file on Hugging Face's hub as
        ``"hf:owner/name:Q4_K_M"``, or the path of a ``.gguf`` file
    :param download: whether the weights may be fetched, or the name of the one model whose may; None: those of smollm2,
        at a terminal or in a notebook
    :param context: tokens that a prompt and its answer may have together; None is ``G4F_LITE_CONTEXT``, or 4096
    :param threads: threads to compute with; None is ``G4F_LITE_THREADS``, or the free cores when the engine starts
    :param keep_alive: seconds, or a string such as ``"5m"``, that the engine waits for the next call before it
        ends; a call after that starts it again.  -1 is for ever
    :param mmproj: the path, or the name on the hub, of the projector with which the model sees images; None is
        ``G4F_LITE_MMPROJ`` for the model in ``G4F_LITE_MODEL``, and text only for others
    :param settings: as for every provider, but no ``api_key`` and no ``base_url``; ``proxy`` and ``session`` are not
        used
    """

    default_model = DEFAULT
    models = tuple(WEIGHTS)
    pull = staticmethod(weights.pull)

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        download: bool | str | None = None,
        context: int | None = None,
        threads: int | None = None,
        keep_alive: KeepAlive = 300,
        mmproj: str | Path | None = None,
        **settings: Any,
    ) -> None:
        if useless := {"api_key", "base_url"} & settings.keys():
            raise TypeError(f"Local has no use for {min(useless)}=: it is on this machine; name another provider")
        name = None if model is None else str(model)
        seeing, variable = None, os.environ.get(VARIABLE)
        if mmproj is None and variable and name and name == os.environ.get("G4F_LITE_MODEL"):
            mmproj, seeing = checked_file(variable, VARIABLE), self.get_model(name)
        runner = Runner(download, context, threads, keep_alive, mmproj, seeing)
        super().__init__(runner, model=name, **settings)

    def get_model(self, name: str | None = None) -> str:
        """Return a known name, a reference, or the resolved path of a model's file.

        :param name: one of these, or what a completion calls its model: the file's name without ``.gguf``
        :raises ModelNotSupportedError: if it is neither, or the file cannot be used
        """
        return name_of(name, getattr(self, "model", None) or self.default_model)

    def get_models(self) -> list[str]:
        """Return its own model, and the known ones whose weights are on this machine."""
        return list(dict.fromkeys([self.get_model(), *(name for name in WEIGHTS if weights.find(name))]))

    def embed(self, texts: str | Sequence[str], *, model: str | None = None) -> list[list[float]]:
        """Return a vector for each text; the nearer two of them are, the more the texts have in common.

        A model for chats gives the mean over its tokens, which is rough; one made for this does better.

        :param texts: one text, or several
        :param model: as for the class
        :raises TypeError: if they are not strings
        :raises ValueError: if there is none, or an empty one
        :raises G4FLiteError: if there are no vectors
        """
        return embed(self, texts, self.get_model(model)).vectors

    def create_embeddings(
        self,
        input: str | Sequence[str],
        model: str | None = None,
        proxy: str | None = None,
        timeout: TimeoutLike = None,
        *,
        retry: CallRetry = "own",
    ) -> Vectors:
        """Do as :meth:`embed`, for ``client.embeddings``; a proxy is not used."""
        return embed(self, input, self.get_model(model), timeout, retry)

    def count_tokens(self, prompt: str | Sequence[Message], *, model: str | None = None) -> int:
        """Count the tokens of a text, or of messages with all that the model's template adds to them.

        :param model: as for the class
        :raises G4FLiteError: if the engine does not answer
        """
        return count_tokens(self, prompt, self.get_model(model))
