"""The configuration in force, kept in the Ray cluster for actors that Ray restarts."""

from __future__ import annotations

import pickle

from ray.experimental.internal_kv import _internal_kv_del, _internal_kv_get, _internal_kv_put

from share_actors.config import Config


def keep(config: Config) -> None:
    """Have actors that Ray restarts begin with *config*, and not with the one of their first start."""
    _internal_kv_put(_kept_under(config), pickle.dumps(config), overwrite=True)


def kept(config: Config) -> Config:
    """The configuration that was kept last, or else *config*."""
    found = _internal_kv_get(_kept_under(config))
    if not found:
        return config
    newest: Config = pickle.loads(found)  # which only our own actors wrote
    return newest


def forget_kept(namespace: str) -> None:
    """A system that is started anew begins with the configuration it is started with."""
    _internal_kv_del(f"share-actors/{namespace}/config")


def _kept_under(config: Config) -> str:
    return f"share-actors/{config.namespace}/config"
