"""Joining and leaving a Ray cluster; starting, finding and stopping a system on it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import ray
from pydantic import SecretStr
from ray import _raylet
from ray._private import ray_constants
from ray.exceptions import RayError

from share_actors.actors.effects.driver_setup import without_secret_options
from share_actors.actors.effects.separation import check_apart
from share_actors.actors.messaging.retries import MAX_WAIT_S
from share_actors.actors.runtime import OUTAGE, PARENT, may_leave_a_lost_cluster
from share_actors.actors.runtime.calls import call_sync
from share_actors.actors.runtime.cluster import RayCluster, start_actor
from share_actors.actors.runtime.joining.announcement import announce, withdraw
from share_actors.actors.runtime.kept_config import delete_marks, delete_saved_config
from share_actors.actors.runtime.names import (
    CATALOG,
    MANAGER,
    Handle,
    actor_names,
    find_actor,
    node_count,
)
from share_actors.actors.runtime.ray_actors import CatalogRayActor, ManagerRayActor
from share_actors.actors.runtime.ray_errors import (
    node_lives,
    pace_listener,
    show_uncaught_errors,
    warn_of_outages,
)
from share_actors.actors.runtime.ray_start import start_ray
from share_actors.actors.runtime.signals import sigterm_kept
from share_actors.actors.runtime.stop_times import CATALOG_STOP_TIMEOUT_S, MANAGER_STOP_TIMEOUT_S
from share_actors.actors.runtime.system_state import (
    LOOPBACK,
    check_joined,
    check_reachable,
    resolve_address,
)
from share_actors.actors.sealing import home_key
from share_actors.config import Config
from share_actors.config.differences import differences, in_words
from share_actors.errors import ConfigError, Refused, Unavailable
from share_actors.observability.exporter import check_library
from share_actors.observability.tracing import check_packages

logger = logging.getLogger(__name__)
SHOW_EVERY_S = 1.0
ShowCalls = Callable[[list[dict[str, Any]]], None]


def init(address: str | None, **options: Any) -> None:
    """Join the Ray cluster at *address*; None starts one that ends with this process.

    `auto` is the system that `share-actors up` started, see `resolve_address`. Ray's logging is off. Raises
    `Unavailable`.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    defaults = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
    if address is None:
        defaults["include_dashboard"] = False
        mode = os.environ.get("RAY_AUTH_MODE", "token")  # Ray's default; it warns if it is unset
        _set_environment({**LOOPBACK, "RAY_AUTH_MODE": mode})
    else:
        address, environment = resolve_address(address)
        check_reachable(address)
        outage = {name: os.environ.get(name, value) for name, value in OUTAGE.items()}
        _set_environment({**outage, **environment})
    with sigterm_kept():
        if address is None:
            start_ray({**defaults, **options})
        else:
            _join_ray(address, {**defaults, **options})
    pace_listener()
    show_uncaught_errors(lambda: _can_be_reached(joined_address() or ""))


