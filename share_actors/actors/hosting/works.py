"""What the effects of each kind of entity mean in a host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from share_actors.actors.effects.backends import BackendDrivers
from share_actors.actors.effects.no_effects import NoWork
from share_actors.actors.effects.share import ShareWork
from share_actors.actors.effects.share_server import ServerWork
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.sealing import Sealer
from share_actors.events import share, share_server
from share_actors.events.aggregates import AGGREGATES


def make_works(
    backends: BackendDrivers, entity_client: EntityClient, sealer: Callable[[], Sealer]
) -> dict[str, Any]:
    """The `Work` of each kind of entity."""
    works: dict[str, Any] = dict.fromkeys(AGGREGATES, NoWork())
    works[share.KIND] = ShareWork(backends, entity_client=entity_client, sealer=sealer)
    works[share_server.KIND] = ServerWork(backends, entity_client, sealer)
    return works
