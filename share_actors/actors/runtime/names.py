"""The names of the system's Ray actors, and finding them by name."""

from __future__ import annotations

from typing import Any

import ray

from share_actors.errors import Unavailable

Handle = Any
"""A Ray actor handle; Ray's own type knows no methods."""


MANAGER, CATALOG, HOST, STATS = "manager", "catalog", "share-actor", "stats-"


def nodes() -> int:
    """How many nodes of the cluster are alive."""
    known: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return len([node for node in known if node["Alive"]])


def named(name: str, namespace: str) -> Handle:
    try:
        return ray.get_actor(name, namespace)
    except ValueError:
        raise Unavailable(
            f"no system runs in namespace {namespace!r} of this cluster: start one with"
            " `share-actors up`",
            field="namespace", value=namespace,
        ) from None  # fmt: skip


def listed(namespace: str) -> list[dict[str, str]]:
    every: list[dict[str, str]] = ray.util.list_named_actors(all_namespaces=True)
    return [actor for actor in every if actor["namespace"] == namespace]
