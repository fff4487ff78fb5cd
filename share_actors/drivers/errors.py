"""The errors that drivers raise, most of them with Manila's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class DriverError(Exception):
    """The backend failed; the message is recorded in the log and shown to the operator."""

    code: ClassVar[str] = "driver_error"
    """What went wrong, for programs; stable, as the class name is."""


class TransientError(DriverError):
    """The backend failed temporarily; the same call is attempted again after a pause."""

    code = "transient"


class RefusedByBackend(DriverError):
    """The backend refused and changed nothing: the share is available again, with the reason."""

    code = "refused"


class ShareSnapshotIsBusy(RefusedByBackend):
    """The snapshot is in use; it is available again (`manila.exception.ShareSnapshotIsBusy`)."""


class UnsupportedAccess(DriverError):
    """The backend does not support access rules of this type or level (`InvalidShareAccess` in Manila)."""


class NotSupported(DriverError):
    """The driver does not override this optional method."""


class ManageInvalidShare(DriverError):
    """The share or snapshot to manage does not exist or cannot be managed (`manila.exception`)."""


class ManageExistingShareTypeMismatch(DriverError):
    """The share to manage does not match its share type (`manila.exception`)."""


class UnmanageInvalidShare(DriverError):
    """The backend cannot unmanage the share (`manila.exception`)."""


class ShareServerSetUpFailed(DriverError):
    """A share server could not be set up; *details* describe the part that exists, for its teardown."""

    def __init__(self, message: str, details: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.detail_data = {"server_details": dict(details or {})}
