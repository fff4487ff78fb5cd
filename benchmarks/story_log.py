"""Writes a log of many shares, as a system would have recorded it, for the benchmarks of reading."""

from __future__ import annotations

import argparse
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from share_actors.config import LogSettings
from share_actors.events.attempts import AttemptStarted
from share_actors.events.backend import BackendUp
from share_actors.events.decider import Event
from share_actors.events.envelope import Envelope
from share_actors.events.log import Log
from share_actors.events.log.codec import Codec
from share_actors.events.share.access import AccessAllowed, AccessDenied, AccessRulesApplied
from share_actors.events.share.creation import ShareCreated, ShareCreationRequested
from share_actors.events.share.deletion import ShareDeleted, ShareDeletionRequested
from share_actors.events.share.resize import ShareResized, ShareResizeRequested
from share_actors.values import Capabilities, ExportLocation, Placement, Pool, ShareSpec

START = datetime(2026, 1, 1, tzinfo=UTC)
BATCH_SIZE = 20_000
Told = tuple[str | None, Event]
Row = tuple[str, int, str, bytes]


def write(
    path: Path, shares: int, *, interleaved: int = 500, events_of_a_share: int | None = None
) -> int:
    """Write a SQLite log with *shares* shares and return how many events it has.

    *interleaved* shares live at the same time: event by event, each in turn gets its next. With 3
    *events_of_a_share* each is created, and nothing more happens to it.
    """
    Log.open(LogSettings(), path).close()
    events = 1
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("INSERT INTO stored_events VALUES (?, ?, ?, ?)", _report())
        for first in range(0, shares, interleaved):
            numbers = range(first, min(first + interleaved, shares))
            rows = list(_rows(numbers, events, events_of_a_share))
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO stored_events VALUES (?, ?, ?, ?)", rows)
            connection.execute("COMMIT")
            events += len(rows)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return events


def _rows(numbers: range, recorded: int, most: int | None) -> Iterator[Row]:
    codec, seconds = Codec(), count(recorded)
    stories = [(number, list(_story(number, recorded))[:most]) for number in numbers]
    for step in range(max(len(story) for _, story in stories)):
        for number, story in stories:
            if step >= len(story):
                continue
            command_id, event = story[step]
            envelope = _envelope(command_id, number, next(seconds))
            event_id = f"{number:016x}-{step + 1}"
            row = codec.encode(f"share-s{number}", step + 1, event_id, envelope, event)
            yield str(row.originator_id), row.originator_version, row.topic, row.state


def _report() -> Row:
    """The report of the backend `nas`, with two pools."""
    pools = tuple(
        Pool(name=name, total_capacity_gib=total, free_capacity_gib=total, thin_provisioning=False)
        for name, total in (("gold", 1e9), ("bronze", 3.0))
    )
    capabilities = Capabilities(
        backend_name="nas",
        driver_name="dummy",
        storage_protocols=("NFS",),
        access_types=("ip",),
        pools=pools,
    )
    event = BackendUp(backend="nas", capabilities=capabilities, wrong={}, at=START)
    row = Codec().encode("backend-nas", 1, "backend-nas/1", _envelope(None, 0, 0), event)
    return str(row.originator_id), row.originator_version, row.topic, row.state


def _envelope(command_id: str | None, number: int, second: int) -> Envelope:
    return Envelope(
        command_id=command_id,
        fingerprint=None if command_id is None else f"{number:032x}",
        correlation_id=command_id or f"request-{number}",
        request_id=f"req-{number}",
        user_id=f"user{number % 50}",
        project_id=f"project{number % 20}",
        roles=("member",),
        at=START + timedelta(seconds=second),
        writer=f"activation-{number}",
    )


def _story(number: int, recorded: int) -> Iterator[Told]:
    """Created, opened to two clients, extended and closed to one; each tenth share is deleted."""
    yield f"create-{number}", _requested(number, recorded)
    yield None, _began("create")
    yield None, ShareCreated(export_locations=(_export(number),))
    for rule in (1, 2):
        yield f"allow-{number}-{rule}", _allowed(number, rule)
        yield None, _began("access")
        yield None, AccessRulesApplied(applied=(f"r{number}-{rule}",))
    yield f"extend-{number}", ShareResizeRequested(doing="extend", size=20)
    yield None, _began("extend")
    yield None, ShareResized(doing="extend", size=20)
    yield f"deny-{number}", AccessDenied(access_id=f"r{number}-1")
    yield None, _began("access")
    yield None, AccessRulesApplied(removed=(f"r{number}-1",))
    if number % 10 == 0:
        yield f"delete-{number}", ShareDeletionRequested(cascade=False)
        yield None, _began("delete")
        yield None, AccessRulesApplied(removed=(f"r{number}-2",))
        yield None, _began("delete")
        yield None, ShareDeleted()


def _requested(number: int, recorded: int) -> ShareCreationRequested:
    spec = ShareSpec(
        name=f"share {number}",
        description=None,
        share_proto="NFS",
        host="nas#gold",
        project_id=f"project{number % 20}",
        user_id=f"user{number % 50}",
        metadata={"team": "physics"},
        is_public=False,
        availability_zone=None,
        share_type="gold",
        share_network_id=None,
    )
    refused = {"nas#bronze": {"capacity": "needs 10 GiB, has 3"}}
    placement = Placement(
        filters="capabilities capacity", refused=refused, weights={"nas#gold": 0.5}
    )
    return ShareCreationRequested(
        share_id=f"s{number}",
        spec=spec,
        size=10,
        source=None,
        placement=placement,
        at=START + timedelta(seconds=recorded),
    )


def _began(effect: str) -> AttemptStarted:
    return AttemptStarted(n=1, effect=effect, activation="activation-1", timeout_s=60.0)


def _allowed(number: int, rule: int) -> AccessAllowed:
    to = f"10.{number % 250}.{rule}.0/24"
    return AccessAllowed(
        access_id=f"r{number}-{rule}", access_type="ip", access_to=to, access_level="rw"
    )


def _export(number: int) -> ExportLocation:
    return ExportLocation(path=f"10.0.0.1:/exports/s{number}", preferred=True)


def main() -> None:
    """Write one log."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.story_log", description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--shares", type=int, default=75_000, help="13 to 16 events each")
    options = parser.parse_args()
    print(write(options.path, options.shares))


if __name__ == "__main__":
    main()
