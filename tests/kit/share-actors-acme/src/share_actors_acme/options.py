"""The options of a backend: `options` in its section of the configuration."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator
from share_actors.drivers import DriverOptions


class AcmeOptions(DriverOptions):
    """An unknown option, and a value of another type, is refused with its name.

    Give a secret the type `pydantic.SecretStr`: it is masked wherever the configuration is shown.
    """

    root: Path
    """The directory with the shares. It is created if it does not exist."""
    reserved_percentage: int = Field(default=0, ge=0, le=100)
    """How much of the storage takes no new shares, in percent."""

    @field_validator("root")
    @classmethod
    def _is_absolute(cls, root: Path) -> Path:
        if not root.is_absolute():
            raise ValueError("must be an absolute path")
        return root
