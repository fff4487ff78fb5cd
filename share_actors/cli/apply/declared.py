"""What a file declares of shares, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MARK = "applied-by"
"""The key of the metadata that names the set by which a share was created."""


@dataclass(frozen=True)
class DeclaredRule:
    """An access rule: who may use a share, and how."""

    to: str
    type: str = "user"
    level: str = "rw"

    @property
    def item(self) -> dict[str, str]:
        """The arguments of `allow_access`."""
        return {"to": self.to, "type": self.type, "level": self.level}

    def __str__(self) -> str:
        return f"{self.type} {self.to} {self.level}"


@dataclass(frozen=True)
class DeclaredShare:
    """A share of *size* GiB; what is None is left as it is."""

    where: str
    """Its place in the file, such as `document 2`."""
    name: str
    size: int
    fixed: Mapping[str, str] = field(default_factory=dict)
    """What cannot be changed later, by the names of `create_share`, such as `share_proto`."""
    description: str | None = None
    is_public: bool | None = None
    metadata: Mapping[str, str] | None = None
    """All of it, except `MARK`."""
    rules: tuple[DeclaredRule, ...] | None = None
    """All of them."""

    def properties(self, set_name: str) -> dict[str, object]:
        """The arguments of `create_share` by which the set *set_name* creates it."""
        given: dict[str, object] = {"description": self.description or None}
        given |= {} if self.is_public is None else {"is_public": self.is_public}
        metadata = {**(self.metadata or {}), MARK: set_name}
        return {"name": self.name, "size": self.size, **self.fixed, **given, "metadata": metadata}
