"""Manila's words, in one table each: statistics, extra specs, their operators, and scheduler hints.

The parser of statistics, the filters and the reference page (`docs/reference/manila.md`) read these tables.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

Kind = Literal[
    "capacity",
    "size",
    "percentage",
    "ratio",
    "goodness",
    "boolean",
    "protocols",
    "texts",
    "text",
    "name",
    "ignored",
]
KINDS: Mapping[Kind, str] = {
    "capacity": "GiB: a number or its text, `unknown` or `infinite`",
    "size": "GiB: a number or its text",
    "percentage": "0 to 100: a number or its text",
    "ratio": "at least 1: a number or its text",
    "goodness": "0 to 100: a number or its text",
    "boolean": "true or false in any of Manila's spellings, or a list of both",
    "protocols": "text such as `NFS_CIFS`, or a list",
    "texts": "a list of text",
    "text": "text",
    "name": "text",
    "ignored": "anything",
}
"""What a value of each kind looks like."""


class Statistic(NamedTuple):
    """One key of a driver's statistics.

    *field* is that of `Capabilities` or `Pool` which holds the value; without one, the value is a capability
    under its key. *default* applies if the key is left out or None, or its value cannot be read. *absent*
    describes a default that is not a constant.
    """

    key: str
    kind: Kind
    default: Any
    meaning: str
    field: str = ""
    aliases: tuple[str, ...] = ()
    absent: str = ""


_CLASS = "as the driver's class has it"
BACKEND: tuple[Statistic, ...] = (
    Statistic("share_backend_name", "text", None, "A second name in share types.", "backend_name"),
    Statistic("driver_name", "text", None, "The driver's class.", "driver_name", absent=_CLASS),
    Statistic("vendor_name", "text", None, "Who made the storage."),
    Statistic("driver_version", "text", None, "The version of the driver."),
    Statistic(
        "storage_protocol",
        "protocols",
        None,
        "The protocols of its shares; a pool may have its own. `SMB` is `CIFS`.",
        "storage_protocols",
        absent=_CLASS,
    ),
    Statistic(
        "access_types", "texts", None, "The types of access rules.", "access_types", absent=_CLASS
    ),
    Statistic(
        "access_support",
        "ignored",
        None,
        "The types and levels of access rules by protocol, which only its class declares.",
        "access_support",
        absent=_CLASS,
    ),
    Statistic(
        "driver_handles_share_servers",
        "boolean",
        None,
        "Whether shares are on share servers. The configuration decides.",
        "driver_handles_share_servers",
        absent="as configured",
    ),
    Statistic(
        "availability_zone",
        "text",
        "nova",
        "The zone, unless the configuration has one.",
        "availability_zone",
    ),
    *(
        Statistic(key, "boolean", None, meaning, key, absent=_CLASS)
        for key, meaning in (
            ("snapshot_support", "Snapshots can be taken."),
            ("create_share_from_snapshot_support", "Shares can be created from snapshots."),
            ("extend_support", "Shares can be extended."),
            ("shrink_support", "Shares can be shrunk."),
        )
    ),
    Statistic(
        "revert_to_snapshot_support", "boolean", None, "Shares can be reverted.", absent=_CLASS
    ),
    Statistic(
        "mount_snapshot_support", "boolean", None, "Snapshots can be mounted.", absent=_CLASS
    ),
    Statistic("dedupe", "boolean", False, "Data are deduplicated."),
    Statistic("compression", "boolean", False, "Data are compressed."),
    Statistic("qos", "boolean", False, "Shares can have a QoS.", aliases=("QoS_support",)),
    Statistic("ipv4_support", "boolean", True, "Exports have IPv4 addresses."),
    Statistic("ipv6_support", "boolean", False, "Exports have IPv6 addresses."),
    Statistic("replication_type", "text", None, "`dr`, `readable` or `writable`."),
    Statistic("replication_domain", "text", None, "The backends that replicate to each other."),
    Statistic("timestamp", "ignored", None, "When they were read."),
)
"""The statistics of a backend. A pool may have any of them as well, which then count for it."""
POOL: tuple[Statistic, ...] = (
    Statistic(
        "pool_name", "name", None, "The name of the pool.", "name", absent="that of the backend"
    ),
    Statistic(
        "total_capacity_gb", "capacity", "unknown", "The total capacity.", "total_capacity_gib"
    ),
    Statistic("free_capacity_gb", "capacity", "unknown", "The free capacity.", "free_capacity_gib"),
    Statistic(
        "allocated_capacity_gb",
        "size",
        0.0,
        "The sizes of the shares.",
        "allocated_capacity_gib",
    ),
    Statistic(
        "provisioned_capacity_gb",
        "size",
        0.0,
        "The sizes of everything in the pool.",
        "provisioned_capacity_gib",
    ),
    Statistic(
        "reserved_percentage",
        "percentage",
        0.0,
        "The percentage of the total that stays free.",
        "reserved_percentage",
        aliases=("reserved_share_percentage",),
    ),
    Statistic(
        "reserved_snapshot_percentage",
        "percentage",
        None,
        "The same, for shares from snapshots.",
        "reserved_snapshot_percentage",
        aliases=("reserved_share_from_snapshot_percentage",),
        absent="`reserved_percentage`",
    ),
    Statistic(
        "reserved_share_extend_percentage",
        "percentage",
        None,
        "The same, for extensions.",
        "reserved_share_extend_percentage",
        absent="`reserved_percentage`",
    ),
    Statistic(
        "thin_provisioning",
        "boolean",
        False,
        "Shares only take up their content. A list: the share type decides.",
        "thin_provisioning",
    ),
    Statistic(
        "max_over_subscription_ratio",
        "ratio",
        1.0,
        "A thin pool may promise this multiple of its capacity.",
        "max_over_subscription_ratio",
        absent="20 for a thin pool, otherwise 1",
    ),
    Statistic("goodness", "goodness", 0.0, "The driver's own weight for new shares.", "goodness"),
)
"""The statistics of a pool. A backend without `pools` is one pool, with the statistics of the backend."""
DEFAULT_RATIO = 20.0
"""The `max_over_subscription_ratio` of a thin pool that leaves it out (Manila's default)."""
MAX_GIB = 1e15
"""A capacity above this is infinite."""
STATISTICS: Mapping[str, Statistic] = {
    name: row
    for row in (*BACKEND, *POOL)
    for name in (row.key, *row.aliases, *([row.field] if row.field else ()))
}
"""The statistics by every name that they may have: Manila's, its older ones, and ours."""


class Operator(NamedTuple):
    """An operator of extra specs: what follows it, when it holds for a capability, and in words."""

    operand: Literal["number", "text", "boolean", "choices"]
    holds: Callable[[Any, Any], bool]
    meaning: str


OPERATORS: Mapping[str, Operator] = {
    "=": Operator("number", operator.ge, "at least: not *equal*, as in Manila"),
    "==": Operator("number", operator.eq, "equal"),
    "!=": Operator("number", operator.ne, "not equal"),
    ">=": Operator("number", operator.ge, "at least"),
    "<=": Operator("number", operator.le, "at most"),
    ">": Operator("number", operator.gt, "more than"),
    "<": Operator("number", operator.lt, "less than"),
    "s==": Operator("text", operator.eq, "the same text"),
    "s!=": Operator("text", operator.ne, "another text"),
    "s>=": Operator("text", operator.ge, "the same text or a later one"),
    "s<=": Operator("text", operator.le, "the same text or an earlier one"),
    "s>": Operator("text", operator.gt, "a later text"),
    "s<": Operator("text", operator.lt, "an earlier text"),
    "<is>": Operator("boolean", operator.is_, "true or false"),
    "<in>": Operator("text", operator.contains, "contains the text"),
    "<or>": Operator("choices", operator.eq, "one of several: `<or> a <or> b`"),
}
"""The operators of extra specs. A blank follows each; without one, the value is to be equal."""


class ExtraSpec(NamedTuple):
    """An extra spec with a meaning of its own: what it may be, and what it does."""

    values: Literal["boolean", "size", "zones", "replication", "text", "duration"]
    meaning: str


EXTRA_SPECS: Mapping[str, ExtraSpec] = {
    "driver_handles_share_servers": ExtraSpec("boolean", "Required. Whether it has share servers."),
    "snapshot_support": ExtraSpec("boolean", "A capability of the pool."),
    "create_share_from_snapshot_support": ExtraSpec("boolean", "A capability of the pool."),
    "revert_to_snapshot_support": ExtraSpec("boolean", "A capability of the pool."),
    "mount_snapshot_support": ExtraSpec("boolean", "A capability of the pool."),
    "replication_type": ExtraSpec("replication", "A capability of the pool."),
    "availability_zones": ExtraSpec("zones", "Shares go to these zones only."),
    "provisioning:min_share_size": ExtraSpec("size", "Shares are created and shrunk no smaller."),
    "provisioning:max_share_size": ExtraSpec(
        "size", "Shares are created no larger, and extended no larger by users of their project."
    ),
    "provisioning:max_share_extend_size": ExtraSpec(
        "size", "Shares are extended no larger by admins of the system."
    ),
    "deletion:grace_period": ExtraSpec(
        "duration", "Deleted shares are kept for this long, such as `7d`, and can be restored."
    ),
    "provisioning:mount_point_prefix": ExtraSpec("text", "Has no effect here."),
}
"""The extra specs that are more than a requirement on a capability of the same name."""
REPLICATION_TYPES = ("dr", "readable", "writable")
PROVISIONING = "provisioning:"
"""The scope of extra specs in which unknown ones are refused: an unknown limit would not be enforced."""
HINTS: Mapping[str, str] = {
    "same_host": "On the pool of each of these shares, given by their ids.",
    "different_host": "On another pool than each of these shares, given by their ids.",
    "only_host": "On this backend or pool: the same as `host`.",
}
"""The scheduler hints: properties of a new share, or in `scheduler_hints`."""
