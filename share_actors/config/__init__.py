"""The configuration and its validation."""

from __future__ import annotations

from share_actors.config.observability import LoggingSettings, MetricsSettings, TracesSettings
from share_actors.config.sections import (
    AuditSettings,
    BackendSettings,
    ErasureSettings,
    HostingSettings,
    LogSettings,
    QuotaSettings,
    RaySettings,
    SchedulerSettings,
    Section,
    ServerSettings,
    keys_of,
)
from share_actors.config.settings import (
    COMMAND_LINE_VARIABLES,
    PREFIX,
    Config,
    build,
    default_home,
    known_variables,
    load,
)

__all__ = [
    "AuditSettings",
    "BackendSettings",
    "COMMAND_LINE_VARIABLES",
    "Config",
    "ErasureSettings",
    "HostingSettings",
    "LogSettings",
    "LoggingSettings",
    "MetricsSettings",
    "PREFIX",
    "QuotaSettings",
    "RaySettings",
    "SchedulerSettings",
    "Section",
    "ServerSettings",
    "TracesSettings",
    "build",
    "default_home",
    "keys_of",
    "known_variables",
    "load",
]
