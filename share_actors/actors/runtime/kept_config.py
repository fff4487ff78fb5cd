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


def _key(namespace: str) -> str:
    return f"share-actors/{namespace}/config"
