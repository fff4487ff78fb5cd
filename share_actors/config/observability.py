"""The sections of the configuration about what operators see of a running system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from share_actors.config.sections import Section
from share_actors.values.checks.addresses import host_and_port

OTLP_PATH = "/v1/traces"
"""The path of traces at a receiver of OTLP over HTTP."""


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


class TracesSettings(Section):
    """Traces in the form of OpenTelemetry: what each process did for a command, and for how long."""

    key_path = ("traces",)
    endpoint: str | None = None
    """URL of a receiver of OTLP over HTTP, such as `http://127.0.0.1:4318`; `/v1/traces` is added to one
    without a path. Default: nothing is traced."""
    ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Part of the commands that is traced, unless the caller's own trace says whether they are."""

    @field_validator("endpoint")
    @classmethod
    def _check_endpoint(cls, endpoint: str | None) -> str | None:
        return None if endpoint is None else _receiver(endpoint)


def _receiver(url: str) -> str:
    """*url*, with the path of traces if it has none; raises ValueError if it is not one of HTTP."""
    if not url.isascii() or any(c.isspace() or not c.isprintable() for c in url):
        raise ValueError("has a character that a URL cannot have")
    parts = urlsplit(url)
    port = parts.port  # raises ValueError for one that is not a number up to 65535
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("is not a URL such as http://127.0.0.1:4318")
    if parts.username is not None or parts.password is not None:
        raise ValueError("has credentials: set the variable OTEL_EXPORTER_OTLP_HEADERS instead")
    if parts.query or parts.fragment:
        raise ValueError("has a query or a fragment")
    return parts._replace(path=OTLP_PATH).geturl() if parts.path in ("", "/") else url
