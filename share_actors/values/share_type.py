"""Share types, and what backends say of themselves: the words of scheduling. Frozen; no I/O."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import StringConstraints

from share_actors.values.base import Value

SpecValue = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class ShareType(Value):
    """What a share can be asked for by one name (Manila's share type).

    `extra_specs`: `driver_handles_share_servers`, `snapshot_support`, and requirements on capabilities,
    such as `thin_provisioning='<is> True'`. A type that is not public is for its `projects` alone.
    """

    id: str = ""
    """Its name."""
    description: str | None = None
    extra_specs: dict[str, str] = {}
    is_public: bool = True
    projects: tuple[str, ...] = ()
    created_at: datetime | None = None
    status: Literal["absent", "active", "deleted"] = "absent"

    @property
    def handles_servers(self) -> bool | None:
        """What it says of driver_handles_share_servers; None if nothing."""
        said = self.extra_specs.get("driver_handles_share_servers")
        return None if said is None else truth(said)


def truth(text: str) -> bool | None:
    """*text* as yes or no, in Manila's spellings; None if it is neither."""
    word = text.removeprefix("<is>").strip().lower()
    if word in ("true", "yes", "on", "1", "t", "y"):
        return True
    return False if word in ("false", "no", "off", "0", "f", "n") else None


# -- reading what a driver said -------------------------------------------------------------------
