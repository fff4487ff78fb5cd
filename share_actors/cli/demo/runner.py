"""Where the demo plays: its directory, a Ray of its own, and numbered steps."""

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

from rich.markup import escape

from share_actors.cli.ray_process import OBJECT_STORE_BYTES
from share_actors.cli.session import Session
from share_actors.errors import ShareActorsError

if TYPE_CHECKING:
    from share_actors.client import ShareHandle, ShareSystem


class DemoRunner:
    """The demo's directory and its system; tells what happens, and checks it."""

    def __init__(self, session: Session, top: Path, ray: str) -> None:
        self.output, self.top, self._ray = session.output, top, ray
        self.output.keep_stdout(debug=session.options.debug)
        self.told: list[dict[str, Any]] = []
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self._began, 1)

    # -- the system ------------------------------------------------------------------------------
    def start(self) -> ShareSystem:
        """A system as `share_actors.start` gives it to any program, apart from all others."""
        from share_actors.actors.runtime import lifecycle
        from share_actors.client import start
        from share_actors.config import build

        lifecycle.init(
            None, _temp_dir=f"{self._ray}/r", num_cpus=2, object_store_memory=OBJECT_STORE_BYTES
        )
        local = {"driver": "local", "options": {"root": str(self.top / "shares")}}
        tenants = {
            "driver": "local-servers", "driver_handles_share_servers": True,
            "options": {"root": str(self.top / "tenants")},
        }  # fmt: skip
        config = build(
            {"home": self.top / "home", "backends": {"local": local, "tenants": tenants}}
        )
        self.fact(f"directory {self.top}")
        return start(config)

    # -- telling ---------------------------------------------------------------------------------
    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One numbered step, and how long it took."""
        self.told.append({"step": len(self.told) + 1, "title": title, "facts": []})
        self.output.say(f"\n[bold cyan]{len(self.told):>2}[/]  [bold]{escape(title)}[/]")
        began = time.monotonic()
        yield
        took = time.monotonic() - began
        self.told[-1]["seconds"] = round(took, 3)
        self.output.say(f"    [dim]{took:.2f} s[/]")

    def fact(self, text: str) -> None:
        """What was seen in this step."""
        self.told[-1]["facts"].append(text)
        self.output.say(f"    {escape(text)}")

    def check(self, good: bool, otherwise: str) -> None:
        """Go on only if *good*."""
        if not good:
            raise ShareActorsError(
                f"step {len(self.told)}: {otherwise}",
                next_step="The demo ends here. `share-actors demo --keep` leaves its directory to look at.",
            )

    # -- files -----------------------------------------------------------------------------------
    def folder(self, share: ShareHandle) -> Path:
        return Path(share.export_locations[0])

    def has_acls(self) -> bool:
        """Whether the temporary directory's filesystem keeps POSIX ACLs."""
        try:
            os.getxattr(self.top, "system.posix_acl_access")
        except OSError as error:
            return error.errno == errno.ENODATA
        return True


def files(top: Path) -> dict[str, bytes]:
    """All files beneath *top*: their paths and contents."""
    return {str(p.relative_to(top)): p.read_bytes() for p in top.rglob("*") if p.is_file()}


def somebody() -> str:
    """A user of this machine, best one who is not its owner."""
    known = {user.pw_name for user in pwd.getpwall()}
    return "nobody" if "nobody" in known else pwd.getpwuid(os.getuid()).pw_name


def can(user: str, may: str, path: str) -> bool | None:
    """Whether *user* *may* (`-r`, `-w`, `-x`) do that with *path*; None if this process can't try."""
    if os.geteuid() != 0 or user == "root":
        return None
    group = pwd.getpwnam(user).pw_gid
    tried = subprocess.run(
        ["test", may, path], user=user, group=group, extra_groups=[], check=False
    )  # fmt: skip
    return tried.returncode == 0
