"""A rolling upgrade on two Ray nodes and PostgreSQL under load: `python -m tests.upgrades.rolling`.

The node `near` is killed and started in the newer version; then each process on the head, by its id. Then
the upgrade is finished, and a process of the older version that comes back must not join.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from share_actors.actors.runtime.system_state import LOOPBACK
from share_actors.config import LogSettings
from tests.events.postgres import LOG_SECTION, server
from tests.upgrades import load, newer
from tests.upgrades.cluster import Nodes, cluster, point
from tests.waiting import until

WAIT_S = 180.0
KINDS = "create,extend,set,extend"
CONFIG = (
    """
namespace = "rolling"

"""
    + LOG_SECTION
    + """\
schema_name = "{schema}"

[hosting]
min_actors = {hosts}
max_actors = {hosts}
unresponsive_s = 10

[backends.dummy]
driver = "dummy"
options = {{ directory = "{home}/backend", delay_s = 0.05 }}
"""
)


class Site:
    """A system on *nodes*, and the command line of any version for it."""

    def __init__(self, nodes: Nodes, home: Path, log: LogSettings, schema: str, hosts: int) -> None:
        self.nodes, self._home = nodes, home
        config = home / "site.toml"
        config.write_text(CONFIG.format(log=log, schema=schema, home=home, hosts=hosts))
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "SHARE_ACTORS_"))}
        self._environment = {
            **kept,
            **LOOPBACK,
            "SHARE_ACTORS_HOME": str(home / "home"),
            "SHARE_ACTORS_CONFIG": str(config),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def run(self, version: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `share-actors` of a *version*."""
        return subprocess.run(
            [sys.executable, "-m", "share_actors.cli", "--json", *arguments],
            env={**self._environment, "PYTHONPATH": str(version)},
            cwd=self._home,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )

    def json(self, version: Path, *arguments: str) -> Any:
        """The document that `share-actors` of a *version* prints; raises if it fails."""
        ended = self.run(version, *arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return json.loads(ended.stdout)

    def try_json(self, version: Path, *arguments: str) -> Any:
        """The same; None if it fails."""
        ended = self.run(version, *arguments)
        return json.loads(ended.stdout) if ended.returncode == 0 else None

    @contextmanager
    def load(self, version: Path, threads: int, kinds: str) -> Iterator[Callable[[], Any]]:
        """Clients of a *version* at work; the function that is yielded ends them and returns the result."""
        program = subprocess.Popen(
            [
                sys.executable,
                load.__file__,
                "rolling",
                str(threads),
                kinds,
            ],
            env={**self._environment, "PYTHONPATH": str(version)},
            cwd=self._home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with program:
            try:
                assert program.stdout is not None
                assert program.stdout.readline().strip() == "started"
                yield lambda: _result(program)
            finally:
                program.kill()

    def pids(self) -> dict[str, int]:
        """The processes of the system's actors by what Ray calls them, on all nodes."""
        named = {}
        for process in psutil.process_iter(["pid", "name", "cmdline"]):
            title = " ".join(process.info["cmdline"] or ())
            if "RayActor" in title and self._is_ours(process):
                named[f"{title}-{process.pid}"] = process.pid
        return named

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("PYTHONPATH") in (
                str(self.nodes.head),
                str(self.nodes.near),
            )
        except psutil.Error:
            return False

    def pids_on_head(self) -> list[int]:
        """The processes of the system's actors on the head."""
        head = str(self.nodes.head)
        return [
            p for p in self.pids().values() if psutil.Process(p).environ()["PYTHONPATH"] == head
        ]


def _result(program: subprocess.Popen[str]) -> Any:
    """What a program prints once its input ends."""
    printed = program.communicate()[0]
    assert program.returncode == 0, f"the clients ended with {program.returncode}: {printed}"
    return json.loads(printed.splitlines()[-1])  # after what Ray prints about lost nodes


def programs(status: Any) -> set[str]:
    """The versions in the document of `upgrade show`; `old` where none is told."""
    return {told["program"] for told in status["processes"].values()}


def say(text: str, began: float = time.monotonic()) -> None:
    print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)


def roll(site: Site, old: Path, new: Path, *, pause_s: float) -> None:
    """Upgrade the node `near`, then each process on the head, with a pause after each."""
    point(site.nodes.near, new)
    site.nodes.restart_near()
    say("the node near runs the newer version")
    time.sleep(pause_s)
    until(lambda: site.try_json(new, "status") is not None, WAIT_S)
    point(site.nodes.head, new)
    for pid in site.pids_on_head():
        try:
            name = " ".join(psutil.Process(pid).cmdline()).strip()
            psutil.Process(pid).kill()
        except psutil.NoSuchProcess:  # a share actor that was drained meanwhile
            say(f"process {pid} on the head has ended by itself")
            continue
        say(f"killed {name} on the head")
        time.sleep(pause_s)
        until(lambda: site.try_json(new, "status") is not None, WAIT_S)


def upgraded(site: Site, new: Path, program: str) -> bool:
    """Whether every process runs the newer version."""
    shown = site.try_json(new, "upgrade", "show")
    return shown is not None and programs(shown) == {program}


def archived(commit: str, to: Path) -> Path:
    """The package as it was at a commit, in the directory *to*."""
    to.mkdir()
    packed = subprocess.run(
        ["git", "archive", commit, "share_actors"],
        cwd=newer.PACKAGE.parent,
        stdout=subprocess.PIPE,
        check=True,
    )
    subprocess.run(["tar", "-x", "-C", str(to)], input=packed.stdout, check=True)
    return to


def rolling(
    home: Path, log: LogSettings, kind: str, commit: str, *, threads: int, pause_s: float
) -> Any:
    """Roll a system from one version to the other under load, and return the figures."""
    if kind == "commit":
        old, new = archived(commit, home / "old"), newer.copy(home / "new")
    else:
        patches = (newer.EVENTS, newer.HELD_BACK) if kind == "held-back" else (newer.EVENTS,)
        old, new = newer.copy(home / "old"), newer.copy(home / "new", *patches)
    with cluster(home, old) as nodes:
        site = Site(nodes, home, log, kind.replace("-", "_"), hosts=4)
        site.json(old, "--address", nodes.address, "up")
        say("the older version runs")
        with (
            site.load(old, threads, KINDS) as end_old,
            site.load(new, threads, KINDS) as end_new,
        ):
            time.sleep(pause_s)
            roll(site, old, new, pause_s=pause_s)
            if kind != "commit":  # an actor that a version before 0.2 created does not tell its own
                until(lambda: upgraded(site, new, newer.VERSION), WAIT_S)
            say("every process runs the newer version")
            if kind == "held-back":
                shown = site.json(new, "upgrade", "finish")
                assert shown == {"raised": True, "written_format": 2}, shown
            time.sleep(pause_s)
            results = {"clients of the older": end_old(), "clients of the newer": end_new()}
        status = site.json(new, "status")
        results["events"] = status["catalog"]["events"]
        results["parked"] = len(status["catalog"]["parked"])
        if kind == "held-back":
            results["the older version again"] = returned(site, old)
        site.json(new, "down")
    return results


def returned(site: Site, old: Path) -> Any:
    """What the older version says of the log once the upgrade is finished."""
    ended = site.run(old, "log", "tail")
    return ended.returncode, json.loads(ended.stdout)["error"]["message"]


def main() -> int:
    """Run each kind of upgrade, and print what became of the requests; 1 if any was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--pause", type=float, default=5.0, help="seconds after each step")
    parser.add_argument("--only", choices=["held-back", "at-once", "commit"])
    parser.add_argument("--commit", help="also from the version of this commit of the repository")
    chosen = parser.parse_args()
    kinds = ["held-back", "at-once", *(["commit"] if chosen.commit else [])]
    wrong = 0
    with server() as log:
        for kind in kinds if chosen.only is None else [chosen.only]:
            home = Path(tempfile.mkdtemp(prefix="rolling-"))
            try:
                limits = {"threads": chosen.threads, "pause_s": chosen.pause}
                results = rolling(home, log, kind, chosen.commit or "", **limits)
            finally:
                shutil.rmtree(home, ignore_errors=True)
            print(kind, json.dumps(results, indent=2), flush=True)
            wrong += sum(
                len(clients[count])
                for clients in results.values()
                if isinstance(clients, dict)
                for count in ("lost", "stuck", "failed")
            )
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
