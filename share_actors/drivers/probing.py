"""What a driver finds of one share on its backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from share_actors.values import ExportLocation, Frozen

Exports = Sequence[ExportLocation]


class ProbeResult(Frozen):
    """What exists of one share on a backend (`ShareDriver.probe_share`). None means: not examined.

    `partial`: creation began, and repeating it completes the share. `broken`: it must be deleted first.
    """

    state: Literal["absent", "partial", "broken", "whole"]
    export_locations: Exports = ()
    size: int | None = None
    """In GiB."""
    access: frozenset[tuple[str, str, str]] | None = None
    """The rules in force: (access_type, access_to, access_level)."""
    access_on_file: frozenset[tuple[str, str, str]] | None = None
    """The rules that the backend will apply when it is started again, if it stores them apart."""
    used: int | None = None
    """In bytes."""
    problems: tuple[str, ...] = ()
    """What is wrong with the share on the backend, one sentence each."""
    snapshots: dict[str, str | None] | None = None
    """The complete snapshots of the share: id to provider location."""
    snapshot_access: dict[str, frozenset[tuple[str, str, str]]] | None = None
    """The rules in force of the snapshots that are exported by themselves, by id."""
    unfinished: frozenset[str] = frozenset()
    """The ids of incomplete snapshots: partly taken or partly deleted."""
