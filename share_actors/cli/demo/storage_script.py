"""The steps of the demo of real storage: btrfs, exported by NFS-Ganesha to two real NFS clients."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from share_actors.cli.command import exit_now, run_guarded
from share_actors.cli.demo.runner import DemoRunner
from share_actors.cli.demo.script import print_end
from share_actors.cli.demo.storage_site import FIRST, SECOND, StorageSite, storage_site
from share_actors.cli.rendering import history_rows
from share_actors.cli.session import Options, Session
from share_actors.testing.visits import Full, OpenFile, ReadOnly, VisitError

if TYPE_CHECKING:
    from share_actors.client import ShareHandle, ShareSystem
    from share_actors.testing.visiting import ProcessVisit

MIB = 1 << 20
GIB = 1 << 30


def run_storage_demo(session: Session, top: Path, ray_directory: str) -> None:
    """Run all steps; raises `ShareActorsError` when a check fails."""
    runner = DemoRunner(session, top, ray_directory)
    with storage_site(top) as site:
        with runner.step(
            "Start a system on btrfs in an image file, served by a private NFS-Ganesha"
        ):
            system = runner.start(site.backends)
            runner.report(f"the server's address is {site.options['address']}, in a namespace")
        StorageScript(runner, system, site).run()
        with runner.step("Stop the system, then the NFS server; the log keeps everything"):
            system.close()
    print_end(session, runner)


class StorageScript:
    """The steps, in order; all of them use one share of 1 GiB."""

    def __init__(self, runner: DemoRunner, system: ShareSystem, site: StorageSite) -> None:
        self.runner, self.system, self.site = runner, system, site
        self.share: ShareHandle
        self.path = ""
        self.client: ProcessVisit

    def run(self) -> None:
        """Run the steps."""
        for title, step in self._steps():
            with self.runner.step(title):
                step()

    def _steps(self) -> tuple[tuple[str, Callable[[], None]], ...]:
        return (
            (f"Create a share; the client {FIRST} is allowed, mounts it and writes", self._write),
            (f"The client {SECOND} is refused, then allowed, then made read-only", self._second),
            ("Fill the share to its limit, extend it, and write on", self._fill),
            ("Take a snapshot, destroy the data, and revert the share", self._revert),
            ("Kill (-9) the NFS server while a client writes", self._kill),
            ("Revoke a rule while its client holds a file open", self._revoke),
            ("Read the history: what happened, when, and at whose request", self._history),
        )

    def _write(self) -> None:
        self.share = self.system.create_share(size=1, name="projects")
        self.path = self.share.export_locations[0]
        self.runner.check(self.site.is_refused(FIRST, self.path), "a client without a rule mounted")
        self.share.allow_access(FIRST, type="ip")
        self.client = self.site.visit(FIRST, self.path)
        self.client.write("plan.txt", b"record, act, record the outcome\n")
        self.runner.report(f"{self.path}: refused without a rule; mounted and written with one")

    def _second(self) -> None:
        self.runner.check(self.site.is_refused(SECOND, self.path), "the second client mounted")
        rule = self.share.allow_access(SECOND, type="ip")
        second = self.site.visit(SECOND, self.path)
        second.write("second.txt", b"1")
        self.share.deny_access(rule.id)
        self.share.allow_access(SECOND, type="ip", level="ro")
        reader = self.site.visit(SECOND, self.path)
        self.runner.check(reader.read("second.txt") == b"1", "the read-only client cannot read")
        self._must_fail(lambda: reader.write("more.txt", b"1"), ReadOnly, "a read-only write")
        self.client.write("first.txt", b"still here")
        self.runner.report(
            "refused, then read and write, then read only; the first client wrote on"
        )

    def _fill(self) -> None:
        held = self.client.hold("big.bin")
        began = time.monotonic()
        self._must_fail(lambda: held.fill(GIB + 64 * MIB), Full, "a write beyond the size")
        self.runner.report(
            f"the write ended with 'no space' after {time.monotonic() - began:.1f} s"
        )
        self.share.extend(2)
        self.client.hold("more.bin").fill(64 * MIB)
        self.runner.report("1 GiB -> 2 GiB; the next 64 MiB were written at once")

    def _revert(self) -> None:
        snapshot = self.share.create_snapshot("before")
        self.client.write("plan.txt", b"everything is gone             \n")
        began = time.monotonic()
        self.share.revert_to(snapshot)
        seconds = time.monotonic() - began
        self.client = self.site.visit(FIRST, self.path)
        content = self.client.read("plan.txt")
        self.runner.check(content.startswith(b"record, act"), f"the file has {content!r}")
        self.runner.report(f"reverted in {seconds * 1000:.0f} ms; the client mounted again")

    def _kill(self) -> None:
        held, stop, written, longest = self.client.hold("journal"), threading.Event(), [0], [0.0]
        writer = threading.Thread(target=_write_on, args=(held, stop, written, longest))
        writer.start()
        _wait_for_more(written, 20)
        server = self.site.ganesha()
        server.send_signal(signal.SIGKILL)
        _wait_for_more(written, 200)
        stop.set()
        writer.join()
        self.runner.check(self.site.ganesha().pid != server.pid, "the server was not restarted")
        self.runner.report(
            f"{written[0]} writes succeeded, none failed; the longest took {longest[0] * 1000:.0f} ms"
        )

    def _revoke(self) -> None:
        rule = next(rule for rule in self.share.refresh().access_rules if rule.access_to == FIRST)
        held, last = self.client.hold("held"), [0.0]
        writer = threading.Thread(target=_write_until_refused, args=(held, last))
        writer.start()
        asked = time.monotonic()
        self.share.deny_access(rule.id)
        answered = time.monotonic()
        writer.join(60)
        self.runner.check(not writer.is_alive(), "the client still writes")
        late = max(0.0, last[0] - answered) * 1000
        self.runner.report(
            f"the answer came after {(answered - asked) * 1000:.0f} ms; the last write that succeeded ended"
            f" {late:.1f} ms after it"
        )

    def _history(self) -> None:
        rows = history_rows(self.share.history())
        self.runner.check(len(rows) >= 12, f"only {len(rows)} events")
        for time_text, sentence in rows:
            self.runner.report(f"{time_text[11:19]}  {sentence}")

    def _must_fail(self, call: Callable[[], None], kind: type[VisitError], what: str) -> None:
        try:
            call()
        except kind:
            return
        self.runner.check(False, f"{what} succeeded")


def _write_on(
    held: OpenFile, stop: threading.Event, written: list[int], longest: list[float]
) -> None:
    while not stop.is_set():
        began = time.monotonic()
        held.write(b"%d\n" % written[0])
        longest[0] = max(longest[0], time.monotonic() - began)
        written[0] += 1


def _wait_for_more(written: list[int], count: int) -> None:
    """Wait until *count* more writes have succeeded."""
    deadline = time.monotonic() + 60
    until = written[0] + count
    while written[0] < until and time.monotonic() < deadline:
        time.sleep(0.01)


def _write_until_refused(held: OpenFile, last: list[float]) -> None:
    try:
        while True:
            held.write(b"1")
            last[0] = time.monotonic()
    except VisitError:
        return


def main() -> None:
    """Run `python -m share_actors.cli.demo.storage_script DIRECTORY RAY_DIRECTORY [--json] [--debug]`."""
    top, ray_directory, *options = sys.argv[1:]
    chosen = Options(json="--json" in options, debug="--debug" in options)
    session = Session(chosen, "demo")
    exit_now(run_guarded(session, lambda: run_storage_demo(session, Path(top), ray_directory)))


if __name__ == "__main__":
    main()
