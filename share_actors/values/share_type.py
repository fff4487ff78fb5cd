"""Share types: named requirements on the pool of a share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from share_actors.values.base import Value
from share_actors.values.checks.spellings import parse_bool

SpecValue = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class ShareType(Value):
    """A named set of requirements that shares can be created with (Manila's share type).

    `extra_specs`: `driver_handles_share_servers`, `snapshot_support`, and requirements on capabilities,
    such as `thin_provisioning='<is> True'`; their words are in `values.manila`. Only `projects` can use a
    type that is not public.
    """

    id: str = ""
    """Its name."""
    description: str | None = None
    extra_specs: dict[str, str] = Field(default_factory=dict)
    is_public: bool = True
    projects: tuple[str, ...] = ()
    created_at: datetime | None = None
    status: Literal["absent", "active", "deleted"] = "absent"

    @property
    def handles_servers(self) -> bool | None:
        """The extra spec driver_handles_share_servers; None if it is not set."""
        text = self.extra_specs.get("driver_handles_share_servers")
        return None if text is None else parse_bool(text)
