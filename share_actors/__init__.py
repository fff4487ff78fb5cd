"""A control plane for shared filesystems: shares as event-sourced actors on Ray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from warnings import warn

from share_actors.lazy_names import importer

if TYPE_CHECKING:
    from share_actors.audit.backend_audit import BackendDifference as BackendDifference
    from share_actors.audit.capacity import CapacityPoint as CapacityPoint
    from share_actors.audit.entity_explanation import EntityExplanation as EntityExplanation
    from share_actors.audit.exits import Exit as Exit
    from share_actors.audit.explanation import Explanation as Explanation
    from share_actors.audit.sentences import sentence as sentence
    from share_actors.client import ShareHandle as ShareHandle
    from share_actors.client import ShareSystem as ShareSystem
    from share_actors.client import connect as connect
    from share_actors.client import start as start
    from share_actors.client.bulk.results import BulkResult as BulkResult
    from share_actors.client.receipt import Receipt as Receipt
    from share_actors.client.share.actor import ShareActor as ShareActor
    from share_actors.client.share.watching import ShareChange as ShareChange
    from share_actors.config import AuditSettings as AuditSettings
    from share_actors.config import BackendSettings as BackendSettings
    from share_actors.config import Config as Config
    from share_actors.config import ErasureSettings as ErasureSettings
    from share_actors.config import HostingSettings as HostingSettings
    from share_actors.config import LoggingSettings as LoggingSettings
    from share_actors.config import LogSettings as LogSettings
    from share_actors.config import MetricsSettings as MetricsSettings
    from share_actors.config import QuotaSettings as QuotaSettings
    from share_actors.config import RaySettings as RaySettings
    from share_actors.config import SchedulerSettings as SchedulerSettings
    from share_actors.config import ServerSettings as ServerSettings
    from share_actors.config import TracesSettings as TracesSettings
    from share_actors.config import load as load
    from share_actors.errors import Ambiguous as Ambiguous
    from share_actors.errors import Busy as Busy
    from share_actors.errors import ConfigError as ConfigError
    from share_actors.errors import Forbidden as Forbidden
    from share_actors.errors import InvalidRequest as InvalidRequest
    from share_actors.errors import LogError as LogError
    from share_actors.errors import LogInDoubt as LogInDoubt
    from share_actors.errors import LogTooNew as LogTooNew
    from share_actors.errors import NotFound as NotFound
    from share_actors.errors import NoValidHost as NoValidHost
    from share_actors.errors import OperationFailed as OperationFailed
    from share_actors.errors import OverQuota as OverQuota
    from share_actors.errors import Refused as Refused
    from share_actors.errors import ShareActorsError as ShareActorsError
    from share_actors.errors import TimedOut as TimedOut
    from share_actors.errors import Unavailable as Unavailable
    from share_actors.values import AccessRule as AccessRule
    from share_actors.values import BackendReport as BackendReport
    from share_actors.values import DataSubject as DataSubject
    from share_actors.values import ExportLocation as ExportLocation
    from share_actors.values import Forgetting as Forgetting
    from share_actors.values import Page as Page
    from share_actors.values import Quota as Quota
    from share_actors.values import QuotaLimits as QuotaLimits
    from share_actors.values import QuotaUsage as QuotaUsage
    from share_actors.values import QuotaUse as QuotaUse
    from share_actors.values import RequestContext as RequestContext
    from share_actors.values import ResourceLock as ResourceLock
    from share_actors.values import SecurityService as SecurityService
    from share_actors.values import Share as Share
    from share_actors.values import ShareClient as ShareClient
    from share_actors.values import ShareNetwork as ShareNetwork
    from share_actors.values import ShareRule as ShareRule
    from share_actors.values import ShareServer as ShareServer
    from share_actors.values import ShareType as ShareType
    from share_actors.values import ShareUsage as ShareUsage
    from share_actors.values import Snapshot as Snapshot
    from share_actors.values import SnapshotPolicy as SnapshotPolicy
    from share_actors.values import SnapshotSchedule as SnapshotSchedule

__all__ = [
    "AccessRule",
    "Ambiguous",
    "AuditSettings",
    "BackendDifference",
    "BackendReport",
    "BackendSettings",
    "BulkResult",
    "Busy",
    "CapacityPoint",
    "Config",
    "ConfigError",
    "DataSubject",
    "EntityExplanation",
    "ErasureSettings",
    "Exit",
    "Explanation",
    "ExportLocation",
    "Forbidden",
    "Forgetting",
    "HostingSettings",
    "InvalidRequest",
    "LogError",
    "LogInDoubt",
    "LogSettings",
    "LogTooNew",
    "LoggingSettings",
    "MetricsSettings",
    "NoValidHost",
    "NotFound",
    "OperationFailed",
    "OverQuota",
    "Page",
    "Quota",
    "QuotaLimits",
    "QuotaSettings",
    "QuotaUsage",
    "QuotaUse",
    "RaySettings",
    "Receipt",
    "Refused",
    "RequestContext",
    "ResourceLock",
    "SchedulerSettings",
    "SecurityService",
    "ServerSettings",
    "Share",
    "ShareActor",
    "ShareActorsError",
    "ShareChange",
    "ShareClient",
    "ShareHandle",
    "ShareNetwork",
    "ShareRule",
    "ShareServer",
    "ShareSystem",
    "ShareType",
    "ShareUsage",
    "Snapshot",
    "SnapshotPolicy",
    "SnapshotSchedule",
    "TimedOut",
    "TracesSettings",
    "Unavailable",
    "connect",
    "load",
    "sentence",
    "start",
]
_MODULES = {
    "audit.backend_audit": ["BackendDifference"],
    "audit.capacity": ["CapacityPoint"],
    "audit.entity_explanation": ["EntityExplanation"],
    "audit.exits": ["Exit"],
    "audit.explanation": ["Explanation"],
    "audit.sentences": ["sentence"],
    "client": ["ShareHandle", "ShareSystem", "connect", "start"],
    "client.bulk.results": ["BulkResult"],
    "client.receipt": ["Receipt"],
    "client.share.actor": ["ShareActor"],
    "client.share.watching": ["ShareChange"],
    "config": [
        "AuditSettings",
        "ErasureSettings",
        "BackendSettings",
        "Config",
        "HostingSettings",
        "LogSettings",
        "LoggingSettings",
        "MetricsSettings",
        "QuotaSettings",
        "RaySettings",
        "SchedulerSettings",
        "ServerSettings",
        "TracesSettings",
        "load",
    ],
    "errors": [
        "Ambiguous",
        "Busy",
        "ConfigError",
        "Forbidden",
        "InvalidRequest",
        "LogError",
        "LogInDoubt",
        "LogTooNew",
        "NoValidHost",
        "NotFound",
        "OperationFailed",
        "OverQuota",
        "Refused",
        "ShareActorsError",
        "TimedOut",
        "Unavailable",
    ],
    "values": [
        "AccessRule",
        "BackendReport",
        "DataSubject",
        "Forgetting",
        "ExportLocation",
        "Page",
        "Quota",
        "QuotaLimits",
        "QuotaUsage",
        "QuotaUse",
        "RequestContext",
        "SecurityService",
        "ResourceLock",
        "Share",
        "ShareClient",
        "ShareNetwork",
        "ShareRule",
        "ShareServer",
        "ShareType",
        "ShareUsage",
        "Snapshot",
        "SnapshotPolicy",
        "SnapshotSchedule",
    ],
}
"""The public names, by the module that defines them."""
_public = importer(__name__, _MODULES)
_DEPRECATED = {"PoolSettings": "HostingSettings", "Published": "BackendReport"}
"""Public names of 0.1, and their names since 0.2."""


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `share-actors --help` does not import Ray."""
    if name in _DEPRECATED:
        new_name = _DEPRECATED[name]
        text = f"share_actors.{name} is called {new_name} since 0.2"
        warn(text, DeprecationWarning, stacklevel=2)
        name = new_name
    return _public(name)


def __dir__() -> list[str]:
    return list(__all__)
