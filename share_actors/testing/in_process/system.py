"""A system in this process for tests of drivers and automations: the real client and actors, without Ray."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from share_actors.actors.messaging.batch import Answers, Rest
from share_actors.actors.messaging.messages import CommandMessage, CommandReply
from share_actors.actors.runtime.manager_handle import ManagerHandle
from share_actors.actors.runtime.remote_calls import CallsHandle
from share_actors.client.sync.background_loop import run
from share_actors.client.sync.system import ShareSystem
from share_actors.client.system import AsyncShareSystem
from share_actors.config import BackendSettings, Config
from share_actors.drivers.base import ShareDriver
from share_actors.drivers.registry import drivers_registered
from share_actors.errors import Unavailable
from share_actors.events.log import Log, OpenLog, open_configured
from share_actors.events.log.subject_keys import record_sealer
from share_actors.observability.tracing import end_all
from share_actors.testing.in_memory_log import InMemoryLog
from share_actors.testing.in_process.cluster import InProcessCluster
from share_actors.testing.in_process.host import InProcessHost
from share_actors.testing.in_process.process import ProcessLost
from share_actors.testing.in_process.services import InProcessCatalog
from share_actors.values import OPERATOR, RequestContext, Share

REMOVAL_S, REMOVAL_RETRY_S = 10.0, 0.02
"""How long the removal of the temporary directory is tried, and the pause between two tries."""


class InProcessConnection:
    """A client's `Connection` to a system in this process."""

    def __init__(self, cluster: InProcessCluster) -> None:
        self._cluster = cluster

    def __reduce__(self) -> NoReturn:
        raise TypeError("a system in this process, and its handles, cannot be pickled")

    @property
    def manager(self) -> ManagerHandle:
        """Raises `Unavailable`: without Ray there is no actor handle."""
        raise Unavailable("a system in this process has no Ray actor handle")

    @property
    def catalog(self) -> InProcessCatalog:
        """The catalog's actor."""
        return self._cluster.catalog

    async def call_manager(self, method: str, *args: object, **kwargs: object) -> Any:
        """The result of one call of the manager; raises `Unavailable` if it was killed meanwhile."""
        return await self._cluster.find_manager().call(method, *args, **kwargs)

    async def host(self, name: str) -> InProcessDirectHost:
        """The host of this name; raises `Unavailable` if there is none."""
        host = self._cluster.running.get(name)
        if host is None:
            raise Unavailable(f"there is no host {name}")
        return InProcessDirectHost(host)

    async def start_calls(self) -> CallsHandle:
        """Raises `Unavailable`: without Ray there is no actor handle."""
        raise Unavailable("a system in this process has no Ray actor handle")

    async def stop_system(self, timeout_s: float) -> list[dict[str, Any]]:
        """Stop the manager's work, then every actor; the driver calls that were cut off."""
        cut_off: list[dict[str, Any]] = []
        with suppress(Unavailable):  # it was killed
            cut_off = await self.call_manager("stop", timeout_s)
        await self._cluster.close()
        return cut_off


class InProcessDirectHost:
    """A host as a client calls it."""

    def __init__(self, host: InProcessHost) -> None:
        self._host = host

    async def begin(self, messages: list[CommandMessage], /) -> Answers:
        """See `ShareHost.begin_here`; each method raises `Unavailable` if the host was killed."""
        answers: Answers = await self._call("begin_here", messages)
        return answers

    async def more(self, rest: Rest, /) -> Answers:
        """The next replies to the commands of a batch."""
        answers: Answers = await self._call("more", rest)
        return answers

    async def wait_here(
        self, pairs: Sequence[tuple[str, str]], timeout_s: float, context: RequestContext, /
    ) -> list[CommandReply]:
        """See `ShareHost.wait_here`."""
        replies: list[CommandReply] = await self._call("wait_here", pairs, timeout_s, context)
        return replies

    async def view_here(self, share_id: str, context: RequestContext, /) -> Share:
        """See `ShareHost.view_here`."""
        share: Share = await self._call("view_here", share_id, context)
        return share

    async def _call(self, method: str, *args: object) -> Any:
        try:
            return await self._host.process.call(self._host.inner, method, *args)
        except ProcessLost:
            raise Unavailable(f"host {self._host.name} was killed", passing=True) from None


