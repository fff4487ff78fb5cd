"""`python -m tests.faults.lost_head`: requests in flight when the head of Ray is killed, and their answers.

Each case prints one row. `gap_s`: the longest time without an answer after the kill; `first_s`: from the kill
to the first answer after it; `all_s`: to the last answer to the requests that were under way until then.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import share_actors
from share_actors.actors.runtime import lifecycle, system_state
from share_actors.actors.runtime.head.store import RedisStore
from share_actors.actors.runtime.system_state import SystemState
from share_actors.cli import ray_session
from share_actors.client import ShareSystem
from share_actors.config import Config, load
from share_actors.errors import Busy, LogError, ShareActorsError, TimedOut, Unavailable
from tests import redis_server
from tests.acceptance import ray_nodes
from tests.acceptance.cli import CommandLine
from tests.acceptance.systems import opened, replayed
from tests.events import postgres
from tests.events.postgres import LOG_SECTION
from tests.waiting import until

CLIENTS = 8
MAX_WAIT_S = 240.0
RETRIED = (Busy, LogError, TimedOut, Unavailable)


@dataclass
class Request:
    """One creation, sent again with the same id until it is answered. Times are of `time.monotonic`."""

    name: str
    sent: float
    answered: float | None = None
    status: str = ""
    errors: list[str] = field(default_factory=list)


class Load:
    """Clients that create shares, one after the other, and connect again when they are told to."""

    def __init__(self, address: str | None = None, clients: int = CLIENTS) -> None:
        self._address = address
        self.requests: list[Request] = []
        self.reconnected = 0
        self._stop, self._connecting = threading.Event(), threading.Lock()
        self._system = self._connect()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(clients)
        ]

    def _connect(self) -> ShareSystem:
        return share_actors.connect(self._address or "auto")

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        lifecycle.shutdown()

    def end(self) -> None:
        """Send nothing more, and wait for the answers."""
        self._stop.set()
        deadline = time.monotonic() + MAX_WAIT_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def answers(self) -> int:
        """How many requests were answered."""
        return sum(request.answered is not None for request in [*self.requests])

    def _run(self, number: int) -> None:
        for count in itertools.count():
            if self._stop.is_set():
                return
            request = Request(f"c{number}-{count}", time.monotonic())
            self.requests.append(request)
            self._send(request)

    def _send(self, request: Request) -> None:
        command_id, deadline = uuid4().hex, request.sent + MAX_WAIT_S
        while time.monotonic() < deadline:
            system = self._system
            try:
                made = system.create_share(
                    size=1, name=request.name, command_id=command_id, timeout=60
                )
            except RETRIED as error:
                request.errors.append(f"{type(error).__name__}: {error}")
                if error.details.get("ended"):
                    self._reconnect(system)
                time.sleep(0.2)
            else:
                request.status, request.answered = made.status, time.monotonic()
                return

    def _reconnect(self, lost: ShareSystem) -> None:
        with self._connecting:
            if self._system is not lost:
                return
            try:
                self._system = self._connect()
                self.reconnected += 1
            except ShareActorsError:
                time.sleep(0.5)


class Row(NamedTuple):
    """What clients saw of one loss; times in seconds."""

    case: str
    requests: int
    awaited: int
    first_s: float
    all_s: float
    gap_s: float
    errors: dict[str, int]
    reconnected: int
    lost: int
    stuck: int
    duplicated: int


def row_of(case: str, load: Load, config: Config, struck: float) -> Row:
    """The figures of *case*, from the answers to *load* and from the log of *config*."""
    requests = load.requests
    answers = sorted(r.answered for r in requests if r.answered is not None and r.answered > struck)
    silences = [(b - a, b) for a, b in itertools.pairwise([struck, *answers])]
    gap, back = max(silences, default=(0.0, float("inf")))
    awaited = [r for r in requests if (r.answered or back) >= struck and r.sent <= back]
    ends = [r.answered for r in awaited if r.answered is not None]
    with opened(config.log, config.log_path) as log:
        names = Counter(share.name for share in replayed(log).values())
    return Row(
        case,
        len(requests),
        len(awaited),
        round(back - struck, 2),
        round(max(ends, default=struck) - struck, 2),
        round(gap, 2),
        dict(Counter(error[:100] for request in requests for error in request.errors)),
        load.reconnected,
        sum(r.status == "available" and names[r.name] == 0 for r in requests),
        sum(r.answered is None for r in requests),
        sum(count > 1 for count in names.values()),
    )


# -- one machine ---------------------------------------------------------------------------------
def state_of(cli: CommandLine) -> SystemState:
    """The recorded system, which runs."""
    state = system_state.read(cli.home)
    assert state is not None
    assert state.pid is not None
    return state


def kill_gcs(cli: CommandLine) -> float:
    """`kill -9` of the GCS alone; when that was."""
    state = state_of(cli)
    assert state.pid is not None
    [gcs] = [
        process
        for process in ray_session.session_processes(state.pid, state.created)
        if process.name() == "gcs_server"
    ]
    gcs.kill()
    return time.monotonic()


def kill_gcs_and_actors(cli: CommandLine) -> float:
    """`kill -9` of the GCS, and of the manager and the share actors, which only a GCS starts again."""
    manager = cli.json("status")["manager"]
    struck = kill_gcs(cli)
    for pid in (manager["pid"], *(actor["pid"] for actor in manager["actors"])):
        os.kill(pid, signal.SIGKILL)
    return struck


def kill_head_and_start(cli: CommandLine) -> float:
    """`kill -9` of all processes of the system, and `up`."""
    struck = time.monotonic()
    cli.kill_everything()
    cli.json("up")
    return struck


@contextmanager
def one_machine(top: Path, redis: redis_server.Redis | None) -> Iterator[CommandLine]:
    """A command line with a home; the environment of this process has it too."""
    environment = {} if redis is None else redis.environment
    with CommandLine(top / "home", environment) as cli:
        before = dict(os.environ)
        os.environ.update(SHARE_ACTORS_HOME=str(cli.home), **environment)
        try:
            yield cli
        finally:
            cli("down", "--now")
            os.environ.clear()
            os.environ.update(before)


def struck_under_load(
    case: str,
    cli: CommandLine,
    strike: Callable[[CommandLine], float],
    answers: int,
    address: str | None = None,
) -> Row:
    """Start the system, strike it after *answers* answers, and go on until as many have come again."""
    cli.json(*([] if address is None else ["--address", address]), "up")
    with Load(address) as load:
        until(lambda: load.answers() >= answers, MAX_WAIT_S)
        struck = strike(cli)
        seen = load.answers()
        until(lambda: load.answers() >= seen + answers, MAX_WAIT_S)
        load.end()
    return row_of(case, load, load_config(cli), struck)


def load_config(cli: CommandLine) -> Config:
    """The configuration in the environment of this process."""
    return load(cli.environment.get("SHARE_ACTORS_CONFIG"))


ONE_MACHINE: dict[str, tuple[bool, Callable[[CommandLine], float]]] = {
    "GCS killed, with Redis": (True, kill_gcs),
    "GCS, manager and share actors killed, with Redis": (True, kill_gcs_and_actors),
    "head killed, `up`, with Redis": (True, kill_head_and_start),
    "head killed, `up`, without Redis": (False, kill_head_and_start),
}


def on_one_machine(case: str, top: Path, answers: int) -> Row:
    """The row of *case*, a key of `ONE_MACHINE`, in a home below *top*."""
    with_redis, strike = ONE_MACHINE[case]
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server.server(top)) if with_redis else None
        cli = stack.enter_context(one_machine(top, redis))
        return struck_under_load(case, cli, strike, answers)


# -- two nodes -----------------------------------------------------------------------------------
SITE = (
    "\n"
    + LOG_SECTION
    + """\
