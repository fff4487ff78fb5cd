"""The public names of each package, and that importing a package does not import more than it needs."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

import share_actors
from share_actors import config, testing

PUBLIC_NAMES = {
    "share_actors": [
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
    ],
    "share_actors.client": ["ShareHandle", "ShareSystem", "connect", "start"],
    "share_actors.client.aio": ["AsyncShare", "AsyncShareSystem", "connect", "start"],
    "share_actors.drivers": [
        "BackendObject",
        "DriverError",
        "DriverOptions",
        "ExecuteMixin",
        "ExecuteOptions",
        "FilesystemBusy",
        "FilesystemReadOnly",
        "FindsStrays",
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
        "ProbeResult",
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
    ],
    "share_actors.testing": [
        "ClientContract",
        "DriverContract",
        "InMemoryLog",
        "InProcessSystem",
        "ServerContract",
        "Spec",
        "SyncInProcessSystem",
        "Visit",
        "sync_system",
        "system",
    ],
}
"""All public names: one that is removed breaks programs, one that is added must be kept."""
DEPRECATED_NAMES = {"PoolSettings": "HostingSettings", "Published": "BackendReport"}


@pytest.mark.parametrize("package", PUBLIC_NAMES)
def test_a_package_has_exactly_the_public_names_of_the_list(package: str) -> None:
    assert sorted(import_module(package).__all__) == PUBLIC_NAMES[package]


@pytest.mark.parametrize(
    ("package", "name"),
    [(package, name) for package, names in PUBLIC_NAMES.items() for name in names],
)
def test_a_public_name_can_be_imported_and_is_the_name_of_its_definition(
    package: str, name: str
) -> None:
    assert getattr(import_module(package), name).__name__ == name


@pytest.mark.parametrize(("old", "new"), DEPRECATED_NAMES.items())
def test_a_name_of_version_0_1_still_works_and_warns_with_its_new_name(old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"share_actors.{old} is called {new} since 0.2"):
        thing = getattr(share_actors, old)

    assert thing is getattr(share_actors, new)


@pytest.mark.parametrize("module", [share_actors, testing])
def test_an_unknown_name_is_an_attribute_error(module: object) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = module.Nothing  # type: ignore[attr-defined]


def test_public_names_are_listed_by_dir() -> None:
    assert sorted(dir(share_actors)) == PUBLIC_NAMES["share_actors"]


def test_the_tables_of_the_configuration_are_public() -> None:
    settings = share_actors.Config(log=share_actors.LogSettings(compress=True))

    assert settings.log.compress
    assert share_actors.HostingSettings is config.HostingSettings
    assert share_actors.BackendSettings is config.BackendSettings


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        ("import share_actors; share_actors.Config", "ray"),
        ("from share_actors.testing import Spec", "pytest"),
    ],
)
def test_an_import_does_not_import_what_it_does_not_need(program: str, absent: str) -> None:
    check = f"{program}; import sys; assert {absent!r} not in sys.modules"

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
