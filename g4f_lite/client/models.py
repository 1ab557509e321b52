"""``client.models.list``: the models that can be asked."""

from __future__ import annotations

from .results import Model, ModelList
from .routing import Router


class Models:
    """What ``client.models`` is."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def list(self) -> ModelList:
        """List what ``model=`` can be: the names in ``models={…}``, and those that the provider lists.

        :raises G4FLiteError: the provider's service could not be asked
        """
        owner = self._router.provider().name
        return ModelList([Model(name, owner) for name in self._router.get_models()])
