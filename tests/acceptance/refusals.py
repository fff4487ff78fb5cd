"""A system that refuses invalid input, and a check that nothing is recorded then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from share_actors.client import ShareSystem
from share_actors.errors import ShareActorsError
from tests.acceptance.conftest import NewSite
from tests.acceptance.systems import Site, eventually


@pytest.fixture(scope="module")
def site(new_sites: NewSite, tmp_path_factory: pytest.TempPathFactory) -> Site:
    top = tmp_path_factory.mktemp("backends")
    backends = {
        "dummy": {"driver": "dummy", "options": {"directory": str(top / "dummy")}},
        "local": {"driver": "local", "options": {"root": str(top / "local")}},
        "missing": {
            "driver": "local",
            "options": {"root": str(top / "missing"), "require_mount": True},
        },
    }
    site = new_sites(backends=backends)
    eventually(lambda: site.system.capabilities().keys() == backends.keys())
    return site


@pytest.fixture
def system(site: Site) -> ShareSystem:
    return site.system


def refused(
    site: Site, call: Callable[[], Any], kind: type[ShareActorsError], field: str, value: object
) -> str:
    """Assert that *call* raises *kind* with *field* and *value*, and records nothing; the message."""
    before = site.head()
    with pytest.raises(ShareActorsError) as caught:
        call()
    assert type(caught.value) is kind
    assert (caught.value.field, caught.value.value) == (field, value)
    assert "Traceback" not in str(caught.value)
    assert site.head() == before
    return str(caught.value)
