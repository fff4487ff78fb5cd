"""The catalog's part in finishing an upgrade."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from share_actors.actors.catalog_upgrades import CatalogUpgrades
from share_actors.errors import Refused
from share_actors.versions import OWN


def test_a_catalog_that_was_restarted_in_a_newer_version_does_not_write_what_was_not_checked() -> (
    None
):
    catalog = cast("Any", SimpleNamespace())  # it refuses before it reads its log

    with pytest.raises(Refused, match="restarted meanwhile") as raised:
        asyncio.run(CatalogUpgrades.finish_upgrade(catalog, OWN.log_format - 1))

    assert "upgrade finish" in raised.value.details["next_step"]
