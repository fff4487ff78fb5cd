"""The driver port, the drivers of this package, and the registry that loads drivers by name.

A module is imported with the first use of one of its names: the supervisor of daemons starts without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from share_actors.lazy_names import importer

if TYPE_CHECKING:
    from share_actors.drivers.abilities import BackendObject as BackendObject
    from share_actors.drivers.abilities import FindsStrays as FindsStrays
    from share_actors.drivers.abilities import ListsObjects as ListsObjects
    from share_actors.drivers.abilities import MeasuresUsage as MeasuresUsage
    from share_actors.drivers.abilities import MountableSnapshots as MountableSnapshots
    from share_actors.drivers.abilities import NotStarted as NotStarted
    from share_actors.drivers.abilities import ReportsClients as ReportsClients
    from share_actors.drivers.abilities import Reverts as Reverts
    from share_actors.drivers.abilities import RunsDaemons as RunsDaemons
    from share_actors.drivers.abilities import StatesRequirements as StatesRequirements
    from share_actors.drivers.base import DriverError as DriverError
    from share_actors.drivers.base import DriverOptions as DriverOptions
    from share_actors.drivers.base import (
        ManageExistingShareTypeMismatch as ManageExistingShareTypeMismatch,
    )
    from share_actors.drivers.base import ManageInvalidShare as ManageInvalidShare
    from share_actors.drivers.base import NotSupported as NotSupported
    from share_actors.drivers.base import ProbeResult as ProbeResult
    from share_actors.drivers.base import RefusedByBackend as RefusedByBackend
    from share_actors.drivers.base import ShareDriver as ShareDriver
    from share_actors.drivers.base import ShareServerSetUpFailed as ShareServerSetUpFailed
    from share_actors.drivers.base import ShareSnapshotIsBusy as ShareSnapshotIsBusy
    from share_actors.drivers.base import TransientError as TransientError
    from share_actors.drivers.base import UnmanageInvalidShare as UnmanageInvalidShare
    from share_actors.drivers.base import UnsupportedAccess as UnsupportedAccess
    from share_actors.drivers.execute import ExecuteMixin as ExecuteMixin
    from share_actors.drivers.execute import ExecuteOptions as ExecuteOptions
    from share_actors.drivers.execute import ProcessExecutionError as ProcessExecutionError
    from share_actors.drivers.ganesha.mixin import GaneshaMixin as GaneshaMixin
    from share_actors.drivers.ganesha.mixin import GaneshaOptions as GaneshaOptions
    from share_actors.drivers.registry import known_drivers as known_drivers
    from share_actors.drivers.registry import load_driver as load_driver
    from share_actors.drivers.registry import make_driver as make_driver
    from share_actors.drivers.requirement import Requirement as Requirement
    from share_actors.drivers.rule_updates import RuleChange as RuleChange
    from share_actors.drivers.storage_errors import FilesystemBusy as FilesystemBusy
    from share_actors.drivers.storage_errors import FilesystemReadOnly as FilesystemReadOnly
    from share_actors.drivers.storage_errors import NoSpaceLeft as NoSpaceLeft
    from share_actors.drivers.storage_errors import QuotaExceeded as QuotaExceeded
    from share_actors.values.secret import Secret as Secret

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
_MODULES = {
    "drivers.abilities": [
        "BackendObject",
        "FindsStrays",
        "ListsObjects",
        "MeasuresUsage",
        "MountableSnapshots",
        "NotStarted",
        "ReportsClients",
        "Reverts",
        "RunsDaemons",
        "StatesRequirements",
    ],
    "drivers.base": [
        "DriverError",
        "DriverOptions",
        "ManageExistingShareTypeMismatch",
        "ManageInvalidShare",
        "NotSupported",
        "ProbeResult",
        "RefusedByBackend",
        "ShareDriver",
        "ShareServerSetUpFailed",
        "ShareSnapshotIsBusy",
        "TransientError",
        "UnmanageInvalidShare",
        "UnsupportedAccess",
    ],
    "drivers.execute": ["ExecuteMixin", "ExecuteOptions", "ProcessExecutionError"],
    "drivers.ganesha.mixin": ["GaneshaMixin", "GaneshaOptions"],
    "drivers.registry": ["known_drivers", "load_driver", "make_driver"],
    "drivers.requirement": ["Requirement"],
    "drivers.rule_updates": ["RuleChange"],
    "drivers.storage_errors": [
        "FilesystemBusy",
        "FilesystemReadOnly",
        "NoSpaceLeft",
        "QuotaExceeded",
    ],
    "values.secret": ["Secret"],
}
"""The public names, by the module that defines them."""
__getattr__ = importer(__name__, _MODULES, below="share_actors")


def __dir__() -> list[str]:
    return list(__all__)
