"""What every shipped driver declares of access rules, by protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from share_actors.config import Config
from share_actors.drivers.registry import known_drivers, load_driver
from share_actors.drivers.share_stats import class_capabilities
from share_actors.errors import InvalidRequest
from share_actors.testing import sync_system
from share_actors.values import AccessLevel, AccessType

SHIPPED = ("btrfs", "btrfs-servers", "dummy", "local", "local-servers")


def test_these_drivers_are_shipped() -> None:
    assert set(SHIPPED) <= set(known_drivers())


@pytest.mark.parametrize("name", SHIPPED)
def test_a_driver_declares_the_types_and_levels_of_rules_of_each_of_its_protocols(
    name: str,
) -> None:
    driver = load_driver(name)

    assert set(driver.access_support) == set(driver.protocols)
    for types in driver.access_support.values():
        assert types
        assert types.keys() <= set(driver.access_types) <= set(get_args(AccessType))
        assert all(set(levels) <= set(get_args(AccessLevel)) for levels in types.values())


@pytest.mark.parametrize("name", ["dummy", "local", "local-servers"])
def test_a_backend_reports_what_its_driver_declares(name: str) -> None:
    driver: Any = load_driver(name)

    reported = class_capabilities(driver.__new__(driver))["access_support"]

    assert reported == driver.access_support


def test_a_rule_of_a_type_that_the_protocol_does_not_have_is_refused_and_not_recorded(
    tmp_path: Path,
) -> None:
    backends: dict[str, Any] = {"d": {"driver": "local", "options": {"root": str(tmp_path / "d")}}}
    with sync_system(Config(home=tmp_path / "home", backends=backends)) as system:
        share = system.create_share(size=1)
        before = len(list(share.history()))

        with pytest.raises(InvalidRequest, match="backend d supports user, not 'ip' for NFS"):
            share.allow_access("10.0.0.1", type="ip")

        assert len(list(share.history())) == before
