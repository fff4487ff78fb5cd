"""Parts of the sentences in which events are told: lists, times, and the names of works."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from share_actors.values import ExportLocation


def listed(items: Iterable[str]) -> str:
    """`a, b, c`."""
    return ", ".join(items) or "nothing"


def joined(parts: Iterable[str]) -> str:
    """`a, b and c`."""
    *first, last = [*parts] or ["nothing"]
    return f"{', '.join(first)} and {last}" if first else last


def time_of(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


_DONE_TO_SNAPSHOTS = {"create": "take", "unmanage": "let go of"}


def phrase(work: str) -> str:
    """What an effect's key or a work stands for, as after *to*: `apply access rules`."""
    match work.split("/"):
        case ["access"]:
            return "apply access rules"
        case ["rule", i, doing]:
            return f"{'apply' if doing == 'allow' else 'take away'} access rule {i}"
        case ["snapshot", i, doing]:
            return f"{_DONE_TO_SNAPSHOTS.get(doing, doing)} snapshot {i}"
        case ["share", i]:
            return f"have share {i} on it"
        case ["addresses"]:
            return "get its addresses"
        case ["server"]:
            return "find it a share server"
        case ["give_back"]:
            return "give its addresses back"
        case ["release"]:
            return "take it off its share server"
        case ["unmanage"]:
            return "let go of it"
        case ["ensure"]:
            return "export it as its backend is now"
        case _:
            return f"{work} it"


def named(kind: str, name: str | None, i: str) -> str:
    return f"{kind} {i}" if name is None else f"{kind} {name!r}"


def place(host: str) -> str:
    backend, _, pool = host.partition("#")
    return f"backend {backend}, pool {pool}" if pool not in ("", backend) else f"backend {backend}"


def found(locations: tuple[ExportLocation, ...]) -> str:
    paths = [location.path for location in locations if not location.is_admin_only]
    return f"clients find it at {joined(paths)}" if paths else "it is not exported"
