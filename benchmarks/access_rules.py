"""`python -m benchmarks.access_rules [--files 1000000]`: changes of access rules on a large share.

Creates a share of the driver `local` with empty files, changes its rules, and prints as JSON when a user
could do what the new rules say (seconds after the call), when all files were changed, and the memory of the
process. One change is killed halfway and repeated. It needs root, a filesystem with POSIX ACLs at
`--directory`, and an inode for each file; everything is removed at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from share_actors.drivers.filesystem.removal import remove_tree
from share_actors.drivers.local import LocalDriver, LocalOptions
from share_actors.values import AccessLevel, AccessRule, RequestContext, Share

USER = 61_001
SHARE = Share(id="s1", size=1)
Probe = Callable[[], bool]
_attempts = count(1)


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.access_rules",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--per-directory", type=int, default=1_000)
    parser.add_argument("--directory", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    with _place(options.directory) as place:
        figures = _Bench(place / "root", options.files, options.per_directory).run()
    print(json.dumps(figures, indent=2))


@contextmanager
def _place(parent: Path) -> Iterator[Path]:
    """A directory below *parent* that every user can pass through; removed at the end."""
    place = Path(tempfile.mkdtemp(prefix="share-actors-bench-", dir=parent))
    place.chmod(0o711)
    try:
        yield place
    finally:
        fd = os.open(parent, os.O_RDONLY)
        remove_tree(fd, place.name)
        os.close(fd)


class _Bench:
    def __init__(self, root: Path, files: int, per_directory: int) -> None:
        self._root, self._files, self._per_directory = root, files, per_directory
        self._top = root / "shares" / SHARE.id
        self._first = self._file(0)
        self._last = self._file(files - 1)
        self._figures: dict[str, Any] = {"files": files, "per_directory": per_directory}

    def run(self) -> dict[str, Any]:
        """The figures: seconds, MB and numbers of entries."""
        self._figures["load_before"] = os.getloadavg()
        self._create()
        can_read_first, can_read_last = _can_open(self._first), _can_open(self._last)
        can_write_first = _can_open(self._first, os.O_RDWR)
        can_write_last = _can_open(self._last, os.O_RDWR)
        allowed = {
            "enters": _can_list(self._top),
            "writes_first_file": can_write_first,
            "writes_last_file": can_write_last,
        }
        self._change("allow_rw", allowed, "rw")
        self._change("allow_rw_again", {}, "rw")
        restricted = {
            "cannot_write_last_file": lambda: not can_write_last(),
            "reads_first_file": lambda: can_read_first() and not can_write_first(),
            "reads_last_file": lambda: can_read_last() and not can_write_last(),
        }
        self._change("rw_to_ro", restricted, "ro", killed_at=self._files // 2)
        self._change("deny", {"cannot_enter": lambda: not _can_list(self._top)()})
        self._figures["load_after"] = os.getloadavg()
        return self._figures

    def _file(self, number: int) -> Path:
        return self._top / f"d{number // self._per_directory:06}" / f"f{number:07}"

    def _create(self) -> None:
        driver = _driver(self._root)
        driver.do_setup(RequestContext())
        driver.create_share(RequestContext(), SHARE)
        start = time.monotonic()
        for number in range(self._files):
            if number % self._per_directory == 0:
                self._file(number).parent.mkdir()
            os.mknod(self._file(number), 0o600)
        self._note("create_files", start)

    def _change(
        self, name: str, probes: dict[str, Probe], *levels: AccessLevel, killed_at: int = 0
    ) -> None:
        """Change the rules to one of *levels* for the user, and note when each of *probes* was true."""
        start = time.monotonic()
        watching = _watch(probes)
        child = _apply_in_child(self._root, levels)
        if killed_at:
            self._kill(child, killed_at)
            self._note(f"{name}_until_killed", start)
            again = time.monotonic()
            child = _apply_in_child(self._root, levels)
        _, status, usage = os.wait4(child, 0)
        assert status == 0
        self._note(f"{name}_all_files", start)
        if killed_at:
            self._note(f"{name}_after_kill", again)
        for probe, at in watching():
            self._figures[f"{name}_{probe}_s"] = round(at - start, 4)
        self._figures[f"{name}_cpu_s"] = round(usage.ru_utime + usage.ru_stime, 2)
        self._figures[f"{name}_max_rss_mb"] = usage.ru_maxrss // 1000
        print(json.dumps(self._figures), file=sys.stderr)

    def _kill(self, child: int, at: int) -> None:
        """Kill *child* when its saved position is *at* entries or more."""
        record = self._root / "meta" / f"{SHARE.id}@rules"
        while json.loads(record.read_text()).get("done", 0) < at:
            assert os.waitpid(child, os.WNOHANG) == (0, 0), "the change ended before it was killed"
            time.sleep(0.005)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        self._figures["killed_at_entries"] = json.loads(record.read_text()).get("done")

    def _note(self, name: str, start: float) -> None:
        self._figures[f"{name}_s"] = round(time.monotonic() - start, 2)


def _driver(root: Path) -> LocalDriver:
    return LocalDriver(configuration=LocalOptions(root=root), backend_name="here")


def _apply_in_child(root: Path, levels: tuple[AccessLevel, ...]) -> int:
    """The process that makes the rules those of *levels*; each has a token, as in the system."""
    context = RequestContext(token=f"bench:{next(_attempts)}")
    rules = [
        AccessRule(id=n, access_type="user", access_to=str(USER), access_level=n) for n in levels
    ]
    if (child := os.fork()) == 0:
        try:
            _driver(root).update_access(context, SHARE, rules, rules, ())
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return child


def _watch(probes: dict[str, Probe]) -> Callable[[], list[tuple[str, float]]]:
    """Try *probes* as the user, in a process, until each was true; returns how to wait for the times."""
    reading, writing = os.pipe()
    parent = os.getpid()
    if (child := os.fork()) == 0:
        os.setgroups([])
        os.setgid(USER)
        os.setuid(USER)
        while probes and os.getppid() == parent:
            for name in [name for name, probe in probes.items() if probe()]:
                del probes[name]
                os.write(writing, f"{name} {time.monotonic()}\n".encode())
            time.sleep(0.001)
        os._exit(0)
    os.close(writing)

    def wait() -> list[tuple[str, float]]:
        with open(reading, encoding="ascii") as pipe:
            lines = pipe.read().splitlines()
        os.waitpid(child, 0)
        return [(name, float(at)) for name, at in (line.split() for line in lines)]

    return wait


def _can_list(directory: Path) -> Probe:
    return lambda: _succeeds(lambda: os.listdir(directory))


def _can_open(path: Path, flags: int = os.O_RDONLY) -> Probe:
    return lambda: _succeeds(lambda: os.close(os.open(path, flags)))


def _succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
