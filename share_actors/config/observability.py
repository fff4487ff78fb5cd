"""The sections of the configuration about what operators see of a running system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from share_actors.config.sections import Section
from share_actors.values.checks.addresses import host_and_port


class MetricsSettings(Section):
    """The endpoint that Prometheus scrapes, on the manager's node."""

    key_path = ("metrics",)
    address: str | None = None
    """`HOST:PORT` to serve metrics at, without authentication; port 0: any free one. Default: none."""
    every_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """How often the figures are collected from all actors."""

    @field_validator("address")
    @classmethod
    def _check_address(cls, address: str | None) -> str | None:
        if address is not None:
            host_and_port(address)
        return address


class LoggingSettings(Section):
    """What the processes of the system write to their logs, and where."""

    key_path = ("logging",)
    format: Literal["text", "json"] = "text"
    """`json`: a JSON object a line, with the command, share, request and attempt that it is about."""
    level: Literal["debug", "info", "warning", "error"] = "warning"
    """What is at least so serious is written. `info` has a line for each command and failed attempt."""
    directory: Path | None = None
    """Directory of the logs, a file `ACTOR.log` for each process. Default: standard error, kept by Ray."""

    @field_validator("directory")
    @classmethod
    def _check_absolute(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_absolute():
            raise ValueError("is not an absolute path")
        return path

    @property
    def is_default(self) -> bool:
        """Whether nothing is set: what is written then is Python's own default."""
        return self == LoggingSettings()
