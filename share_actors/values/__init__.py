"""The values that events, drivers and clients share: frozen, without I/O."""

from __future__ import annotations

from share_actors.values.backend import BackendReport, BackendState, Capabilities, Pool
from share_actors.values.base import Frozen, Value, utc_now
from share_actors.values.context import OPERATOR, RequestContext
from share_actors.values.network import (
    SEGMENTS,
    Network,
    NetworkInfo,
    NetworkStatus,
    NetworkType,
    SecurityService,
    SecurityServiceType,
    ServerSlot,
    ServerStatus,
    ShareNetwork,
    ShareServer,
)
from share_actors.values.page import Page
from share_actors.values.placement import (
    Assignment,
    Implied,
    Placement,
    PlacementRequest,
    PoolVerdict,
)
from share_actors.values.secret import Sealed, Secret
from share_actors.values.share import (
    MAX_SIZE_GIB,
    AccessLevel,
    AccessRule,
    AccessType,
    ExportLocation,
    Protocol,
    RuleState,
    Share,
    ShareRule,
    ShareSpec,
    ShareStatus,
    SizeGiB,
    Snapshot,
    SnapshotDoing,
    SnapshotStatus,
    nest_spec,
)
from share_actors.values.share_type import ShareType, SpecValue, parse_bool

__all__ = [
    "AccessLevel",
    "AccessRule",
    "AccessType",
    "BackendState",
    "Capabilities",
    "ExportLocation",
    "Frozen",
    "MAX_SIZE_GIB",
    "Network",
    "Implied",
    "NetworkInfo",
    "NetworkStatus",
    "NetworkType",
    "OPERATOR",
    "Page",
    "Assignment",
    "Placement",
    "PlacementRequest",
    "Pool",
    "PoolVerdict",
    "Protocol",
    "BackendReport",
    "RequestContext",
    "RuleState",
    "SEGMENTS",
    "Sealed",
    "Secret",
    "ServerSlot",
    "SecurityService",
    "SecurityServiceType",
    "ServerStatus",
    "Share",
    "ShareNetwork",
    "ShareRule",
    "ShareServer",
    "ShareSpec",
    "ShareStatus",
    "ShareType",
    "SizeGiB",
    "Snapshot",
    "SnapshotDoing",
    "SnapshotStatus",
    "SpecValue",
    "Value",
    "parse_bool",
    "nest_spec",
    "utc_now",
]
