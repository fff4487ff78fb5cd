"""What partitions of a PostgreSQL log give: appends a second and processor time, by number of writers."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from uuid import uuid4

import psutil

from share_actors.config import LogSettings
from share_actors.events.log import Log
from tests.events import postgres
from tests.events.appending import entries

WRITERS = PARTITIONS = (1, 2, 4)
ROUNDS = 3
IN_FLIGHT = 4
"""Streams of each writer, to each of which it appends one event after the other."""
SECONDS = 2.0


class Rate(NamedTuple):
    """Appends a second of all writers, the transactions that wrote them, and microseconds of processor time
    an append, of the writers and of the server."""

    appends: float
    commits: float
    cpu_us: float


def run(directory: Path, scale: float) -> dict[str, float]:
    """The rates, and each as a multiple of that of one writer and one partition in the same round.

    Nothing if there is no PostgreSQL server.
    """
    figures: dict[str, float] = {}
    kinds = [(writers, partitions) for partitions in PARTITIONS for writers in WRITERS]
    rates: dict[tuple[int, int], list[Rate]] = {kind: [] for kind in kinds}
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgres.server())
        except postgres.NotAvailable:
            return {}
        for _ in range(ROUNDS):  # in turn, since other programs share the machine
            for kind in kinds:
                rates[kind].append(_measured(server, *kind, SECONDS * max(scale, 0.5)))
    ones = rates[1, 1]
    for (writers, partitions), found in rates.items():
        name = f"partitions_{partitions}_writers_{writers}"
        figures[f"{name}_appends_per_s"] = median(rate.appends for rate in found)
        figures[f"{name}_commits_per_s"] = median(rate.commits for rate in found)
        figures[f"{name}_cpu_us"] = median(rate.cpu_us for rate in found)
        pairs = list(zip(found, ones, strict=True))
        figures[f"{name}_appends_ratio"] = median(rate.appends / one.appends for rate, one in pairs)
        figures[f"{name}_cpu_ratio"] = median(rate.cpu_us / one.cpu_us for rate, one in pairs)
    return figures


def _measured(server: LogSettings, writers: int, partitions: int, seconds: float) -> Rate:
    """One measurement, in a schema of its own."""
    schema = f"bench_{uuid4().hex}"
    settings = server.model_copy(update={"schema_name": schema, "partitions": partitions})
    Log.open(settings, Path()).close()
    with ExitStack() as stack:
        started = [stack.enter_context(_writer(settings)) for _ in range(writers)]
        before, start = _server_s(server), time.monotonic()
        for one in started:
            _say(one, "go")
        time.sleep(seconds)
        for one in started:
            _say(one, "stop")
        done = [json.loads(_line(one)) for one in started]
        taken = time.monotonic() - start
        used = _server_s(server) - before + sum(one["cpu_s"] for one in done)
    appends = sum(one["appends"] for one in done)
    commits = sum(one["commits"] for one in done)
    return Rate(appends / taken, commits / taken, used / appends * 1e6)


def _server_s(server: LogSettings) -> float:
    """Seconds of processor time that the processes of the server have used."""
    pid = int((Path(server.host) / "postmaster.pid").read_text(encoding="utf-8").split()[0])
    postmaster = psutil.Process(pid)
    total = 0.0
    for process in (postmaster, *postmaster.children()):
        times = process.cpu_times()
        total += times.user + times.system
    return total


@contextmanager
def _writer(settings: LogSettings) -> Iterator[subprocess.Popen[str]]:
    """A process that has opened the log."""
    chosen = settings.model_dump_json(
        include={"kind", "host", "database", "user", "schema_name", "partitions"}
    )
    program = [sys.executable, "-m", "benchmarks.partitions", chosen]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert _line(writer) == "ready"
        yield writer
        _say(writer, "end")


def _say(writer: subprocess.Popen[str], word: str) -> None:
    assert writer.stdin is not None
    writer.stdin.write(word + "\n")
    writer.stdin.flush()


def _line(writer: subprocess.Popen[str]) -> str:
    assert writer.stdout is not None
    return writer.stdout.readline().strip()


# -- in the process of a writer ------------------------------------------------------------------
class _Count:
    """Counts the transactions of recorders."""

    def __init__(self, recorders: Sequence[Any]) -> None:
        self.commits = 0
        for recorder in recorders:
            recorder.insert_events = self._counted(recorder.insert_events)

    def _counted(self, insert: Any) -> Any:
        def counted(rows: Any, **kwargs: Any) -> Any:
            self.commits += 1
            return insert(rows, **kwargs)

        return counted


async def _write(log: Log) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    recorder: Any = log._recorder
    count = _Count(getattr(recorder, "partitions", [recorder]))
    streams = [f"share-{uuid4()}" for _ in range(IN_FLIGHT)]
    versions = dict.fromkeys(streams, 0)
    for stream in streams:  # connections and statements are there before the start
        await log.append(stream, 0, entries("first"))
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    count.commits, start, stopped = 0, time.process_time(), asyncio.Event()

    async def append(stream: str) -> None:
        while not stopped.is_set():
            versions[stream] += 1
            await log.append(stream, versions[stream], entries("next"))

    tasks = [asyncio.create_task(append(stream)) for stream in streams]
    await loop.run_in_executor(None, sys.stdin.readline)
    stopped.set()
    await asyncio.gather(*tasks)
    used = time.process_time() - start
    return {"appends": sum(versions.values()), "commits": count.commits, "cpu_s": used}


def main() -> None:
    """Write to the log whose settings are given as JSON, from one line of the input to the next."""
    log = Log.open(LogSettings.model_validate_json(sys.argv[1]), Path(), create=False)
    print(json.dumps(asyncio.run(_write(log))), flush=True)
    sys.stdin.readline()  # the connections stay until the server's processes were measured
    log.close()


if __name__ == "__main__":
    main()
