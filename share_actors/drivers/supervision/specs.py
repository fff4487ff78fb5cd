"""What a supervised unit consists of: the description that its supervisor reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class PartSpec:
    """One daemon of a unit."""

    name: str
    """Its name in messages, and of the file in `pids` that records its process."""
    command: tuple[str, ...]
    """Stays in the foreground."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Its variables; `PATH` is that of the supervisor unless it is set here."""
    creates: str | None = None
    """The Unix socket at which it accepts connections once it has started.

    The last part of a unit has started when the unit serves.
    """
    marker: str | None = None
    """An argument of all its processes, and of no others. Without one it has a single process."""
    patience_s: float = 0.0
    """How long it may take to end after SIGTERM. At 0 it is killed at once."""
    start_s: float = 10.0
    """How long it may take to start."""


@dataclass(frozen=True)
class UnitSpec:
    """Daemons that are started in order and restarted together. The last one serves clients."""

    name: str
    """Its name in messages."""
    parts: tuple[PartSpec, ...]
    listen: tuple[str, int]
    """The TCP address that it serves on."""
    protocol: str
    """A key of `probes.OFFERS`: what it speaks there."""
    heartbeat_limit_s: float = 30.0
    """How long it may leave an offer unanswered before it is restarted."""
    settings: str = ""
    """What the daemons read only when they start: they are started again if this has changed."""
    network_namespace: str | None = None
    """The network namespace (`ip netns`) of the unit. Default: the caller's."""
    logs: tuple[str, ...] = ()
    """The files that tell why a part ended, besides the output of all parts."""
    plan: str | None = None
    """The subclass of `plan.Plan` of the unit, as `MODULE:CLASS`. Default: `Plan`."""
    outlives_supervisor: bool = False
    """Whether the parts go on without a supervisor, and the next one takes them over. Else they end too."""

    @property
    def main(self) -> PartSpec:
        """The part that serves clients."""
        return self.parts[-1]

    @property
    def start_s(self) -> float:
        """How long all parts together may take to start."""
        return sum(part.start_s for part in self.parts)

    def to_json(self) -> str:
        """The description as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> UnitSpec:
        """The description in *text*, which `to_json` has made."""
        fields: dict[str, Any] = json.loads(text)
        parts = tuple(
            PartSpec(**{**part, "command": tuple(part["command"])}) for part in fields["parts"]
        )
        host, port = fields["listen"]
        return cls(
            **{**fields, "parts": parts, "listen": (host, port), "logs": tuple(fields["logs"])}
        )
