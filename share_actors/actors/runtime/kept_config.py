"""The current configuration, saved in the Ray cluster for actors that Ray starts or restarts."""

from __future__ import annotations

import pickle

from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get, _internal_kv_put

from share_actors.config import Config


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


def delete_stopped_marks(namespace: str) -> None:
    """Forget which backends were stopped: a newly started system starts all of them."""
    _internal_kv_del(_stopped(namespace), del_by_prefix=True)


def _stopped(namespace: str) -> str:
    return f"share-actors/{namespace}/stopped/"


def _key(namespace: str) -> str:
    return f"share-actors/{namespace}/config"
