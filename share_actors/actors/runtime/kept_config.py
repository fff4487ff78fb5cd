"""What is kept in the Ray cluster for actors that Ray starts or restarts, such as the configuration."""

from __future__ import annotations

import json
import logging
import os
import pickle
from collections.abc import Collection

import ray
from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get, _internal_kv_put

from share_actors.config import Config

logger = logging.getLogger(__name__)
MAX_STARTS = 20
"""How often an actor may end because Ray has started it on a node that it is to leave."""


def save_config(config: Config) -> None:
    """Save *config*, so that actors that Ray restarts use it and not the one they were first started with."""
    _internal_kv_put(_key(config.namespace), pickle.dumps(config), overwrite=True)


def saved_config(default: Config) -> Config:
    """The configuration that was saved last for the namespace of *default*; *default* if there is none."""
    pickled = _internal_kv_get(_key(default.namespace))
    if not pickled:
        return default
    config: Config = pickle.loads(pickled)  # only our own actors write it
    return config


def delete_saved_config(namespace: str) -> None:
    """Delete the saved configuration: a newly started system uses the one that it is started with."""
    _internal_kv_del(_key(namespace))


class NodesToLeave:
    """The nodes on which *actor* is not to run, kept in the Ray cluster while it is started again elsewhere.

    Ray chooses a living node by chance, whatever the actor prefers. An actor that finds itself on a node
    that it is to leave ends at once, and is started again, until it is elsewhere.
    """

    def __init__(self, namespace: str, actor: str) -> None:
        self._key = f"{_leaving(namespace)}{actor}"

    def write(self, nodes: Collection[str]) -> None:
        """Keep the ids of the *nodes*, for the next starts of the actor."""
        self._write(sorted(nodes), MAX_STARTS)

    def given_up(self, nodes: Collection[str]) -> bool:
        """Whether Ray has started the actor on these *nodes* all the time."""
        kept, starts_left = self._read()
        return starts_left == 0 and set(nodes) <= set(kept)

    def obey(self) -> None:
        """End this process, which is the actor, if it is on such a node."""
        nodes, starts_left = self._read()
        if not nodes:
            return
        if ray.get_runtime_context().get_node_id() not in nodes:
            _internal_kv_del(self._key)
        elif starts_left > 0:
            self._write(nodes, starts_left - 1)
            logger.info("this node is drained: to be started on another one")
            os._exit(1)

    def _read(self) -> tuple[list[str], int]:
        kept = _internal_kv_get(self._key)
        nodes, starts_left = json.loads(kept) if kept else ([], MAX_STARTS)
        return nodes, starts_left

    def _write(self, nodes: list[str], starts_left: int) -> None:
        _internal_kv_put(self._key, json.dumps([nodes, starts_left]), overwrite=True)


class KeptMark:
    """Who stopped a backend (`daemons.StoppedMark`), kept in the Ray cluster until the system starts anew."""

    def __init__(self, namespace: str, backend: str) -> None:
        self._key = f"{_stopped(namespace)}{backend}"

    def read(self) -> str | None:
        """The user who stopped it; None if it is not stopped."""
        kept = _internal_kv_get(self._key)
        return kept.decode() if kept else None

    def write(self, user: str | None) -> None:
        """Keep the *user* who stopped it; None if it is not stopped."""
        if user is None:
            _internal_kv_del(self._key)
        else:
            _internal_kv_put(self._key, user.encode() or b"somebody", overwrite=True)


def delete_marks(namespace: str) -> None:
    """Forget which backends were stopped, and what is to leave which nodes: a new system starts all."""
    for prefix in (_stopped(namespace), _leaving(namespace)):
        _internal_kv_del(prefix, del_by_prefix=True)


def _leaving(namespace: str) -> str:
    return f"share-actors/{namespace}/leaving/"


def _stopped(namespace: str) -> str:
    return f"share-actors/{namespace}/stopped/"


def _key(namespace: str) -> str:
    return f"share-actors/{namespace}/config"