class InProcessSystem(AsyncShareSystem):
    """`AsyncShareSystem` on a system in this process, whose actors a test can kill."""

    def __init__(
        self, cluster: InProcessCluster, config: Config, context: RequestContext | None
    ) -> None:
        super().__init__(InProcessConnection(cluster), config, context, owns=True)
        self.cluster = cluster

    async def kill_host_of(self, share_id: str) -> None:
        """Kill the process that a share lives in as `kill -9` does; it is restarted after a moment.

        Raises `LookupError` if the share is not in the memory of any process.
        """
        await self.cluster.host_of(share_id).restart()

    async def kill_manager(self) -> None:
        """Kill the manager's process; another manager takes over, as on Ray."""
        self.cluster.replace_manager()


class SyncInProcessSystem(ShareSystem):
    """`ShareSystem` on a system in this process, whose actors a test can kill."""

    def __init__(self, system: InProcessSystem) -> None:
        super().__init__(system)
        self._in_process = system

    def kill_host_of(self, share_id: str) -> None:
        """See `InProcessSystem.kill_host_of`."""
        run(self._in_process.kill_host_of(share_id))

    def kill_manager(self) -> None:
        """See `InProcessSystem.kill_manager`."""
        run(self._in_process.kill_manager())


@asynccontextmanager
async def system(
    config: Config | None = None,
    *,
    drivers: Mapping[str, type[ShareDriver]] | None = None,
    context: RequestContext | None = None,
    log: InMemoryLog | None = None,
    durable: bool = False,
) -> AsyncIterator[InProcessSystem]:
    """Run a system on this event loop, without Ray, until the block ends.

    *config*: default one backend, `dummy`. Unless it has a `home`, a temporary directory is used.
    *drivers*: driver classes by the names that *config* uses; they need not be installed.
    *log*: the events to continue with; default an empty log in memory. The catalog is a temporary file.
    *durable*: use the log and the catalog that *config* names instead. Raises `ConfigError` or `LogError`.
    """
    async with AsyncExitStack() as stack:
        directory = await stack.enter_async_context(_temporary_directory())
        stack.enter_context(drivers_registered(drivers or {}))
        settings = _with_home(config, directory)
        memory = None if durable else log or InMemoryLog()
        cluster = _cluster(settings, directory, memory)
        running = InProcessSystem(cluster, settings, context)
        try:
            await cluster.catalog.call("take_over")
            cluster.start_manager()
            await running.as_user(OPERATOR).status()
            yield running
        finally:
            await running.close()
            await asyncio.to_thread(end_all, settings.namespace)
            if memory is not None and log is None:
                memory.close()


@asynccontextmanager
async def _temporary_directory() -> AsyncIterator[Path]:
    """A directory that is removed afterwards, once no abandoned driver call creates files in it any more."""
    directory = Path(tempfile.mkdtemp(prefix="share-actors-"))
    try:
        yield directory
    finally:
        until = time.monotonic() + REMOVAL_S
        while directory.exists():
            try:
                shutil.rmtree(directory)
            except OSError:
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(REMOVAL_RETRY_S)


@contextmanager
def sync_system(config: Config | None = None, **options: Any) -> Iterator[SyncInProcessSystem]:
    """`system` for tests without an event loop: it runs on the loop of the synchronous client."""
    running = system(config, **options)
    inner = run(running.__aenter__())
    try:
        yield SyncInProcessSystem(inner)
    finally:
        run(running.__aexit__(None, None, None))


def _with_home(config: Config | None, directory: Path) -> Config:
    if config is None:
        dummy = BackendSettings(driver="dummy", options={"directory": str(directory / "dummy")})
        return Config(home=directory, backends={"dummy": dummy})
    if "home" in config.model_fields_set:
        return config
    return config.model_copy(update={"home": directory})


def _cluster(config: Config, directory: Path, memory: InMemoryLog | None) -> InProcessCluster:
    if memory is None:
        return InProcessCluster(config, open_configured)
    log_settings = config.log.model_copy(update={"kind": "sqlite"})
    changes = {"log": log_settings, "catalog_path": directory / "catalog.db"}
    return InProcessCluster(config.model_copy(update=changes), _reopen(memory))


def _reopen(memory: InMemoryLog) -> OpenLog:
    def open_log(config: Config, nodes: int = 1) -> Log:
        return memory.reopen(config.log, record_sealer(config))

    return open_log
