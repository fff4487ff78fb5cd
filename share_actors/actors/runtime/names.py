"""The names of the system's Ray actors, and finding actors by name."""

from __future__ import annotations

from typing import Any

import ray

from share_actors.actors.runtime.system_state import check_reachable
from share_actors.errors import Unavailable

Handle = Any
"""A Ray actor handle; Ray's own type declares no methods."""


MANAGER, CATALOG, HOST, STATS = "manager", "catalog", "share-actor", "stats-"
CALLS = "calls"
"""Makes the calls of `ShareActor` handles."""


def node_count() -> int:
    """How many nodes of the cluster are alive."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return len([node for node in nodes if node["Alive"]])


def find_actor(name: str, namespace: str) -> Handle:
    """The handle of a running actor; raises `Unavailable` if no system runs in *namespace*."""
    _check_cluster()
    try:
        return ray.get_actor(name, namespace)
    except ValueError:
        raise Unavailable(
            f"no system runs in namespace {namespace!r} of this cluster: start one with"
            " `share-actors up`",
            field="namespace",
            value=namespace,
        ) from None


def _check_cluster() -> None:
    """Raise `Unavailable` if the joined cluster cannot be reached: Ray would search there for minutes."""
    try:
        check_reachable(ray.get_runtime_context().gcs_address)
    except Unavailable as error:
        raise Unavailable(
            f"the Ray cluster can't be reached: {error.message}", passing=True
        ) from None


def actor_names(namespace: str) -> list[str]:
    """The names of all actors of *namespace*."""
    actors: list[dict[str, str]] = ray.util.list_named_actors(all_namespaces=True)
    return [actor["name"] for actor in actors if actor["namespace"] == namespace]
