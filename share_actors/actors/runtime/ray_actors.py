"""The classes that run as Ray actors. Each sets up its process and starts without being called."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import time
from typing import Any

import ray
from ray.exceptions import RayError

from share_actors.actors.backend_probe import BackendProbe
from share_actors.actors.catalog import CatalogActor
from share_actors.actors.effects.directories import Directories
from share_actors.actors.garbage import collect_rarely, spare_present
from share_actors.actors.hosting.host import ShareHost
from share_actors.actors.manager.manager import ManagerActor
from share_actors.actors.messaging.entity_client import EntityClient
from share_actors.actors.messaging.retries import RETRY_S
from share_actors.actors.ports import CallUnderWay, Cluster, HostReport
from share_actors.actors.runtime.adapters import RayManager
from share_actors.actors.runtime.head.orphans import end_with_raylet
from share_actors.actors.runtime.kept_config import KeptMark, NodesToLeave, saved_config
from share_actors.actors.runtime.log_records import begin_log
from share_actors.actors.runtime.names import CATALOG, MANAGER, node_count
from share_actors.actors.stats import StatsActor
from share_actors.config import Config
from share_actors.events.log.lease.lease import Owner
from share_actors.events.log.lease.leased_log import open_leased
from share_actors.observability import tracing


def owner_of(config: Config) -> Owner:
    """This process, as one of the system that has the namespace on this cluster.

    Actors that are restarted are of the same system; a cluster that is started again is another one.
    """
    session = ray.get_runtime_context().get_session_name()
    return Owner(
        system=f"{session}/{config.namespace}",
        namespace=config.namespace,
        home=str(config.home),
        host=socket.gethostname(),
        pid=os.getpid(),
    )


def _begin(config: Config, leaving: str | None = None) -> None:
    """Set up this process, which is an actor of a system with *config*.

    It ends if that is the actor *leaving*, and Ray has started it on a node that it is to leave.
    """
    begin_log(config)
    if leaving is not None:
        NodesToLeave(config.namespace, leaving).obey()
    end_with_raylet()


class ShareHostRayActor(ShareHost):
    """A share host whose process is tuned for many small objects and few threads."""

    def __init__(self, config: Config) -> None:
        _begin(config)
        collect_rarely()  # entities are long-lived
        # the longest wait of the log's writer thread for the event loop; shorter only adds switches
        sys.setswitchinterval(0.003)
        config = saved_config(config)
        entity_client = EntityClient(RayManager(config.namespace).connected)
        super().__init__(
            config,
            node_count(),
            entity_client,
            open_leased(lambda: owner_of(config)),
            hold=Directories(lambda: owner_of(config)).hold,
        )
        spare_present()

    async def report(self) -> HostReport:
        """See `ShareHost`; with the node of this process."""
        report = await super().report()
        return report._replace(node=ray.get_runtime_context().get_node_id())

    async def stop(self, timeout_s: float | None = None) -> list[CallUnderWay]:
        """See `ShareHost`; its process may be killed from then on."""
        cut_off = await super().stop(timeout_s)
        await asyncio.to_thread(tracing.end_all)
        return cut_off


class CatalogRayActor(CatalogActor):
    """The catalog in a process with lower priority than those that serve commands."""

    def __init__(self, config: Config) -> None:
        _begin(config, CATALOG)
        collect_rarely()
        os.nice(5)
        super().__init__(config, node_count(), open_leased(lambda: owner_of(config)))
        self._directories = Directories(lambda: owner_of(config))
        spare_present()
        _start_with("follow")

    async def node(self) -> str:
        """The id of the node of this process."""
        return str(ray.get_runtime_context().get_node_id())

    async def end_process(self) -> None:
        """End this process at once; Ray starts another one."""
        os._exit(1)

    async def follow(self) -> None:
        """See `CatalogActor`; raises `Refused` if another system has a directory of a backend."""
        await super().follow()
        backends = saved_config(self._config).backends
        await asyncio.to_thread(self._directories.hold_at_start, backends)


class ManagerRayActor(ManagerActor):
    """The manager, which starts recovery as soon as its process runs."""

    def __init__(self, config: Config, cluster: Cluster) -> None:
        _begin(config, MANAGER)
        super().__init__(saved_config(config), cluster)
        _start_with("ready")

    async def stop(self, timeout_s: float | None = None) -> list[dict[str, Any]]:
        """See `ManagerActor`; its process may be killed from then on."""
        cut_off = await super().stop(timeout_s)
        await asyncio.to_thread(tracing.end_all)
        return cut_off


class StatsRayActor(StatsActor):
    """A stats actor, which starts its periodic reports as soon as its process runs."""

    def __init__(self, backend: str, config: Config) -> None:
        _begin(config)
        os.nice(5)
        manager = RayManager(config.namespace)
        super().__init__(
            backend,
            saved_config(config),
            manager.connected,
            EntityClient(manager.connected),
            hold=Directories(lambda: owner_of(config)).hold,
            stopped_mark=KeptMark(config.namespace, backend),
        )
        _start_with("follow")

    async def node(self) -> str:
        """The id of the node of this process."""
        return str(ray.get_runtime_context().get_node_id())


class BackendProbeRayActor(BackendProbe):
    """A probe of a backend on the node that it is to be moved to."""

    def __init__(self, backend: str, config: Config) -> None:
        _begin(config)
        hold = Directories(lambda: owner_of(config)).hold
        super().__init__(backend, saved_config(config), hold)


def _start_with(method: str) -> None:
    """Call *method* of this process's actor in the background: no client may call for long after a restart.

    Ray rejects an actor's calls to itself until it has registered the restarted actor, so they are repeated.
    """
    remote_method = getattr(ray.get_runtime_context().current_actor, method)

    def call_until_done() -> None:
        while True:
            try:
                ray.get(remote_method.remote())
            except RayError:
                time.sleep(RETRY_S)
            else:
                return

    threading.Thread(target=call_until_done, name=method, daemon=True).start()
