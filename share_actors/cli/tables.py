"""The tables that several commands list or return: their columns, and how much each matters.

A table that one command alone uses is declared beside the command.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from share_actors.cli.output.columns import WIDE, Column, Table
from share_actors.values import AccessRule, ResourceLock, Share, ShareType
from share_actors.values.mount import is_for_world

if TYPE_CHECKING:
    from share_actors.events.envelope import Recorded

GIB = 1024**3


def _paths(share: Share) -> tuple[str, ...]:
    return tuple(location.path for location in share.export_locations)


SHARES = Table(
    "share",
    (
        Column("ID", "id", "id", 0),
        Column("NAME", "name", "word", 1),
        Column("GIB", "size", "size", 3),
        Column("PROTOCOL", "share_proto", "word", 5),
        Column("STATUS", "status", "word", 1),
        Column("BACKEND", "backend", "word", 4),
        Column("PROJECT", "project_id", "word", 6),
        Column("CREATED", "created_at", "time", 3),
        Column("HOST", "host", "word", WIDE),
        Column("TYPE", "share_type", "word", WIDE),
        Column("PATH", "export_locations", "path", WIDE, _paths),
    ),
)
SNAPSHOTS = Table(
    "snapshot",
    (
        Column("ID", "id", "id", 0),
        Column("NAME", "name", "word", 1),
        Column("SHARE", "share_id", "id", 5),
        Column("GIB", "size", "size", 3),
        Column("STATUS", "status", "word", 1),
        Column("REASON", "reason", "text", 4),
        Column("CREATED", "created_at", "time", 2),
    ),
)


def _client(rule: AccessRule) -> str:
    return f"{rule.access_to} (world)" if is_for_world(rule) else rule.access_to


def _locked(lock: ResourceLock) -> str:
    return "deletion" if lock.access_id is None else f"rule {lock.access_id}"


def _locked_by(lock: ResourceLock) -> str:
    return f"{lock.user_id} (admin)" if lock.by_admin else lock.user_id


RULES = Table(
    "access rule",
    group="rule",
    columns=(
        Column("RULE", "id", "id", 0),
        Column("TYPE", "access_type", "word", 3),
        Column("TO", "access_to", "word", 1, shown=_client),
        Column("LEVEL", "access_level", "word", 1),
        Column("STATE", "state", "word", 2),
        Column("REASON", "reason", "text", 4, lambda rule: rule.reason or rule.warning),
    ),
)
LOCKS = Table(
    "lock",
    (
        Column("LOCK", "id", "id", 0),
        Column("AGAINST", "access_id", "word", 1, shown=_locked),
        Column("BY", "user_id", "word", 2, shown=_locked_by),
        Column("REASON", "reason", "text", 3),
        Column("CREATED", "created_at", "time", 4),
    ),
)
NETWORKS = Table(
    "share network",
    group="network",
    columns=(
        Column("ID", "id", "id", 0),
        Column("NAME", "name", "word", 1),
        Column("CIDR", "cidr", "word", 2),
        Column("TYPE", "network_type", "word", 4),
        Column("SEGMENT", "segmentation_id", "size", 5),
        Column("SERVERS", "servers", "size", 4, lambda network: len(network.servers)),
        Column("SHARES", "shares", "size", 3, lambda network: len(network.shares)),
        Column("STATUS", "status", "word", 3),
        Column("PROJECT", "project_id", "word", WIDE),
        Column("GATEWAY", "gateway", "word", WIDE),
    ),
)
SERVERS = Table(
    "share server",
    group="server",
    columns=(
        Column("ID", "id", "id", 0),
        Column("HOST", "host", "word", 1),
        Column("NETWORK", "share_network_id", "id", 6),
        Column("ADDRESSES", "network_allocations", "word", 2),
        Column("SHARES", "shares", "size", 3, lambda server: len(server.shares)),
        Column("STATUS", "status", "word", 1),
        Column("UNUSED SINCE", "unused_since", "time", 4),
    ),
)


def _specs(share_type: ShareType) -> str:
    return ", ".join(f"{key}={value}" for key, value in share_type.extra_specs.items())


TYPES = Table(
    "share type",
    group="type",
    columns=(
        Column("NAME", "id", "id", 0),
        Column("SPECS", "extra_specs", "text", 1, shown=_specs),
        Column("PUBLIC", "is_public", "word", 2),
        Column("PROJECTS", "projects", "text", 3),
        Column("DESCRIPTION", "description", "text", WIDE),
    ),
)
BACKENDS = Table(
    "backend",
    (
        Column("BACKEND", "backend", "id", 0),
        Column("DRIVER", "driver", "word", 2),
        Column("STATUS", "status", "word", 1),
        Column("REPORTED AT", "at", "time", 3),
        Column("REASON", "reason", "text", 2),
    ),
    identity="backend",
)


def _sentence(recorded: Recorded) -> str:
    from share_actors.audit.sentences import sentence  # noqa: PLC0415 - the log's words

    return sentence(recorded)


USAGE = Table(
    "share",
    (
        Column("SHARE", "share_id", "id", 0),
        Column("USED GIB", "used", "size", 1, shown=lambda row: f"{row['used'] / GIB:.2f}"),
        Column("SIZE GIB", "size", "size", 2, shown=lambda row: f"{row['size'] / GIB:g}"),
        Column("PERCENT", "percent", "size", 1, shown=lambda row: f"{row['percent']:.1f}"),
    ),
    identity="share_id",
)
BACKEND = Table(
    "backend",
    (
        Column("BACKEND", "id", "id", 0),
        Column("STATUS", "status", "word", 1),
        Column("SINCE", "since", "time", 2),
        Column("REASON", "reason", "text", 3),
        Column("NODE", "node", "word", WIDE),
    ),
)
"""What is recorded of one backend."""
HISTORY = Table(
    "event",
    (
        Column("WHEN", "at", "time", 1, lambda recorded: recorded.envelope.at),
        Column("WHAT", "sentence", "text", 0, _sentence),
        Column("BY", "user_id", "word", WIDE, lambda recorded: recorded.envelope.user_id),
        Column("EVENT", "event_id", "id", WIDE),
    ),
    identity="event_id",
)
SHARE_SNAPSHOTS = Table(
    "snapshot",
    tuple(
        replace(column, title="SNAPSHOT") if column.field == "id" else column
        for column in SNAPSHOTS.columns
        if column.field != "share_id"
    ),
)
"""The snapshots of one share."""
