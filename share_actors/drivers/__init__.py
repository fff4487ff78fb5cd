"""The driver port, the drivers of this package, and the registry that loads drivers by name."""

from share_actors.drivers.abilities import (
    BackendObject,
    FindsStrays,
    ListsObjects,
    MeasuresUsage,
    MountableSnapshots,
    NotStarted,
    ReportsClients,
    Reverts,
    RunsDaemons,
    StatesRequirements,
)
from share_actors.drivers.base import (
    DriverError,
    DriverOptions,
    ManageExistingShareTypeMismatch,
    ManageInvalidShare,
    NotSupported,
    ProbeResult,
    RefusedByBackend,
    ShareDriver,
    ShareServerSetUpFailed,
    ShareSnapshotIsBusy,
    TransientError,
    UnmanageInvalidShare,
    UnsupportedAccess,
)
from share_actors.drivers.execute import ExecuteMixin, ExecuteOptions, ProcessExecutionError
from share_actors.drivers.ganesha.mixin import GaneshaMixin, GaneshaOptions
from share_actors.drivers.registry import known_drivers, load_driver, make_driver
from share_actors.drivers.requirement import Requirement
from share_actors.drivers.rule_updates import RuleChange
from share_actors.drivers.storage_errors import (
    FilesystemBusy,
    FilesystemReadOnly,
    NoSpaceLeft,
    QuotaExceeded,
)
from share_actors.values.secret import Secret

__all__ = [
    "BackendObject",
    "DriverError",
    "DriverOptions",
    "ExecuteMixin",
    "ExecuteOptions",
    "FindsStrays",
    "FilesystemBusy",
    "FilesystemReadOnly",
    "ProbeResult",
    "GaneshaMixin",
    "GaneshaOptions",
    "ListsObjects",
    "ManageExistingShareTypeMismatch",
    "ManageInvalidShare",
    "MeasuresUsage",
    "MountableSnapshots",
    "NoSpaceLeft",
    "NotStarted",
    "NotSupported",
    "ProcessExecutionError",
    "QuotaExceeded",
    "RefusedByBackend",
    "ReportsClients",
    "Requirement",
    "Reverts",
    "RuleChange",
    "RunsDaemons",
    "Secret",
    "ShareDriver",
    "ShareServerSetUpFailed",
    "ShareSnapshotIsBusy",
    "StatesRequirements",
    "TransientError",
    "UnmanageInvalidShare",
    "UnsupportedAccess",
    "known_drivers",
    "load_driver",
    "make_driver",
]