def _join_ray(address: str, options: dict[str, Any]) -> None:
    try:
        ray.init(address, **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise Unavailable(
            f"no Ray cluster at {address!r}: {error}{_hint(address)}",
            field="address",
            value=address,
        ) from None


def _hint(address: str) -> str:
    if address in ("auto", "local"):
        return ""
    return (
        "; if it requires a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH, or SHARE_ACTORS_HOME"
        " to the home of the system that `share-actors up` started there"
    )


def _set_environment(variables: Mapping[str, str]) -> None:
    """Set *variables* and have Ray read them: it read the environment when it was imported."""
    os.environ.update(variables)
    if LOOPBACK.items() <= variables.items():
        ray_constants.ENABLE_RAY_CLUSTER = False
    if variables:
        # the token of a cluster that was joined before
        _raylet.AuthenticationTokenLoader.instance().reset_cache()  # type: ignore[attr-defined]
        _raylet.Config.initialize("")  # type: ignore[attr-defined]


def is_initialized() -> bool:
    """Whether this process has joined a Ray cluster."""
    return bool(ray.is_initialized())


def joined_address() -> str | None:
    """The address of the Ray cluster that this process has joined, if any."""
    return str(ray.get_runtime_context().gcs_address) if is_initialized() else None


def joined_session() -> str:
    """Ray's name of the cluster that this process has joined."""
    return str(ray.get_runtime_context().get_session_name())


def join(address: str) -> None:
    """Join the Ray cluster at *address*, unless this process has joined it already.

    A cluster that is gone is left first, and so is one whose node on this machine has ended. Raises
    `Unavailable`, or `Refused` if this process has joined another one.
    """
    joined = joined_address()
    if joined is not None:
        if _can_be_reached(joined) and node_lives():
            check_joined(address, joined)
            warn_of_outages()
            return
        _check_leaving(joined)
        shutdown()
    init(address)


def _check_leaving(joined: str) -> None:
    """Raise `Unavailable` if Ray would end this process when it leaves the cluster at *joined*."""
    if not may_leave_a_lost_cluster():
        (variable, value) = next(iter(PARENT.items()))
        raise Unavailable(
            f"the Ray cluster at {joined} is gone, and Ray would end this program if it left that cluster,"
            f" since the program's parent has ended and Ray was imported without {variable}",
            field="address",
            value=joined,
            next_step=f"Start the program again. To keep it running next time, set {variable}={value}, or"
            " write `from share_actors import connect` before `import ray`.",
        )


def _can_be_reached(address: str) -> bool:
    try:
        check_reachable(address)
    except Unavailable:
        return False
    return True


def shutdown() -> None:
    """Leave the cluster; a cluster that `init` started ends."""
    with sigterm_kept():
        ray.shutdown()


def check_log_fits(config: Config, nodes: int) -> None:
    """Raise `ConfigError` if the log is an SQLite file and the cluster has more than one node."""
    if config.log.kind == "sqlite" and nodes > 1:
        raise ConfigError(
            f"log.kind 'sqlite' works on one node only, and this cluster has {nodes}: set log.kind to"
            " 'postgresql'",
            field="log.kind",
            value="sqlite",
        )


def check_drivers(config: Config) -> None:
    """Raise `ConfigError`, naming the key, unless every backend's driver exists and accepts its options.

    And unless they use nothing of the machine together: see `separation`.
    """
    check_apart(config.backends)


def with_key(config: Config) -> Config:
    """*config* with the key that secrets are sealed with: other nodes do not have this process's home."""
    if config.secrets_key is not None:
        return config
    return config.model_copy(update={"secrets_key": SecretStr(home_key(config))})


# -- the actors ----------------------------------------------------------------------------------
class Started(NamedTuple):
    """A system that runs: the handle of its manager, and whether it was *begun* by this call."""

    manager: Handle
    begun: bool


def start_system(config: Config) -> Started:
    """The system in `config.namespace`, started unless it runs with these settings.

    Raises `ConfigError` or `LogError`; if the system cannot be started, none of its actors remain. Raises
    `Refused` if a system with other settings runs there, which is left as it is.
    """
    running = actor_names(config.namespace)
    if MANAGER in running:
        check_settings(_running_config(config.namespace), config)
    check_log_fits(config, node_count())
    check_library(config.metrics.address)
    check_packages(config.traces.endpoint)
    check_drivers(config)
    keyed = with_key(config)
    if not running:
        delete_saved_config(config.namespace)
        delete_marks(config.namespace)
    try:
        manager = _start_actors(keyed)
    except BaseException:
        if not running:
            _kill_actors(config.namespace)
        raise
    check_settings(_running_config(config.namespace), config)  # of two starts at once, one is first
    announce(config)
    return Started(manager, begun=not running)


def start_new_system(config: Config) -> Handle:
    """Start the system in `config.namespace`; raises as `start_system`, and `Refused` if one runs there."""
    if MANAGER in actor_names(config.namespace):
        running = _running_config(config.namespace)
        check_settings(running, config)
        step = "Connect to the running system, stop it first, or choose another namespace."
        raise _taken(running, "these settings", next_step=step)
    return start_system(config).manager


def _running_config(namespace: str) -> Config:
    """The configuration of the system that runs in *namespace*."""
    config: Config = call_sync(
        lambda: ray.get(find_manager(namespace).config.remote()), restarts_s=MAX_WAIT_S
    )
    return config


def check_settings(running: Config, wanted: Config) -> None:
    """Raise `Refused`, which says what differs, if the system in this namespace has other settings."""
    if differing := differences(running, wanted, shown=without_secret_options):
        how = f"other settings: {in_words(differing)}"
        told = [difference._asdict() for difference in differing]
        step = "Choose another namespace, connect to the running system, or stop it first."
        raise _taken(running, how, differing=told, next_step=step)


def _taken(running: Config, how: str, **details: Any) -> Refused:
    return Refused(
        f"namespace {running.namespace!r} of this Ray cluster is taken by the system of home"
        f" {running.home}, which runs with {how}; nothing was started",
        field="namespace",
        value=running.namespace,
        **details,
    )


def _start_actors(config: Config) -> Handle:
    catalog = start_actor(CatalogRayActor, CATALOG, config.namespace, config)
    call_sync(lambda: ray.get(catalog.follow.remote()))
    manager = start_actor(ManagerRayActor, MANAGER, config.namespace, config, RayCluster(config))
    call_sync(lambda: ray.get(manager.ready.remote()))
    return manager


def find_manager(namespace: str) -> Handle:
    """The manager of a running system; raises `Unavailable`."""
    return find_actor(MANAGER, namespace)


def stop_system(
    manager: Handle,
    namespace: str,
    timeout_s: float,
    show: ShowCalls | None = None,
) -> list[dict[str, Any]]:
    """Let driver calls end within *timeout_s*, then end all actors of the system.

    *show* gets the calls that are still under way, every second. Returns those that were cut off: the `id`
    of the share, the `work`, and the `seconds` that it took.
    """
    cut_off: list[dict[str, Any]] = []

    def note(calls: list[dict[str, Any]]) -> None:
        cut_off[:] = calls
        if show is not None:
            show(calls)

    try:
        cut_off = _stop_manager(manager, timeout_s, note)
        catalog = find_actor(CATALOG, namespace)
        ray.get(catalog.stop.remote(), timeout=CATALOG_STOP_TIMEOUT_S)
    except (RayError, Unavailable):
        logger.warning("not all actors stopped in order; pending work continues at the next start")
    _kill_actors(namespace)
    withdraw(namespace)
    return cut_off


def _stop_manager(manager: Handle, timeout_s: float, note: ShowCalls) -> list[dict[str, Any]]:
    """Stop the manager and the hosts; *note* gets the calls under way until they have stopped."""
    stopped = manager.stop.remote(timeout_s)
    until = time.monotonic() + timeout_s + MANAGER_STOP_TIMEOUT_S
    while (
        not ray.wait([stopped], timeout=SHOW_EVERY_S)[0]
        and (left_s := until - time.monotonic()) > 0
    ):
        note(ray.get(manager.under_way.remote(), timeout=left_s))
    cut_off: list[dict[str, Any]] = ray.get(stopped, timeout=0)
    return cut_off


def _kill_actors(namespace: str) -> None:
    """Kill the manager first: it would start other actors."""
    for name in sorted(actor_names(namespace), key=lambda name: name != MANAGER):
        try:
            ray.kill(ray.get_actor(name, namespace), no_restart=True)
        except ValueError:
            continue
