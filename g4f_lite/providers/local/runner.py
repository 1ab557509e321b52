"""What ``Local`` runs its models with: their files, and the engines for them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from ...arguments import check_whole_number, hide_keys, warn
from ...http.deadline import Deadline
from . import weights
from .engine import Engine, EngineSettings
from .engines import engine_for
from .gguf import Metadata, read_metadata
from .keep_alive import KeepAlive, seconds_of
from .kinds import check_model, check_projector, lacks_template
from .process import check_installed
from .references import is_reference
from .vision import checked_file

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
    :param seeing: the one model that it is for; None for any
    :raises ModelNotSupportedError: if there is no such projector
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
        seeing: str | None = None,
    ) -> None:
        if download is not None and not isinstance(download, (bool, str)):
            raise TypeError(f"download must be True, False, a model's name or None, not {type(download).__name__}")
        if isinstance(download, str) and not is_reference(download):
            raise ValueError(f"download must be True, False, a model's name or None, not {download!r:.80}")
        asked = context_setting(context)
        self.context = asked or CONTEXT
        self._source = "" if asked is None else "context=" if context is not None else "G4F_LITE_CONTEXT="
        self.keep_alive = seconds_of(keep_alive)
        self._threads = _number(threads, "threads", "G4F_LITE_THREADS", most=_MOST_THREADS)
        self._download = download
        self._mmproj = None if mmproj is None else checked_file(os.fspath(mmproj), "mmproj=")
        self._seeing = seeing
        self._paths: dict[str, Path] = {}
        self._capped: set[str] = set()  # the models whose context is smaller than was asked for, which was told
        self._warned_of: set[str] = set()  # the models without a chat template of which a warning has told

    def path(self, model: str) -> Path:
        """Return the file of a model, fetched where it is not here.

        :param model: a known name, a reference, or a path
        """
        if model not in self._paths:
            check_installed()
            named = is_reference(model)
            self._paths[model] = weights.fetch(model, download=self._download) if named else Path(model)
        return self._paths[model]

    def check_here(self, model: str) -> bool:
        """Return whether a model's file is here; raise if no call would fetch it, or if the engine is not here.

        :param model: as in :meth:`path`
        """
        check_installed()
        return not is_reference(model) or weights.find_or_allow(model, download=self._download) is not None

    def projector(self, model: str) -> Path | None:
        """Return the file with which a model sees images, fetched where it is not here; None for text only.

        :raises ModelNotSupportedError: if it is a model itself
        """
        if self._mmproj is None or self._seeing not in (None, model):
            return None
        path = self.path(self._mmproj)
        check_projector(path, read_metadata(path))
        return path

    def metadata(self, model: str) -> Metadata:
        """Return what a model's file says about it.

        :raises ModelNotSupportedError: if it is damaged, or holds no whole model
        """
        path = self.path(model)
        metadata = read_metadata(path)
        check_model(path, metadata)
        return metadata

    def context_of(self, model: str) -> int:
        """Return how many tokens a prompt and its answer may have together."""
        return min(self.context, self.largest_context(model) or self.context)

    def largest_context(self, model: str) -> int | None:
        """Return how many tokens a model can have at most; None if its file does not say so."""
        return self.metadata(model).context or None

    def engine(self, model: str, call: Deadline, *, embeddings: bool = False) -> Engine:
        """Return the running engine of a model, starting it where there is none.

        :param call: the call that needs it, with its limits
        :param embeddings: whether it gives vectors, and no answers
        """
        self._warn_if_capped(model)
        projector = None if embeddings else self.projector(model)
        settings = EngineSettings(self.path(model), self.context_of(model), self._threads, embeddings, projector)
        return engine_for(settings, self.keep_alive, call)

    def lacks_template(self, model: str) -> str | None:
        """Say that a model has no chat template, and what to do; None if it has one."""
        return lacks_template(self.path(model), self.metadata(model))

    def warn_of_base(self, model: str) -> None:
        """Warn, once for a model, if it has no chat template."""
        if (lacking := self.lacks_template(model)) and model not in self._warned_of:
            self._warned_of.add(model)
            warn(lacking)

    def _warn_if_capped(self, model: str) -> None:
        """Warn, once for a model, if it cannot have a context as large as was asked for."""
        context = self.context_of(model)
        if self._source and context < self.context and model not in self._capped:
            self._capped.add(model)
            most = f"{os.path.basename(model)} can have a context of {context} tokens at most"
            warn(f"{most}, and gets that instead of {self._source}{self.context}")


def context_setting(given: int | None = None) -> int | None:
    """Return the context that was given, or else that of the environment; None for neither.

    :raises TypeError: if it is not a whole number
    :raises ValueError: if it makes no sense
    """
    return _number(given, "context", "G4F_LITE_CONTEXT", least=SMALLEST_CONTEXT, most=LARGEST_CONTEXT)


def _number(given: Any, name: str, variable: str, *, least: int = 1, most: int | None = None) -> int | None:
    """Return a whole number that was given, or else that of a variable of the environment; None for neither.

    :param name: the name of the argument, for the error
    :param variable: the variable, which is empty or not set where there is no number
    :raises TypeError: if what was given is not a whole number
    :raises ValueError: if the number is less than ``least`` or more than ``most``, or the variable has none
    """
    if given is not None:
        return check_whole_number(given, name, least=least, most=most)
    value = os.environ.get(variable, "").strip()
    if not value:
        return None
    if not re.fullmatch(r"[+-]?\d{1,18}", value, re.ASCII):
        raise ValueError(f"{variable} must be a whole number, not {hide_keys(value)!r}")
    return check_whole_number(int(value), variable, least=least, most=most)
