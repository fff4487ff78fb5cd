"""One thing that a backend requires of its machine, and whether it is there."""

from __future__ import annotations

from typing import Literal

from share_actors.values import Frozen


class Requirement(Frozen):
    """One thing that a backend requires of its machine."""

    what: str
    """Such as `ganesha.nfsd` or `port 2049`."""
    why: str
    """What it is for."""
    met: bool
    required: bool = True
    """False: the backend works without it, but something should be known or mended."""
    found: str = ""
    """What is there: a path, a version, who holds the port, or why it could not be determined."""
    mend: str = ""
    """The command that mends it, or what to do; empty if there is nothing to do."""

    @property
    def state(self) -> Literal["ok", "missing", "warning"]:
        """`missing` prevents the backend from working, `warning` does not."""
        if self.met:
            return "ok"
        return "missing" if self.required else "warning"
