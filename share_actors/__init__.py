"""A control plane for shared filesystems: shares as event-sourced actors on Ray."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from share_actors.aio import Page as Page
    from share_actors.aio import Receipt as Receipt
    from share_actors.client import ShareHandle as ShareHandle
    from share_actors.client import ShareSystem as ShareSystem
    from share_actors.client import connect as connect
    from share_actors.client import start as start
    from share_actors.config import Config as Config
    from share_actors.config import load as load
    from share_actors.errors import Ambiguous as Ambiguous
    from share_actors.errors import Busy as Busy
    from share_actors.errors import ConfigError as ConfigError
    from share_actors.errors import InvalidRequest as InvalidRequest
    from share_actors.errors import LogError as LogError
    from share_actors.errors import LogTooNew as LogTooNew
    from share_actors.errors import NotFound as NotFound
    from share_actors.errors import OperationFailed as OperationFailed
    from share_actors.errors import Refused as Refused
    from share_actors.errors import ShareActorsError as ShareActorsError
    from share_actors.errors import TimedOut as TimedOut
    from share_actors.errors import Unavailable as Unavailable
    from share_actors.events.history import sentence as sentence
    from share_actors.values import AccessRule as AccessRule
    from share_actors.values import ExportLocation as ExportLocation
    from share_actors.values import RequestContext as RequestContext
    from share_actors.values import Share as Share
    from share_actors.values import Snapshot as Snapshot

_HOMES = {
    "share_actors.aio": ["Page", "Receipt"],
    "share_actors.client": ["ShareHandle", "ShareSystem", "connect", "start"],
    "share_actors.config": ["Config", "load"],
    "share_actors.errors": [
        "Ambiguous", "Busy", "ConfigError", "InvalidRequest", "LogError", "LogTooNew", "NotFound",
        "OperationFailed", "Refused", "ShareActorsError", "TimedOut", "Unavailable",
    ],
    "share_actors.events.history": ["sentence"],
    "share_actors.values": ["AccessRule", "ExportLocation", "RequestContext", "Share", "Snapshot"],
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Import on first use, so that `share-actors --help` does not wait for Ray."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'share_actors' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
