"""Which requests ``G4F_LITE_OFFLINE=1`` forbids."""

from __future__ import annotations

from ..arguments import is_switched_on
from ..errors import ProviderNotConfiguredError
from .urls import is_loopback, origin_of


def refuse_when_offline(url: str) -> None:
    """Raise if ``G4F_LITE_OFFLINE=1`` forbids a request.

    :raises ProviderNotConfiguredError: if the URL leads to another machine
    :raises ValueError: if the variable's value makes no sense
    """
    if not is_loopback(url) and is_switched_on("G4F_LITE_OFFLINE"):
        raise ProviderNotConfiguredError(
            f"G4F_LITE_OFFLINE=1 allows nothing but loopback, and {origin_of(url)} is not; unset it to go there"
        )
