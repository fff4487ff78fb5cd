"""The configuration: what can be set, and the checks of it."""

from __future__ import annotations

from share_actors.config.settings import (
    OF_THE_COMMAND_LINE,
    PREFIX,
    BackendSettings,
    Config,
    HostingSettings,
    LogSettings,
    SchedulerSettings,
    Section,
    ServerSettings,
    build,
    default_home,
    keys_of,
    load,
    variables,
)

__all__ = [
    "BackendSettings",
    "Config",
    "LogSettings",
    "OF_THE_COMMAND_LINE",
    "PREFIX",
    "HostingSettings",
    "SchedulerSettings",
    "Section",
    "ServerSettings",
    "build",
    "default_home",
    "keys_of",
    "load",
    "variables",
]
