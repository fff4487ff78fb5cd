"""The frame of the demo: its system in a directory with its own Ray, and numbered, checked steps."""

# ruff: noqa: PLC0415 - Ray and the log are imported by the commands that need them
from __future__ import annotations

import errno
import os
import pwd
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from share_actors.cli.output import escape
from share_actors.cli.ray_process import OBJECT_STORE_BYTES
from share_actors.cli.session import Session
from share_actors.errors import ShareActorsError

if TYPE_CHECKING:
    from share_actors.client import ShareHandle, ShareSystem


class DemoRunner:
    """Starts the demo's system, and reports and checks its steps; `steps` has them as JSON."""

    def __init__(self, session: Session, top: Path, ray_directory: str) -> None:
        self.output, self.top, self._ray_directory = session.output, top, ray_directory
        self.output.reserve_stdout(debug=session.options.debug)
        self.steps: list[dict[str, Any]] = []
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the demo began."""
        return round(time.monotonic() - self._began, 1)

    # -- the system ------------------------------------------------------------------------------
    def start(self, backends: dict[str, Any]) -> ShareSystem:
        """Start a system with *backends* as `share_actors.start` does for any program, on its own Ray."""
        from share_actors.actors.runtime import lifecycle
        from share_actors.client import start
        from share_actors.config import build

        lifecycle.init(
            None,
            _temp_dir=f"{self._ray_directory}/r",
            num_cpus=2,
            object_store_memory=OBJECT_STORE_BYTES,
        )
        patient = {"first_stats_s": 60}  # a busy machine may start the backends slowly
        config = build({"home": self.top / "home", "backends": backends, "scheduler": patient})
        self.report(f"working in {self.top}")
        return start(config)

    # -- steps -----------------------------------------------------------------------------------
    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One numbered step, and how long it takes."""
        self.steps.append({"step": len(self.steps) + 1, "title": title, "facts": []})
        self.output.print(f"\n[bold cyan]{len(self.steps):>2}[/]  [bold]{escape(title)}[/]")
        began = time.monotonic()
        yield
        seconds = time.monotonic() - began
        self.steps[-1]["seconds"] = round(seconds, 3)
        self.output.print(f"    [dim]{seconds:.2f} s[/]")

    def report(self, text: str) -> None:
        """Report something observed in this step."""
        self.steps[-1]["facts"].append(text)
        self.output.print(f"    {escape(text)}")

    def check(self, passed: bool, problem: str) -> None:
        """Continue if the check *passed*; else raises `ShareActorsError`."""
        if not passed:
            raise ShareActorsError(
                f"step {len(self.steps)}: {problem}",
                next_step="The demo ends here."
                " `share-actors demo --keep` keeps its directory for inspection.",
            )

    # -- files -----------------------------------------------------------------------------------
    def directory(self, share: ShareHandle) -> Path:
        """The directory that *share* exports."""
        return Path(share.export_locations[0])

    def has_acls(self) -> bool:
        """Whether the filesystem of the temporary directory supports POSIX ACLs."""
        try:
            os.getxattr(self.top, "system.posix_acl_access")
        except OSError as error:
            return error.errno == errno.ENODATA
        return True


def read_files(top: Path) -> dict[str, bytes]:
    """The contents of all files below *top*, by relative path."""
    return {str(p.relative_to(top)): p.read_bytes() for p in top.rglob("*") if p.is_file()}


def pick_user() -> str:
    """A user of this machine: `nobody` if it exists, else the current one."""
    names = {user.pw_name for user in pwd.getpwall()}
    return "nobody" if "nobody" in names else pwd.getpwuid(os.getuid()).pw_name


def can_access(user: str, permission: str, path: str) -> bool | None:
    """Whether *user* has *permission* (`-r`, `-w`, `-x`) on *path*; None if only root could test it."""
    if os.geteuid() != 0 or user == "root":
        return None
    group = pwd.getpwnam(user).pw_gid
    test = ["test", permission, path]
    return (
        subprocess.run(test, user=user, group=group, extra_groups=[], check=False).returncode == 0
    )
