"""The steps of the demo, run in their own process: `command.py` starts it and cleans up after it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from share_actors.cli.command import exit_now, run_guarded
from share_actors.cli.demo.runner import DemoRunner, can_access, pick_user, read_files
from share_actors.cli.output import count
from share_actors.cli.rendering import history_rows
from share_actors.cli.session import Options, Session
from share_actors.values import gib_text

if TYPE_CHECKING:
    from share_actors.client import ShareHandle, ShareSystem

MIB = 1024 * 1024
MAX_RECOVERY_S = 30.0
NEXT_COMMANDS = (
    ("share-actors up", "start a system that keeps running, with its log in your home"),
    ("share-actors share create --size 1 --name first", "create your own share"),
    ("share-actors share history first", "see what happened to it, when, and at whose request"),
    ("share-actors --help", "list all commands"),
)


def run_demo(session: Session, top: Path, ray_directory: str) -> None:
    """Run all steps; raises `ShareActorsError` when a check fails."""
    runner = DemoRunner(session, top, ray_directory)
    with runner.step("Start a system: Ray on this machine only, an event log in a file"):
        system = runner.start(_backends(top))
    DemoScript(runner, system).run()
    with runner.step("Stop the system; the log keeps everything"):
        system.close()
    print_end(session, runner)


def _backends(top: Path) -> dict[str, Any]:
    tenants = {"driver": "local-servers", "driver_handles_share_servers": True}
    return {
        "local": {"driver": "local", "options": {"root": str(top / "shares")}},
        "tenants": {**tenants, "options": {"root": str(top / "tenants")}},
    }


def print_end(session: Session, runner: DemoRunner) -> None:
    """Say that all checks passed, and what to try next; or print the steps as JSON."""
    if session.json:
        document = {"ok": True, "seconds": runner.seconds, "steps": runner.steps}
        session.output.print_json(document)
        return
    session.output.print(
        f"\n[bold green]All checks passed[/] in {runner.seconds:.0f} s. What to try next:"
    )
    for line, purpose in NEXT_COMMANDS:
        session.output.print(f"  [cyan]{line:<50}[/] {purpose}")


class DemoScript:
    """The steps between start and stop, in order; most of them use the share `projects`."""

    def __init__(self, runner: DemoRunner, system: ShareSystem) -> None:
        self.runner, self.system = runner, system
        self.projects: ShareHandle
        self.snapshot_id = ""
        self.files_at_snapshot: dict[str, bytes] = {}

    def run(self) -> None:
        """Run the steps."""
        for title, step in self._steps():
            with self.runner.step(title):
                step()

    def _steps(self) -> tuple[tuple[str, Callable[[], None]], ...]:
        return (
            ("Create two shares; each request is on disk before the backend starts", self._create),
            ("Write real files to the first share", self._write),
            ("Allow a user of this machine to read it", self._allow),
            ("Take a snapshot, then change the files", self._snapshot),
            ("Create a share from the snapshot, with the files as they were", self._restore),
            ("Extend the share", self._extend),
            ("Kill (-9) the process that hosts the share", self._kill),
            ("Read its history: what happened, when, and at whose request", self._history),
            ("Create a share on a share server with its own network", self._share_server),
            ("Manage an existing directory as a share, then unmanage it", self._manage),
            ("Read the capacity of the backends, in GiB", self._stats),
        )

    def _create(self) -> None:
        self.projects = self.system.create_share(size=1, name="projects", protocol="NFS")
        archive = self.system.create_share(size=2, name="archive", protocol="CIFS")
        for share in (self.projects, archive):
            self.runner.check(share.status == "available", f"{share.name} is {share.status}")
            self.runner.report(
                f"share {share.name!r}, {share.size} GiB: {share.export_locations[0]}"
            )

    def _write(self) -> None:
        top = self.runner.directory(self.projects)
        (top / "notes").mkdir()
        (top / "notes" / "plan.txt").write_text("1. record\n2. act\n3. record the outcome\n")
        (top / "data.bin").write_bytes(os.urandom(MIB))
        files = read_files(top)
        size = sum(map(len, files.values()))
        self.runner.report(f"{count(len(files), 'file')}, {count(size, 'byte')}")

    def _allow(self) -> None:
        if not self.runner.has_acls():
            self.runner.report(
                "skipped: the filesystem of the temporary directory does not support POSIX ACLs"
            )
            return
        user = pick_user()
        plan = str(self.runner.directory(self.projects) / "notes" / "plan.txt")
        testable = can_access(user, "-x", str(self.runner.top))
        readable_before = can_access(user, "-r", plan)
        rule = self.projects.allow_access(user, type="user", level="ro")
        self.runner.check(rule.state == "active", f"the rule is {rule.state}: {rule.reason}")
        self.runner.report(f"rule: user {user}, read only, {rule.state}")
        if testable:
            read_only = can_access(user, "-r", plan) and not can_access(user, "-w", plan)
            self.runner.check(
                bool(read_only) and not readable_before, f"{user} does not have read-only access"
            )
            self.runner.report(
                f"tested as {user}: no access before; now reading works, writing does not"
            )

    def _snapshot(self) -> None:
        top = self.runner.directory(self.projects)
        self.files_at_snapshot = read_files(top)
        snapshot = self.projects.create_snapshot("before-the-change")
        self.runner.check(snapshot.status == "available", f"the snapshot is {snapshot.status}")
        self.snapshot_id = snapshot.id
        (top / "notes" / "plan.txt").write_text("everything is different now\n")
        (top / "data.bin").unlink()
        self.runner.check(read_files(top) != self.files_at_snapshot, "the files did not change")
        self.runner.report(f"snapshot {snapshot.name!r}; then one file deleted and one changed")

    def _restore(self) -> None:
        restored = self.system.create_share(size=1, name="restored", snapshot_id=self.snapshot_id)
        files = read_files(self.runner.directory(restored))
        self.runner.check(
            files == self.files_at_snapshot, "the new share differs from the snapshot"
        )
        self.runner.report(f"{count(len(files), 'file')} compared: identical to the snapshot")

    def _extend(self) -> None:
        self.projects.extend(3)
        self.runner.check(self.projects.size == 3, f"the size is {self.projects.size} GiB")
        self.runner.report("1 GiB -> 3 GiB")

    def _kill(self) -> None:
        before, pid = self.projects.refresh().seen, self._host_pid()
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        self.runner.report(f"killed process {pid} without warning")
        after = self.projects.refresh().seen
        seconds = time.monotonic() - killed
        self.runner.check(seconds < MAX_RECOVERY_S, f"the answer took {seconds:.1f} s")
        self.runner.check(after == before, "the share has changed")
        new_pid = self._host_pid()
        self.runner.check(new_pid != pid, "the process is the same")
        self.runner.report(
            f"the share answers after {seconds * 1000:.0f} ms, from process {new_pid}"
        )
        self.runner.report("its state was replayed from the log; every field is the same")
        self.projects.extend(4)
        self.runner.check(self.projects.size == 4, "the share does not accept requests")
        self.runner.report("it accepts requests again: 3 GiB -> 4 GiB")

    def _history(self) -> None:
        rows = history_rows(self.projects.history())
        self.runner.check(len(rows) >= 9, f"only {count(len(rows), 'event')}")
        for time_text, sentence in rows:
            self.runner.report(f"{time_text[11:19]}  {sentence}")

    def _share_server(self) -> None:
        network = self.system.networks.create(cidr="10.0.0.0/28", name="blue", gateway="10.0.0.1")
        share = self.system.create_share(size=1, name="tenant", share_network_id=network.id)
        server = self.system.servers.get(share.seen.share_server_id or "")
        self.runner.check(server.status == "active", f"the share server is {server.status}")
        addresses = ", ".join(server.network_allocations)
        self.runner.report(f"share server {server.id} at {addresses}: {share.export_locations[0]}")
        share.delete()
        self.system.servers.delete(server.id)
        allocations = self.system.networks.get("blue").allocations
        self.runner.check(not allocations, f"addresses are still in use: {allocations}")
        directory = Path(server.backend_details["root"])
        self.runner.check(not directory.exists(), "the server's directory still exists")
        self.runner.report("deleted the share and the server; the address is free again")

    def _manage(self) -> None:
        existing = self.runner.top / "shares" / "old-data"
        existing.mkdir()
        contents = {"letter.txt": b"written long before\n"}
        (existing / "letter.txt").write_bytes(contents["letter.txt"])
        preview = self.system.preview_manage({"path": "old-data"}, backend="local")
        self.runner.check(existing.is_dir(), "the dry run moved the directory")
        self.runner.report(f"dry run: {preview['path']}, {preview['size']} GiB")
        share = self.system.manage_share({"path": "old-data"}, backend="local", name="managed")
        self.runner.check(share.status == "available", f"the share is {share.status}")
        directory = self.runner.directory(share)
        self.runner.check(read_files(directory) == contents, "managing changed the files")
        share.unmanage()
        self.runner.check(read_files(directory) == contents, "unmanaging changed the files")
        self.runner.report(
            f"managed as {share.name!r}, then {share.status}; its files are unchanged"
        )

    def _stats(self) -> None:
        for name, report in self.system.backends.publish().items():
            self.runner.check(report.capabilities is not None, f"{name}: {report.reason}")
            for pool in report.capabilities.pools if report.capabilities else ():
                gib = (pool.free_capacity_gib, pool.total_capacity_gib)
                capacity = "{} free of {}".format(*(gib_text(part, "8.1f") for part in gib))
                allocated = f"{pool.allocated_capacity_gib:g} allocated"
                self.runner.report(f"{name:<8} up  {capacity}, {allocated}")

    def _host_pid(self) -> int:
        return int(self.system.where(self.projects.id)["pid"])


def main() -> None:
    """Run `python -m share_actors.cli.demo.script DIRECTORY RAY_DIRECTORY [--json] [--debug]`."""
    top, ray_directory, *options = sys.argv[1:]
    chosen = Options(json="--json" in options, debug="--debug" in options)
    session = Session(chosen, "demo")
    exit_now(run_guarded(session, lambda: run_demo(session, Path(top), ray_directory)))


if __name__ == "__main__":
    main()