[hosting]
min_actors = 2
max_actors = 2
[backends.dummy]
driver = "dummy"
options = {{ directory = "{top}/backend" }}
"""
)


def on_two_nodes(case: str, top: Path, answers: int) -> Row:
    """The row of *case*, a key of `TWO_NODES`: everything on the node of the head is killed.

    The head is started again by the same command. Without Redis `up` follows, which waits until the actors
    on the other node have ended; that node does not join again.
    """
    with ExitStack() as stack:
        log = stack.enter_context(postgres.server())
        redis = stack.enter_context(redis_server.server(top)) if TWO_NODES[case] else None
        store = redis and RedisStore(redis.address, "site", password=redis.password)
        nodes = stack.enter_context(ray_nodes.two_nodes(top, store))
        site = top / "site.toml"
        site.write_text(SITE.format(log=log, top=top))
        cli = stack.enter_context(one_machine(top, None))
        for environment in (cli.environment, os.environ):
            environment.update(nodes.environment, SHARE_ACTORS_CONFIG=str(site))

        def strike(cli: CommandLine) -> float:
            struck = time.monotonic()
            nodes.head.kill()
            nodes.start_head()
            if redis is None:
                cli.json("--address", nodes.address, "up")
            return struck

        return struck_under_load(case, cli, strike, answers, nodes.address)


TWO_NODES = {
    "two nodes, node of the head killed, with Redis": True,
    "two nodes, node of the head killed, `up`, without Redis": False,
}


def main() -> None:
    """Print a row for each of the chosen cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help="texts that a case must contain")
    parser.add_argument("--answers", type=int, default=50, help="before the kill, and after it")
    options = parser.parse_args()
    for case in (*ONE_MACHINE, *TWO_NODES):
        if all(text in case for text in options.cases):
            measure = on_one_machine if case in ONE_MACHINE else on_two_nodes
            with tempfile.TemporaryDirectory(prefix="sa") as top:
                row = measure(case, Path(top), options.answers)
                print(json.dumps(row._asdict(), indent=1), flush=True)


if __name__ == "__main__":
    main()
