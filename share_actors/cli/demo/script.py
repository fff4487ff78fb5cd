"""The demo's story, step by step, in a process of its own: `command.py` starts it and clears up after it."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from share_actors.cli.command import guarded, leave
from share_actors.cli.demo.runner import DemoRunner, can, files, somebody
from share_actors.cli.rendering import lines
from share_actors.cli.session import Options, Session

if TYPE_CHECKING:
    from share_actors.client import ShareHandle, ShareSystem

MIB = 1024 * 1024
ANSWER_WITHIN_S = 30.0


def play(session: Session, top: Path, ray: str) -> None:
    """All of it; raises when a step is not as it should be."""
    stage = DemoRunner(session, top, ray)
    with stage.step("A system starts: Ray on this machine only, an event log in a file"):
        system = stage.start()
    DemoScript(stage, system).tell()
    with stage.step("The system stops; the log has everything"):
        system.close()
    _end(session, stage)


def _end(session: Session, stage: DemoRunner) -> None:
    if session.json:
        session.output.document({"ok": True, "seconds": stage.seconds, "steps": stage.told})
        return
    session.output.say(
        f"\n[bold green]All as it should be[/], in {stage.seconds:.0f} s. What to try next:"
    )
    for line, why in (
        ("share-actors up", "a system that stays, with its log in your home"),
        ("share-actors share create --size 1 --name first", "a share of your own"),
        ("share-actors share history first", "what happened to it, when, and who asked"),
        ("share-actors --help", "all the rest"),
    ):
        session.output.say(f"  [cyan]{line:<50}[/] {why}")


class DemoScript:
    """The steps, in order; `projects` is the share that they are about."""

    def __init__(self, stage: DemoRunner, system: ShareSystem) -> None:
        self.stage, self.system = stage, system
        self.projects: ShareHandle
        self.copy: ShareHandle
        self.snapshot_id = ""

    def tell(self) -> None:
        steps = (
            ("Two shares: each request is on the disk before the backend hears of it", self.create),
            ("Real files in the first one", self.write),
            ("A user of this machine may use it", self.allow),
            ("A snapshot; then the files change", self.snapshot),
            ("A new share from the snapshot has the files as they were", self.restore),
            ("The share grows", self.extend),
            ("kill -9 on the process that the share lives in", self.kill),
            ("Its history: what happened, when, and who asked", self.history),
            ("A share on a share server of its own network", self.on_server),
            (
                "A directory that was there before becomes a share, and is let go untouched",
                self.manage,
            ),
            ("What the backends tell of themselves, in GiB", self.stats),
        )
        for title, step in steps:
            with self.stage.step(title):
                step()

    def create(self) -> None:
        self.projects = self.system.create_share(size=1, name="projects", protocol="NFS")
        other = self.system.create_share(size=2, name="archive", protocol="CIFS")
        for share in (self.projects, other):
            self.stage.check(share.status == "available", f"{share.name} is {share.status}")
            self.stage.fact(f"share {share.name!r}, {share.size} GiB: {share.export_locations[0]}")

    def write(self) -> None:
        top = self.stage.folder(self.projects)
        (top / "notes").mkdir()
        (top / "notes" / "plan.txt").write_text("1. record\n2. act\n3. record the outcome\n")
        (top / "data.bin").write_bytes(os.urandom(MIB))
        self.stage.fact(f"{len(files(top))} files, {sum(map(len, files(top).values()))} bytes")

    def allow(self) -> None:
        if not self.stage.has_acls():
            self.stage.fact(
                "skipped: the filesystem of the temporary directory keeps no POSIX ACLs"
            )
            return
        user, plan = somebody(), str(self.stage.folder(self.projects) / "notes" / "plan.txt")
        reached, before = can(user, "-x", str(self.stage.top)), can(user, "-r", plan)
        rule = self.projects.allow_access(user, type="user", level="ro")
        self.stage.check(rule.state == "active", f"the rule is {rule.state}: {rule.reason}")
        self.stage.fact(f"user {user}, read only: {rule.state}")
        if reached:
            works = not before and can(user, "-r", plan) and not can(user, "-w", plan)
            self.stage.check(bool(works), "the rule does not do what it says")
            self.stage.fact(
                f"tried as {user}: nothing before; now to read it works, to write does not"
            )

    def snapshot(self) -> None:
        top = self.stage.folder(self.projects)
        self.before = files(top)
        taken = self.projects.create_snapshot("before-the-change")
        self.stage.check(taken.status == "available", f"the snapshot is {taken.status}")
        self.snapshot_id = taken.id
        (top / "notes" / "plan.txt").write_text("everything is different now\n")
        (top / "data.bin").unlink()
        self.stage.check(files(top) != self.before, "the files did not change")
        self.stage.fact(
            f"snapshot {taken.name!r}; since then one file is gone and one says otherwise"
        )

    def restore(self) -> None:
        self.copy = self.system.create_share(size=1, name="restored", snapshot_id=self.snapshot_id)
        found = files(self.stage.folder(self.copy))
        self.stage.check(found == self.before, "the new share differs from the snapshot")
        self.stage.fact(
            f"{len(found)} files compared, byte for byte: the same as before the change"
        )

    def extend(self) -> None:
        self.projects.extend(3)
        self.stage.check(self.projects.size == 3, f"the size is {self.projects.size} GiB")
        self.stage.fact("1 GiB -> 3 GiB")

    def kill(self) -> None:
        was, pid = self.projects.refresh().seen, self._pid()
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        self.stage.fact(f"process {pid} killed, without any warning")
        now = self.projects.refresh().seen
        took = time.monotonic() - killed
        self.stage.check(took < ANSWER_WITHIN_S, f"the answer took {took:.1f} s")
        self.stage.check(now == was, "the share is not what it was")
        self.stage.check(self._pid() != pid, "the process is the same")
        self.stage.fact(f"the share answers {took * 1000:.0f} ms later, from process {self._pid()}")
        self.stage.fact("its state was rebuilt from the log, and is the same in every field")
        self.projects.extend(4)
        self.stage.check(self.projects.size == 4, "it takes no more requests")
        self.stage.fact("and it works on: 3 GiB -> 4 GiB")

    def history(self) -> None:
        told = lines(self.projects.history())
        self.stage.check(len(told) >= 9, f"only {len(told)} events")
        for at, sentence in told:
            self.stage.fact(f"{at[11:19]}  {sentence}")

    def on_server(self) -> None:
        network = self.system.networks.create(cidr="10.0.0.0/28", name="blue", gateway="10.0.0.1")
        share = self.system.create_share(size=1, name="tenant", share_network_id=network.id)
        server = self.system.servers.get(share.seen.share_server_id or "")
        self.stage.check(server.status == "active", f"the share server is {server.status}")
        addresses = ", ".join(server.network_allocations)
        self.stage.fact(
            f"share server {server.id}, address {addresses}: {share.export_locations[0]}"
        )
        share.delete()
        self.system.servers.delete(server.id)
        left = self.system.networks.get("blue").allocations
        self.stage.check(not left, f"addresses are left: {left}")
        self.stage.check(not Path(server.backend_details["root"]).exists(), "its directory is left")
        self.stage.fact("both deleted: the server is gone, and its address is free again")

    def manage(self) -> None:
        old = self.stage.top / "shares" / "old-data"
        old.mkdir()
        (old / "letter.txt").write_text("written long before\n")
        told = self.system.preview_manage({"path": "old-data"}, backend="local")
        self.stage.check(old.is_dir(), "the dry run moved it")
        self.stage.fact(f"a dry run tells: {told['path']}, {told['size']} GiB")
        share = self.system.manage_share({"path": "old-data"}, backend="local", name="managed")
        self.stage.check(share.status == "available", f"it is {share.status}")
        found = files(self.stage.folder(share))
        self.stage.check(found == {"letter.txt": b"written long before\n"}, f"it has {found}")
        share.unmanage()
        self.stage.check(files(self.stage.folder(share)) == found, "its files changed")
        self.stage.fact(
            f"managed as {share.name!r}, then {share.status}: its files are as they were"
        )

    def stats(self) -> None:
        told = self.system.backends.publish()
        for name, published in told.items():
            self.stage.check(published.capabilities is not None, f"{name}: {published.reason}")
            for pool in published.capabilities.pools if published.capabilities else ():
                free, total = pool.free_capacity_gib, pool.total_capacity_gib
                used = f"{pool.allocated_capacity_gib:g} allocated"
                self.stage.fact(f"{name:<8} up  {free:8.1f} free of {total:8.1f}, {used}")

    def _pid(self) -> int:
        return int(self.system.where(self.projects.id)["pid"])


def main() -> None:
    """`python -m share_actors.cli.demo.script DIRECTORY RAY_DIRECTORY [--json] [--debug]`."""
    top, ray, *options = sys.argv[1:]
    chosen = Options(json="--json" in options, debug="--debug" in options)
    session = Session(chosen, "demo")
    code = guarded(session, lambda: play(session, Path(top), ray))
    leave(code)


if __name__ == "__main__":
    main()
