"""The streams of a PostgreSQL log divided anew among another number of tables, all in one transaction.

1. The process takes the lease of the log, so no system can use it, and locks the tables against writers.
2. New tables get all rows, with the positions that they have.
3. All rows are read from the old and from the new tables in their order, and compared.
4. The new tables take the names of the old ones, which are kept under other names until told otherwise.

A crash before the commit leaves the log as it was, and nothing else. Catalog, checkpoints, archives and
proofs stay valid, since every event keeps its position and its bytes.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple
from uuid import uuid4

from share_actors.audit.statistics import Progress, no_progress
from share_actors.audit.transfer.repartition_tables import BEFORE, KEPT, open_tables
from share_actors.config import Config, LogSettings
from share_actors.errors import InvalidRequest
from share_actors.events.log import Log
from share_actors.events.log.lease.lease import Lease, Owner
from share_actors.events.log.lease.leased_log import LeaseKeeper, lease_store
from share_actors.events.log.partitions import MAX_PARTITIONS


class Repartitioned(NamedTuple):
    """What was done: the numbers of partitions before and now, and what was compared.

    *digest* is the SHA-256 of all rows in their order. *events* is None if the log had that many already.
    """

    before: int
    partitions: int
    events: int | None = None
    streams: int | None = None
    digest: str | None = None
    previous_tables: tuple[str, ...] = ()
    """The tables from before the last change, which are kept."""


def repartition(config: Config, partitions: int, progress: Progress = no_progress) -> Repartitioned:
    """Divide the log of *config* among *partitions* tables; repeat it after a crash.

    Raises `InvalidRequest` for a log that cannot have so many, or whose tables from before an earlier change
    are still kept, and `LogError` while a system uses the log, or if it cannot be written.
    """
    _check(config.log, partitions)
    with open_tables(config.log) as tables:
        before, kept = tables.partitions(), tables.names(BEFORE)
    if before == partitions:
        return Repartitioned(before, partitions, previous_tables=kept)
    if kept:
        raise InvalidRequest(
            f"the tables from before the last change are still there: {', '.join(kept)}{KEPT}",
            next_step="Check the log with `share-actors log verify`, then run `share-actors log repartition"
            " --drop-previous`, and repeat the command.",
            field="partitions",
            value=partitions,
        )
    with _owned(config, before) as lease, open_tables(config.log) as tables:
        tables.lock()
        tables.build(partitions)
        events, streams, digest = tables.compare(progress)
        tables.switch(partitions)
        tables.check_lease(lease)
        kept = tables.names(BEFORE)
        tables.commit()
    return Repartitioned(before, partitions, events, streams, digest, kept)


def drop_previous(config: Config) -> tuple[str, ...]:
    """Drop the tables from before the last change, and return their names; raises `LogError`."""
    _check(config.log, 1)
    with open_tables(config.log) as tables:
        names = tables.names(BEFORE)
        tables.drop(names)
        tables.commit()
    return names


def _check(settings: LogSettings, partitions: int) -> None:
    if settings.kind != "postgresql":
        raise InvalidRequest(
            f"log.kind is {settings.kind}: only a log in PostgreSQL can have partitions{KEPT}",
            field="log.kind",
            value=settings.kind,
        )
    if not 1 <= partitions <= MAX_PARTITIONS:
        raise InvalidRequest(
            f"partitions: {partitions} is not from 1 to {MAX_PARTITIONS}{KEPT}",
            field="partitions",
            value=partitions,
        )


@contextmanager
def _owned(config: Config, partitions: int) -> Iterator[Lease]:
    """The lease of the log of *config*, to which no other process may write meanwhile."""
    settings = config.log.model_copy(update={"partitions": partitions})
    owner = Owner(
        system=f"repartition/{uuid4().hex}",
        namespace=config.namespace,
        home=str(config.home),
        host=socket.gethostname(),
        pid=os.getpid(),
    )
    with closing(Log.open(settings, config.log_path, create=False)) as log:
        keeper = LeaseKeeper(lease_store(settings, config.log_path), owner)
        keeper.keep(log)
        yield keeper.lease
