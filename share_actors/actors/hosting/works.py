"""What the effects of each kind of entity mean in a host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from share_actors.actors.effects.backends import BackendDrivers
from share_actors.actors.effects.no_effects import NoWork
from share_actors.actors.effects.observed import ObservedWork
from share_actors.actors.effects.share import ShareWork
from share_actors.actors.effects.share_server import ServerWork
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.sealing import Sealer
from share_actors.events import share, share_server
from share_actors.events.aggregates import AGGREGATES
from share_actors.observability.counts import Counts
from share_actors.observability.tracing import Tracing


def make_works(
    backends: BackendDrivers,
    entity_client: EntityClient,
    sealer: Callable[[], Sealer],
    counts: Counts,
    tracing: Tracing | None = None,
) -> dict[str, Any]:
    """The `Work` of each kind of entity; the attempts of those that call drivers are counted and traced."""
    works: dict[str, Any] = dict.fromkeys(AGGREGATES, NoWork())
    of_shares = ShareWork(backends, entity_client=entity_client, sealer=sealer)
    of_servers = ServerWork(backends, entity_client, sealer)
    works[share.KIND] = ObservedWork(of_shares, counts.attempts, tracing)
    works[share_server.KIND] = ObservedWork(of_servers, counts.attempts, tracing)
    return works
