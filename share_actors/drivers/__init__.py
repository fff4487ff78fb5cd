"""How a backend does it: the driver port, the drivers, and finding them by name."""

from share_actors.drivers.base import (
    DriverError,
    DriverOptions,
    Existing,
    NotSupported,
    RefusedByBackend,
    ShareDriver,
    ShareSnapshotIsBusy,
    TransientError,
    UnsupportedAccess,
)
from share_actors.drivers.registry import known_drivers, load_driver, make_driver

__all__ = [
    "DriverError",
    "DriverOptions",
    "Existing",
    "NotSupported",
    "RefusedByBackend",
    "ShareDriver",
    "ShareSnapshotIsBusy",
    "TransientError",
    "UnsupportedAccess",
    "known_drivers",
    "load_driver",
    "make_driver",
]
