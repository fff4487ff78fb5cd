"""A system with backends that are good, slow, broken or shaky."""

from __future__ import annotations

from itertools import count

import pytest

from share_actors.client import ShareSystem
from tests.acceptance.conftest import NewSite
from tests.acceptance.systems import Site, eventually

_numbers = count(1)


def faulty(home: str, **options: object) -> dict[str, object]:
    return {"driver": "dummy", "backoff_s": 0.05, "options": {"directory": home, **options}}


@pytest.fixture(scope="module")
def site(new_sites: NewSite, tmp_path_factory: pytest.TempPathFactory) -> Site:
    top = tmp_path_factory.mktemp("backends")
    homes = {name: str(top / name) for name in ("dummy", "slow", "broken", "shaky")}
    backends = {
        "dummy": faulty(homes["dummy"]),
        "local": {"driver": "local", "options": {"root": str(top / "local")}},
        "slow": faulty(homes["slow"], delay_s=5.0),
        "broken": faulty(homes["broken"], fail={"create_share": "no space left"}),
        "shaky": faulty(homes["shaky"], bug={"create_share": 5}),
    }
    site = new_sites(backends=backends)
    eventually(lambda: site.system.capabilities().keys() == backends.keys())
    return site


@pytest.fixture
def system(site: Site) -> ShareSystem:
    return site.system


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"share-{next(_numbers)}"
