"""GaneshaMixin (`manila.share.driver.GaneshaMixin`): the typed options of drivers that use NFS-Ganesha."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from share_actors.drivers.base import DriverError, DriverOptions
from share_actors.drivers.ganesha.settings import GaneshaSettings
from share_actors.drivers.ganesha.unit import Ganesha


class GaneshaOptions(DriverOptions):
    """Manila's `ganesha_*` options, with the same names and defaults."""

    ganesha_config_dir: Path = Path("/etc/ganesha")
    """The directory of Ganesha's configuration files."""
    ganesha_config_path: Path | None = None
    """Ganesha's main configuration file. Default: `ganesha.conf` in `ganesha_config_dir`."""
    ganesha_service_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9@_.-]*$")] = (
        "ganesha.nfsd"
    )
    ganesha_db_path: Path = Path("/var/lib/manila/ganesha-manila.db")
    """The database of used export ids."""
    ganesha_export_dir: Path | None = None
    """The directory of the export files. Default: `export.d` in `ganesha_config_dir`."""
    ganesha_export_template_dir: Path = Path("/etc/manila/ganesha-export-templ.d")
    """The directory of the templates that all export files are made from."""

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
        """The main configuration file, with the default applied."""
        return self.ganesha_config_path or self.ganesha_config_dir / "ganesha.conf"

    @property
    def export_dir(self) -> Path:
        """The directory of the export files, with the default applied."""
        return self.ganesha_export_dir or self.ganesha_config_dir / "export.d"


class GaneshaMixin:
    """For drivers that export shares with NFS-Ganesha; call `init_ganesha_mixin` in `__init__`."""

    configuration: Any
    ganesha: GaneshaOptions

    def init_ganesha_mixin(self, *args: Any, **kwargs: Any) -> None:
        """Read `configuration`: a `GaneshaOptions`, or options with a field `ganesha` of that type."""
        options = self.configuration
        if not isinstance(options, GaneshaOptions):
            options = getattr(options, "ganesha", None)
        self.ganesha = options if isinstance(options, GaneshaOptions) else GaneshaOptions()

    @property
    def ganesha_unit(self) -> Ganesha:
        """The private NFS-Ganesha: `configuration` is a `GaneshaSettings`, or has a field of that type.

        Raises `DriverError` if there is none.
        """
        options = self.configuration
        values = [options, *(vars(options).values() if isinstance(options, DriverOptions) else ())]
        for value in values:
            if isinstance(value, GaneshaSettings):
                return Ganesha(value)
        raise DriverError(
            f"the options of {type(self).__name__} have no field of the type GaneshaSettings: add one,"
            " with the directory of the private NFS-Ganesha"
        )
