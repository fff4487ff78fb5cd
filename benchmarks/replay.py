"""Reading a stored log: its fold, the comparison with a reference, and past fleets with and without index.

The rates are of one core, by its CPU time: other programs on the machine take it away and do not count.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks import story_log
from share_actors.audit.index import open_index, update_index
from share_actors.audit.reading.reader import LogReader, open_reader
from share_actors.audit.replay.check import check
from share_actors.audit.replay.writing import write_reference
from share_actors.audit.time_travel import shares_at, state_at
from share_actors.events.aggregates import AGGREGATES

SHARES = 20_000
_VERSION = "0.0.0"


def run(directory: Path, scale: float) -> dict[str, float]:
    """Events each second of the folds, seconds of each question, and the peak memory of all in MiB."""
    path = directory / "replay.db"
    events = story_log.write(path, int(SHARES * scale))
    with open_reader(path) as reader:
        figures = _figures(reader, directory, events)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"replay_events": events, **figures, "replay_peak_mib": peak}


def _figures(reader: LogReader, directory: Path, events: int) -> dict[str, float]:
    reference, index = directory / "replay.reference", directory / "replay.index"
    half = story_log.START + timedelta(seconds=events // 2)
    end = story_log.START + timedelta(seconds=events)
    folded, parsed = _seconds(lambda: _fold(reader)), _seconds(lambda: _parse(reader))
    written = _seconds(lambda: write_reference(reader, reference, _VERSION))
    checked = _seconds(lambda: check(reader, reference, _VERSION))
    return {
        "replay_events_per_s": events / folded,
        "replay_cost_in_json": folded / parsed,
        "replay_write_events_per_s": events / written,
        "replay_check_events_per_s": events / checked,
        "state_at_ms": 1000 * _seconds(lambda: state_at(reader, "share-s10", half)),
        "list_at_half_s": _seconds(lambda: _list(reader, half)),
        "list_at_end_s": _seconds(lambda: _list(reader, end)),
        "index_s": _seconds(lambda: update_index(reader, index, _VERSION)),
        "list_at_half_with_index_s": _seconds(lambda: _list(reader, half, index)),
        "list_at_end_with_index_s": _seconds(lambda: _list(reader, end, index)),
    }


def _seconds(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def _fold(reader: LogReader) -> None:
    for stream, rows in groupby(reader.rows_by_stream(""), key=lambda row: row.stream):
        aggregate: Any = AGGREGATES[stream.partition("-")[0]]
        state, evolve = aggregate.initial, aggregate.evolve
        for row in rows:
            state = evolve(state, reader.decode_event(row))


def _parse(reader: LogReader) -> None:
    """The least that any reader does: the rows in the same order, and the standard library's JSON."""
    for row in reader.rows_by_stream(""):
        json.loads(reader.plain(row))


def _list(reader: LogReader, at: datetime, index: Path | None = None) -> None:
    if index is None:
        for _ in shares_at(reader, at):
            pass
        return
    with open_index(reader, index, _VERSION) as usable:
        for _ in shares_at(reader, at, index=usable):
            pass
