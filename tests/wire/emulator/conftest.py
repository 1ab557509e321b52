"""Clients of an emulator, closed at the end of the test."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
import requests

from g4f_lite.emulator import Emulator

from .site_client import SiteClient


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """Give a browser's worth of client."""
    with requests.Session() as opened:
        yield opened


@pytest.fixture
def client(emulator: Emulator) -> Iterator[HTTPConnection]:
    """Give a client of one connection."""
    connection = HTTPConnection(emulator.url.removeprefix("http://"), timeout=5)
    yield connection
    connection.close()


@pytest.fixture(params=["2.6.3", "3.6.2"])
def site(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """Run the emulator with each of two versions of AI Engine."""
    with Emulator(plugin_version=request.param) as running:
        yield running


@pytest.fixture
def site_client(site: Emulator) -> Iterator[SiteClient]:
    """Give a client of the site that has a session."""
    made = SiteClient(site)
    made.start()
    yield made
    made.session.close()
