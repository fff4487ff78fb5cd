"""Writers whose connection is cut in the middle of an append: others must not wait for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from share_actors.config import LogSettings
from share_actors.events.log import Log
from share_actors.events.log.partitions import partition_of
from tests.events.appending import append, eventually, ids
from tests.events.conftest import OpenLog
from tests.events.wire import Wire

CUTS, WARM = 8, 4
"""How often the connection is cut, and how many appends precede: the first of each connection are larger."""
BYTES = 20_000
"""More than one packet of a network has."""
END = 6
"""The last message of a statement, and a byte of the one before: a packet has both, unless it ends there."""


@pytest.fixture
def wire(postgres_server: LogSettings) -> Iterator[Wire]:
    with Wire(f"{postgres_server.host}/.s.PGSQL.5432") as wire:
        yield wire


def append_bytes(log: Log, after: int) -> object:
    """Append an event of many bytes, which do not compress, to the stream `far`."""
    noise = "".join(chr(33 + (n * n * 7919 + n // 11) % 90) for n in range(BYTES))
    return append(log, "far", after, noise)


@pytest.mark.parametrize("partitions", [1, 4])
def test_wherever_the_connection_of_a_writer_is_cut_others_go_on_writing(
    open_postgres: OpenLog, wire: Wire, partitions: int
) -> None:
    near = open_postgres(lock_timeout_s=1, partitions=partitions)
    far = open_postgres(host="127.0.0.1", port=wire.port, partitions=partitions)
    beside_far = in_partition_of("far", partitions)
    size = [bytes_of(wire, partial(append_bytes, far, n)) for n in range(WARM)][-1]

    with ThreadPoolExecutor(1) as beside:
        for n in range(CUTS):
            wire.cut_after(1 + (size - END - 1) * n // (CUTS - 1))
            cut_off = beside.submit(append_bytes, far, WARM + n)
            try:
                assert eventually(wire.is_cut, 20)

                append(near, beside_far, n, "x")
            finally:
                wire.drop()
            cut_off.result(60)
    assert len(ids(near.read("far"))) == WARM + CUTS
    assert ids(near.read(beside_far)) == ["x"] * CUTS


def bytes_of(wire: Wire, job: Callable[[], object]) -> int:
    """How many bytes *job* sends."""
    before = wire.sent
    job()
    return wire.sent - before


def in_partition_of(stream: str, partitions: int) -> str:
    """Another stream of the same partition, whose writers wait for each other."""
    names = (f"near{n}" for n in range(1000))
    wanted = partition_of(stream, partitions)
    return next(name for name in names if partition_of(name, partitions) == wanted)
