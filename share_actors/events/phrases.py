"""Parts of the sentences that describe events: lists, times, places, and what a work does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from share_actors.values import ExportLocation


def listed(items: Iterable[str]) -> str:
    """Return `a, b, c`, or `nothing`."""
    return ", ".join(items) or "nothing"


def joined(parts: Iterable[str]) -> str:
    """Return `a, b and c`, or `nothing`."""
    *first, last = [*parts] or ["nothing"]
    return f"{', '.join(first)} and {last}" if first else last


def time_of(at: datetime) -> str:
    """Return *at* in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


_PHRASES = {
    "access": "apply access rules",
    "addresses": "allocate its addresses",
    "server": "acquire a share server",
    "give_back": "release its addresses",
    "release": "detach it from its share server",
    "hold": "hold the snapshot that it is created from",
    "release_snapshot": "release the snapshot that it was created from",
    "ensure": "re-export it with its backend's current settings",
}
"""The works that are not simply done to "it", such as `create` and `extend`."""


PARTICIPLES: Mapping[str, str] = {
    "create": "created",
    "extend": "extended",
    "shrink": "shrunk",
    "revert": "reverted",
    "delete": "deleted",
    "manage": "managed",
    "unmanage": "unmanaged",
    "forget": "forgotten",
}
"""What was done to a share or a snapshot, by the work that did it."""


def phrase(work: str) -> str:
    """Describe a work, or the key of an effect, in words that follow *to*: `apply access rules`."""
    match work.split("/"):
        case ["rule", i, doing]:
            return f"{'apply' if doing == 'allow' else 'remove'} access rule {i}"
        case ["snapshot", i, "access"]:
            return f"apply access rules of snapshot {i}"
        case ["snapshot", i, "rule", *rule]:
            return f"{phrase('/'.join(['rule', *rule]))} of snapshot {i}"
        case ["snapshot", i, doing]:
            return f"{'take' if doing == 'create' else doing} snapshot {i}"
        case ["share", i]:
            return f"attach share {i}"
        case _:
            return _PHRASES.get(work, f"{work} it")


def named(kind: str, name: str | None, i: str) -> str:
    """Return the kind with the name in quotes, or with the id *i* when there is no name."""
    return f"{kind} {i}" if name is None else f"{kind} {name!r}"


def place(host: str) -> str:
    """Describe *host* (`backend#pool`): its backend, and its pool unless that has the backend's name."""
    backend, _, pool = host.partition("#")
    return f"backend {backend}, pool {pool}" if pool not in ("", backend) else f"backend {backend}"


def not_configured(backend: str) -> str:
    """Return the beginning of every message that no backend of this name is configured."""
    return f"backend {backend!r} is not configured"


def exported_at(locations: tuple[ExportLocation, ...]) -> str:
    """Name the paths by which clients mount a share; admin-only paths are left out."""
    shown = (location.path for location in locations if not location.is_admin_only)
    paths = list(dict.fromkeys(shown))  # one path may be mounted by several versions of a protocol
    return f"it is exported at {joined(paths)}" if paths else "it is not exported"
