"""``client.models``: the models that can be used."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

from ..arguments import missing_attribute, unknown_name
from ..errors import ModelNotSupportedError
from .results import Model, ModelList
from .routing import Router


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
