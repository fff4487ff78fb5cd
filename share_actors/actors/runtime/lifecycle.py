"""A Ray cluster begun, joined and left; a system started on it, found and stopped."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

import ray
from pydantic import SecretStr
from ray._private import ray_constants
from ray._raylet import Config as RayConfig  # type: ignore[attr-defined]
from ray.exceptions import RayError

from share_actors.actors.runtime.adapters import RayCatalog
from share_actors.actors.runtime.calls import unwrapped
from share_actors.actors.runtime.cluster import RayCluster, actor
from share_actors.actors.runtime.kept_config import forget_kept
from share_actors.actors.runtime.names import CATALOG, MANAGER, Handle, listed, named, nodes
from share_actors.actors.runtime.ray_actors import CatalogRayActor, ManagerRayActor
from share_actors.actors.runtime.system_state import LOOPBACK, check_answers, reach
from share_actors.actors.sealing import kept_key
from share_actors.config import Config
from share_actors.drivers.registry import make_driver
from share_actors.errors import ConfigError, Unavailable


def init(address: str | None, **options: Any) -> None:
    """Join the Ray cluster at *address*; None starts one in this process's care. Quietly.

    `auto` is the system that `share-actors up` left running, or else what Ray takes it for.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
    if address is None:
        quiet["include_dashboard"] = False
        mode = os.environ.get(
            "RAY_AUTH_MODE", "token"
        )  # Ray's own choice, which it warns of if not told
        _environment({**LOOPBACK, "RAY_AUTH_MODE": mode})
    else:
        address, needed = reach(address)
        check_answers(address)
        _environment(needed)
    try:
        ray.init(address, **{**quiet, **options})
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise Unavailable(
            f"no Ray cluster at {address!r}: {error}{_hint(address)}",
            field="address",
            value=address,
        ) from None


def _hint(address: str | None) -> str:
    if address in (None, "auto", "local"):
        return ""
    return (
        "; if it asks for a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH, or SHARE_ACTORS_HOME"
        " to the home of the system that `share-actors up` started there"
    )


def _environment(needed: Mapping[str, str]) -> None:
    """Have Ray take note of variables: it read its environment when it was imported."""
    os.environ.update(needed)
    if LOOPBACK.items() <= needed.items():
        ray_constants.ENABLE_RAY_CLUSTER = False
    if needed:
        RayConfig.initialize("")


def is_initialized() -> bool:
    return bool(ray.is_initialized())


def shutdown() -> None:
    """Leave the cluster; one that `init` started ends."""
    ray.shutdown()


def check_log_fits(config: Config, alive: int) -> None:
    """SQLite is a file of one node: raise `ConfigError` on a cluster of several."""
    if config.log.kind == "sqlite" and alive > 1:
        raise ConfigError(
            f"log.kind 'sqlite' works on one node only, and this cluster has {alive}: set log.kind to"
            " 'postgresql'",
            field="log.kind", value="sqlite",
        )  # fmt: skip


def check_drivers(config: Config) -> None:
    """Raise `ConfigError`, naming the key, unless every backend has a driver and options that fit."""
    for name, backend in config.backends.items():
        make_driver(
            name, backend.driver, backend.options,
            handles_servers=backend.driver_handles_share_servers,
        )  # fmt: skip


def with_key(config: Config) -> Config:
    """With the key that secrets are sealed with: processes on other nodes have not this one's home."""
    if config.secrets_key is not None:
        return config
    return config.model_copy(update={"secrets_key": SecretStr(kept_key(config))})


# -- the actors ----------------------------------------------------------------------------------
def start_system(config: Config) -> Handle:
    """The manager of the system in `config.namespace`, started with its catalog unless it runs.

    If it cannot be started, no actor is left.
    """
    alive, runs = nodes(), bool(listed(config.namespace))
    check_log_fits(config, alive)
    check_drivers(config)
    config = with_key(config)
    if not runs:
        forget_kept(config.namespace)
    try:
        return _started(config)
    except BaseException:
        if not runs:
            _end_actors(config.namespace)
        raise


def _started(config: Config) -> Handle:
    catalog = actor(CatalogRayActor, CATALOG, config, config)
    unwrapped(lambda: ray.get(catalog.follow.remote()))
    manager = actor(ManagerRayActor, MANAGER, config, config, RayCluster(config))
    unwrapped(lambda: ray.get(manager.ready.remote()))
    return manager


def find_manager(namespace: str) -> Handle:
    """The manager of a running system; raises `Unavailable`."""
    return named(MANAGER, namespace)


def find_catalog(namespace: str) -> RayCatalog:
    return RayCatalog(namespace)


def stop_system(manager: Handle, namespace: str) -> None:
    """Let all that runs come to its end, then end the actors; the log has everything."""
    try:
        ray.get(manager.stop.remote(), timeout=60)
        ray.get(named(CATALOG, namespace).stop.remote(), timeout=30)
    except (RayError, Unavailable):
        logging.getLogger(__name__).warning("not all actors ended in order; the log has everything")
    _end_actors(namespace)


def _end_actors(namespace: str) -> None:
    """The manager first, which would start others."""
    names = [str(actor["name"]) for actor in listed(namespace)]
    for name in sorted(names, key=lambda n: n != MANAGER):
        try:
            ray.kill(ray.get_actor(name, namespace), no_restart=True)
        except ValueError:
            continue
