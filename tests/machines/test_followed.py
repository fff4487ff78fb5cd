"""The page about several machines is followed on machines of its own: a head, another one and a database."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from share_actors.cli.ray_session import has_ended
from tests.docs.pages import ROOT, commands, of
from tests.machines.lan import Machine, environment, have_tools, lan
from tests.machines.postgres import Postgres

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        os.geteuid() != 0 or not have_tools(),
        reason="needs root and the Debian packages iproute2 and util-linux",
    ),
]
PAGE = ROOT / "docs/how-to/run-on-many-machines.md"
HEAD, DATABASE = "10.0.0.1", "10.0.0.5"
"""The addresses on the page."""
SSH = """#!/bin/sh
shift
cd '{home}' && exec "$@"
"""
"""In place of ssh: the machines have one disk, and each has its own home on it."""


class Site:
    """The machines of the page, and what it says."""

    def __init__(self, directory: Path, head: Machine, worker: Machine, database: Machine) -> None:
        self.head, self.worker, self._directory = head, worker, directory
        self._addresses = {HEAD: head.address, DATABASE: database.address}
        for machine in (head, worker):
            (directory / machine.name / "tmp").mkdir(parents=True)
        self._programs = directory / "bin"
        self._programs.mkdir()
        (self._programs / "ssh").write_text(SSH.format(home=directory / head.name))
        (self._programs / "ssh").chmod(0o755)

    def follow(self, machine: Machine, *lines: str) -> str:
        """What *lines* of the page print on *machine*, one after the other in one shell."""
        home = self._directory / machine.name
        script = "\n".join([f"cd '{home}'", *(self._here(line) for line in lines)])
        path = f"{self._programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        own = environment(HOME=str(home), TMPDIR=str(home / "tmp"), PATH=path)
        return machine.run("sh", "-euc", script, env=own)

    def write(self, machine: Machine, name: str, text: str) -> None:
        """Write a file of the page in the home of *machine*."""
        (self._directory / machine.name / name).write_text(self._here(text))

    def left_of(self, machine: Machine) -> list[Any]:
        """The processes of *machine* that run, and what is left of its temporary directory."""
        running = [process for process in machine.processes() if not has_ended(process)]
        return [*running, *(self._directory / machine.name / "tmp").iterdir()]

    def _here(self, text: str) -> str:
        for shown, own in self._addresses.items():
            text = re.sub(rf"\b{re.escape(shown)}\b", own, text)
        return text


@pytest.fixture
def site(short_path: Path) -> Iterator[Site]:
    os.chmod(short_path, 0o755)  # PostgreSQL runs as nobody
    (short_path / "lan").mkdir()
    with lan(short_path / "lan") as net:
        server = Postgres(net.add("database"), short_path / "data")
        server.create()
        server.start()
        server.query("CREATE ROLE share_actors LOGIN")
        server.query("CREATE DATABASE share_actors OWNER share_actors")
        yield Site(short_path, net.add("head"), net.add("worker"), server.machine)


def lines_of(heading: str) -> list[str]:
    """The commands below *heading* of the page, without those that only install the package."""
    end = PAGE.read_text(encoding="utf-8").splitlines()
    first = end.index(heading) + 1
    last = next(
        (n for n, text in enumerate(end[first:], first) if text.startswith("## ")), len(end)
    )
    blocks = [block for block in of(PAGE, "sh") if first < block.line <= last]
    shown = [one.command for block in blocks for one in commands(block)]
    return [line for line in shown if not line.startswith("pip install")]


def test_the_page_about_several_machines_can_be_followed(site: Site) -> None:
    [toml] = of(PAGE, "toml")
    site.write(site.head, "site.toml", toml.text)
    on_head, on_worker = lines_of("## 1. The head"), lines_of("## 2. A further machine")
    [join] = [line for line in on_worker if "--join" in line]

    site.follow(site.head, *on_head)
    site.follow(site.worker, join)

    site.follow(site.worker, *[line for line in on_worker if line != join])
    found = json.loads(site.follow(site.head, "share-actors --json node list"))["nodes"]
    assert {(node["name"], node["address"], node["alive"]) for node in found} == {
        (machine.name, machine.address, True) for machine in (site.head, site.worker)
    }
    assert {node["name"]: node["backends"] for node in found} == {"head": [], "worker": ["tape"]}
    node = json.loads(site.follow(site.head, "share-actors --json node show worker"))
    assert sum(actor["shares"] for actor in node["actors"]) == 1
    share = json.loads(site.follow(site.worker, "share-actors --json share show archive"))
    assert (share["host"], share["status"]) == ("tape#tape", "available")

    leave, stop = lines_of("## 3. Leave and stop")[-2:]
    site.follow(site.worker, leave)
    assert site.left_of(site.worker) == []
    site.follow(site.head, "share-actors share create --size 1 --backend projects")
    site.follow(site.head, stop)
    assert site.left_of(site.head) == []
