"""GaneshaMixin (`manila.share.driver.GaneshaMixin`): what a driver needs to know of NFS-Ganesha, typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from share_actors.drivers.base import DriverOptions


class GaneshaOptions(DriverOptions):
    """Manila's `ganesha_*` options, by their names and with their defaults."""

    ganesha_config_dir: Path = Path("/etc/ganesha")
    """Where Ganesha's configuration files are."""
    ganesha_config_path: Path | None = None
    """Its main configuration file; unset: `ganesha.conf` in `ganesha_config_dir`."""
    ganesha_service_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9@_.-]*$")] = (
        "ganesha.nfsd"
    )
    ganesha_db_path: Path = Path("/var/lib/manila/ganesha-manila.db")
    """Where the export ids that were used are kept."""
    ganesha_export_dir: Path | None = None
    """Where an export's file goes; unset: `export.d` in `ganesha_config_dir`."""
    ganesha_export_template_dir: Path = Path("/etc/manila/ganesha-export-templ.d")
    """Where what all exports have in common is read from."""

    @field_validator(
        "ganesha_config_dir",
        "ganesha_config_path",
        "ganesha_db_path",
        "ganesha_export_dir",
        "ganesha_export_template_dir",
    )
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        if path is not None and (not path.is_absolute() or ".." in path.parts):
            raise ValueError("must be an absolute path without '..'")
        return path

    @property
    def config_path(self) -> Path:
        """The main configuration file in force."""
        return self.ganesha_config_path or self.ganesha_config_dir / "ganesha.conf"

    @property
    def export_dir(self) -> Path:
        """The directory of the exports' files in force."""
        return self.ganesha_export_dir or self.ganesha_config_dir / "export.d"


class GaneshaMixin:
    """For drivers that export by NFS-Ganesha; call `init_ganesha_mixin` in `__init__`."""

    configuration: Any
    ganesha: GaneshaOptions

    def init_ganesha_mixin(self, *args: Any, **kwargs: Any) -> None:
        """Read the driver's `configuration`: its own options may extend `GaneshaOptions`, or hold one."""
        given = self.configuration
        held = given if isinstance(given, GaneshaOptions) else getattr(given, "ganesha", None)
        self.ganesha = held if isinstance(held, GaneshaOptions) else GaneshaOptions()
