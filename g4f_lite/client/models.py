"""``client.models``: the models that can be used."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..arguments import missing_attribute, unknown_name
from ..errors import ModelNotSupportedError
from .result import Result
from .routing import Router


@dataclass(slots=True)
class Model(Result):
    """The name of a model; ``created`` is 0, because providers do not report it.

    :ivar owned_by: the name of the provider; of a chain, of the members that have the model, as in "Groq or Local"
    """

    id: str
    owned_by: str
    created: int = 0
    object: Literal["model"] = "model"


@dataclass(slots=True)
class ModelList(Result):
    """The available models; iterate it."""

    data: list[Model] = field(default_factory=list)
    object: Literal["list"] = "list"

    def __iter__(self) -> Iterator[Model]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)


class Models:
    """The object ``client.models``."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def __repr__(self) -> str:
        return "<client.models, with list() and retrieve()>"

    def list(self) -> ModelList:
        """List the names that ``model=`` accepts: those in ``models={…}``, and those that the provider lists.

        :raises G4FLiteError: if the service does not return its models
        """
        return ModelList([Model(name, owner) for name, owner in self._router.owners().items()])

    def retrieve(self, model: str) -> Model:
        """Return what :meth:`list` has of one model.

        :param model: its name
        :raises ModelNotSupportedError: if it is not in the list
        :raises G4FLiteError: if the service does not return its models
        """
        listed = self.list()
        for found in listed.data:
            if found.id == model:
                return found
        provider = self._router.provider()
        names = [found.id for found in listed.data]
        error = ModelNotSupportedError(unknown_name("model", model, names, provider.name))
        provider.scrub(error)
        raise error

    def get_all(self) -> builtins.list[str]:
        """Return the names in :meth:`list`; the method has g4f's name.

        :raises G4FLiteError: if the service does not return its models
        """
        return [*self._router.owners()]

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(missing_attribute("client.models", name))
