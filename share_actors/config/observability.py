"""The sections of the configuration about what operators see of a running system."""

from __future__ import annotations

from typing import Annotated

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
