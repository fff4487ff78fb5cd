"""The values that events, drivers and clients share: frozen, without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from share_actors.lazy_names import importer

if TYPE_CHECKING:
    from share_actors.values.backend import BackendReport as BackendReport
    from share_actors.values.backend import BackendState as BackendState
    from share_actors.values.backend import Capabilities as Capabilities
    from share_actors.values.backend import Capacity as Capacity
    from share_actors.values.backend import Pool as Pool
    from share_actors.values.backend import RoomTaken as RoomTaken
    from share_actors.values.backend import gib as gib
    from share_actors.values.backend import gib_text as gib_text
    from share_actors.values.base import Frozen as Frozen
    from share_actors.values.base import Internal as Internal
    from share_actors.values.base import Value as Value
    from share_actors.values.base import utc_now as utc_now
    from share_actors.values.checks.spellings import parse_bool as parse_bool
    from share_actors.values.checks.spellings import parse_number as parse_number
    from share_actors.values.cluster import ClusterNode as ClusterNode
    from share_actors.values.cluster import ClusterState as ClusterState
    from share_actors.values.cluster import NodeMark as NodeMark
    from share_actors.values.cluster import NodeRecord as NodeRecord
    from share_actors.values.context import OPERATOR as OPERATOR
    from share_actors.values.context import SYSTEM_CONTEXT as SYSTEM_CONTEXT
    from share_actors.values.context import SYSTEM_USER as SYSTEM_USER
    from share_actors.values.context import RequestContext as RequestContext
    from share_actors.values.network import SEGMENTS as SEGMENTS
    from share_actors.values.network import Network as Network
    from share_actors.values.network import NetworkInfo as NetworkInfo
    from share_actors.values.network import NetworkStatus as NetworkStatus
    from share_actors.values.network import NetworkType as NetworkType
    from share_actors.values.network import SecurityService as SecurityService
    from share_actors.values.network import SecurityServiceType as SecurityServiceType
    from share_actors.values.network import ServerSlot as ServerSlot
    from share_actors.values.network import ServerStatus as ServerStatus
    from share_actors.values.network import ShareNetwork as ShareNetwork
    from share_actors.values.network import ShareServer as ShareServer
    from share_actors.values.network import check_service as check_service
    from share_actors.values.page import AsOf as AsOf
    from share_actors.values.page import Counts as Counts
    from share_actors.values.page import Page as Page
    from share_actors.values.placement import Assignment as Assignment
    from share_actors.values.placement import Implied as Implied
    from share_actors.values.placement import Placement as Placement
    from share_actors.values.placement import PlacementRequest as PlacementRequest
    from share_actors.values.placement import PoolVerdict as PoolVerdict
    from share_actors.values.quota import COUNTED as COUNTED
    from share_actors.values.quota import QUOTA_NAMES as QUOTA_NAMES
    from share_actors.values.quota import UNLIMITED as UNLIMITED
    from share_actors.values.quota import Quota as Quota
    from share_actors.values.quota import QuotaLimits as QuotaLimits
    from share_actors.values.quota import QuotaName as QuotaName
    from share_actors.values.quota import QuotaUsage as QuotaUsage
    from share_actors.values.quota import QuotaUse as QuotaUse
    from share_actors.values.secret import Sealed as Sealed
    from share_actors.values.secret import Secret as Secret
    from share_actors.values.share import MAX_SIZE_GIB as MAX_SIZE_GIB
    from share_actors.values.share import AccessLevel as AccessLevel
    from share_actors.values.share import AccessRule as AccessRule
    from share_actors.values.share import AccessType as AccessType
    from share_actors.values.share import ExportLocation as ExportLocation
    from share_actors.values.share import Protocol as Protocol
    from share_actors.values.share import RequestedSpec as RequestedSpec
    from share_actors.values.share import ResourceLock as ResourceLock
    from share_actors.values.share import RuleState as RuleState
    from share_actors.values.share import Share as Share
    from share_actors.values.share import ShareRule as ShareRule
    from share_actors.values.share import ShareSpec as ShareSpec
    from share_actors.values.share import ShareStatus as ShareStatus
    from share_actors.values.share import SizeGiB as SizeGiB
    from share_actors.values.share import Snapshot as Snapshot
    from share_actors.values.share import SnapshotDoing as SnapshotDoing
    from share_actors.values.share import SnapshotStatus as SnapshotStatus
    from share_actors.values.share import nest_spec as nest_spec
    from share_actors.values.share_type import ShareType as ShareType
    from share_actors.values.share_type import SpecValue as SpecValue
    from share_actors.values.snapshot_policy import PolicyRun as PolicyRun
    from share_actors.values.snapshot_policy import SnapshotPolicy as SnapshotPolicy
    from share_actors.values.snapshot_policy import SnapshotSchedule as SnapshotSchedule
    from share_actors.values.subject import DataSubject as DataSubject
    from share_actors.values.subject import Forgetting as Forgetting
    from share_actors.values.usage import ShareClient as ShareClient
    from share_actors.values.usage import ShareUsage as ShareUsage

_MODULES = {
    "backend": [
        "BackendReport",
        "BackendState",
        "Capabilities",
        "Capacity",
        "Pool",
        "RoomTaken",
        "gib",
        "gib_text",
    ],
    "base": ["Frozen", "Internal", "Value", "utc_now"],
    "cluster": ["ClusterNode", "ClusterState", "NodeMark", "NodeRecord"],
    "context": ["OPERATOR", "SYSTEM_CONTEXT", "SYSTEM_USER", "RequestContext"],
    "network": [
        "Network",
        "NetworkInfo",
        "NetworkStatus",
        "NetworkType",
        "SEGMENTS",
        "SecurityService",
        "SecurityServiceType",
        "ServerSlot",
        "ServerStatus",
        "ShareNetwork",
        "ShareServer",
        "check_service",
    ],
    "page": ["AsOf", "Counts", "Page"],
    "placement": ["Assignment", "Implied", "Placement", "PlacementRequest", "PoolVerdict"],
    "quota": [
        "COUNTED",
        "QUOTA_NAMES",
        "Quota",
        "QuotaLimits",
        "QuotaName",
        "QuotaUsage",
        "QuotaUse",
        "UNLIMITED",
    ],
    "secret": ["Sealed", "Secret"],
    "share": [
        "AccessLevel",
        "AccessRule",
        "AccessType",
        "ExportLocation",
        "MAX_SIZE_GIB",
        "Protocol",
        "RequestedSpec",
        "ResourceLock",
        "RuleState",
        "Share",
        "ShareRule",
        "ShareSpec",
        "ShareStatus",
        "SizeGiB",
        "Snapshot",
        "SnapshotDoing",
        "SnapshotStatus",
        "nest_spec",
    ],
    "share_type": ["ShareType", "SpecValue"],
    "checks.spellings": ["parse_bool", "parse_number"],
    "snapshot_policy": ["PolicyRun", "SnapshotPolicy", "SnapshotSchedule"],
    "subject": ["DataSubject", "Forgetting"],
    "usage": ["ShareClient", "ShareUsage"],
}
"""The names, by the module that defines them."""
__all__ = sorted(name for names in _MODULES.values() for name in names)  # noqa: PLE0605
__getattr__ = importer(__name__, _MODULES)
