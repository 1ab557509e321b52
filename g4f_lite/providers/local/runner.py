"""What ``Local`` runs its models with: their files, and the engines for them."""

from __future__ import annotations

import os
from pathlib import Path

from ...arguments import number_setting
from ...http.deadline import Deadline
from . import weights
from .engine import Engine, EngineSettings
from .engines import engine_for
from .gguf import Metadata, check_gguf, read_metadata
from .keep_alive import KeepAlive, seconds_of
from .process import check_installed
from .references import is_reference

CONTEXT = 4096
SMALLEST_CONTEXT = 256
LARGEST_CONTEXT = 1 << 24
_MOST_THREADS = 512  # of ggml; more would be started, and compete for the processors


class Runner:
    """Finds the file of a model, and gives the engine that runs it.

    :param download: whether weights may be fetched; None: see :func:`.weights.fetch`
    :param context: tokens that a prompt and its answer may have together; None is G4F_LITE_CONTEXT, or 4096.
        A model that can have fewer has as many as it can
    :param threads: threads to compute with; None is G4F_LITE_THREADS, or as many as there are free cores
    :param keep_alive: how long an engine waits for the next call
    :param mmproj: the path or the name of the file with which a model sees images
    :raises TypeError: if one of them has the wrong type
    :raises ValueError: if one of them makes no sense
    """

    def __init__(
        self,
        download: bool | str | None,
        context: int | None,
        threads: int | None,
        keep_alive: KeepAlive,
        mmproj: str | Path | None,
    ) -> None:
        if download is not None and not isinstance(download, (bool, str)):
            raise TypeError(f"download must be True, False, a model's name or None, not {type(download).__name__}")
        if isinstance(download, str) and not is_reference(download):
            raise ValueError(f"download must be True, False, a model's name or None, not {download!r:.80}")
        asked = number_setting(context, "context", "G4F_LITE_CONTEXT", least=SMALLEST_CONTEXT, most=LARGEST_CONTEXT)
        self.context = asked or CONTEXT
        self.keep_alive = seconds_of(keep_alive)
        self._threads = number_setting(threads, "threads", "G4F_LITE_THREADS", most=_MOST_THREADS)
        self._download = download
        self._mmproj = None if mmproj is None else os.fspath(mmproj)
        self._paths: dict[str, Path] = {}

    def path(self, model: str) -> Path:
        """Return the file of a model, fetched where it is not here.

        :param model: a known name, a reference, or a path
        """
        if model not in self._paths:
            check_installed()
            named = is_reference(model)
            self._paths[model] = weights.fetch(model, download=self._download) if named else Path(model)
        return self._paths[model]

    def check_here(self, model: str) -> None:
        """Raise if the engine, or a model's file that no call would fetch, is not here; nothing is downloaded.

        :param model: as in :meth:`path`
        """
        check_installed()
        if is_reference(model):
            weights.find_or_allow(model, download=self._download)

    def projector(self) -> Path | None:
        """Return the file with which a model sees images, fetched where it is not here; None for text only.

        :raises ModelNotSupportedError: if there is no such file
        """
        return None if self._mmproj is None else check_gguf(self.path(self._mmproj))

    def metadata(self, model: str) -> Metadata:
        """Return what a model's file says about it."""
        return read_metadata(self.path(model))

    def context_of(self, model: str) -> int:
        """Return how many tokens a prompt and its answer may have together."""
        return min(self.context, self.largest_context(model) or self.context)

    def largest_context(self, model: str) -> int | None:
        """Return how many tokens a model can have at most; None if its file does not say so."""
        own = self.metadata(model).get("context_length")
        return own if isinstance(own, int) and own > 0 else None

    def engine(self, model: str, call: Deadline, *, embeddings: bool = False) -> Engine:
        """Return the running engine of a model, starting it where there is none.

        :param call: the call that needs it, with its limits
        :param embeddings: whether it gives vectors, and no answers
        """
        projector = None if embeddings else self.projector()
        settings = EngineSettings(self.path(model), self.context_of(model), self._threads, embeddings, projector)
        return engine_for(settings, self.keep_alive, call)
