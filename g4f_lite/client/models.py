"""``client.models.list``: the models that can be used."""

from __future__ import annotations

from .results import Model, ModelList
from .routing import Router


class Models:
    """The object ``client.models``."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def list(self) -> ModelList:
        """List the names that ``model=`` accepts: those in ``models={…}``, and those that the provider lists.

        :raises G4FLiteError: if the service does not return its models
        """
        owner = self._router.provider().name
        return ModelList([Model(name, owner) for name in self._router.get_models()])
