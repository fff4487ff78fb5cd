"""Systems to test with; each is stopped after its tests, also when they fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.systems import Site
from tests.events.conftest import postgres_server

__all__ = ["NewSite", "new_site", "new_sites", "postgres_server"]

NewSite = Callable[..., Site]


def _factory(tmp: Callable[[], Path], made: list[Site]) -> NewSite:
    def new(**settings: Any) -> Site:
        made.append(Site(tmp(), **settings))
        return made[-1]

    return new


@pytest.fixture
def new_site(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewSite]:
    """A function that creates sites for one test."""
    made: list[Site] = []
    yield _factory(lambda: tmp_path_factory.mktemp("site"), made)
    for site in made:
        site.clear()


@pytest.fixture(scope="module")
def new_sites(cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewSite]:
    """A function that creates sites for the tests of one module."""
    made: list[Site] = []
    yield _factory(lambda: tmp_path_factory.mktemp("site"), made)
    for site in made:
        site.clear()
