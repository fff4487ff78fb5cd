"""The ports by which the manager reaches the Ray cluster, so that it can run without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from share_actors.actors.messaging.messages import CommandMessage, CommandReply
from share_actors.config import Config
from share_actors.values import BackendReport, Share


class HostReport(NamedTuple):
    """What the manager asks of a host from time to time."""

    pid: int
    entities: int
    waiting: int
    hung: int
    snapshot_failures: int


AT = "@"


def node_of(host: str) -> str | None:
    """The Ray resource of the nodes that a host of this name runs on; None: any node will do.

    It is in the name, `share-actor@RESOURCE-N`, so that a manager that is replaced knows it.
    """
    _, at, where = host.partition(AT)
    return where.rpartition("-")[0] if at else None


class HostLost(Exception):
    """The Ray actor *host* died or can't be reached; what was asked of it may have happened."""

    def __init__(self, host: str, why: str = "") -> None:
        super().__init__(f"share actor {host} is lost: {why}")
        self.host = host


class Host(Protocol):
    """A `ShareHost`, wherever it runs. Every method raises `HostLost` when it can't be reached."""

    async def submit(self, asks: list[CommandMessage], /) -> list[CommandReply]: ...
    async def wait(
        self, pairs: Sequence[tuple[str, str]], timeout_s: float, /
    ) -> list[CommandReply]: ...
    async def wake(self, share_ids: Sequence[str], /) -> dict[str, str]: ...
    async def view(self, share_id: str, /) -> Any: ...
    async def report(self) -> HostReport: ...

    async def passivated(self, others: Sequence[str], /) -> Sequence[str]: ...
    async def resident(self) -> Sequence[str]: ...
    async def stop(self) -> None: ...

    async def reconfigure(self, config: Config, /) -> None:
        """Go on with this configuration."""

    async def drain(self) -> None:
        """Return when all that is being submitted now is answered."""

    async def restart(self) -> None:
        """End its process, whatever runs there; it comes back empty."""


class CatalogPort(Protocol):
    """The catalog's actor; raises `Unavailable` while it can't be reached."""

    async def ask(self, what: str, /, **question: Any) -> Any: ...


class Stats(Protocol):
    """The `StatsActor` of one backend; raises `Unavailable` while it can't be reached."""

    async def follow(self) -> int: ...
    async def latest(self) -> BackendReport | None: ...
    async def publish_now(self) -> BackendReport: ...
    async def preview(
        self, share: Share, driver_options: Mapping[str, Any], /
    ) -> dict[str, Any]: ...
    async def reconfigure(self, config: Config, /) -> None: ...

    async def end(self) -> None:
        """Stop it, and its process."""


class Cluster(Protocol):
    """Where hosts run."""

    @property
    def catalog(self) -> CatalogPort: ...

    async def hosts(self) -> Sequence[tuple[str, Host]]:
        """The hosts that run already."""

    async def start_host(self, node: str | None = None) -> tuple[str, Host]:
        """One more host, ready for calls; on a node that has the Ray resource *node* (see `node_of`)."""

    async def stats(self, backend: str, config: Config) -> Stats:
        """The stats actor of *backend*, started unless it runs."""

    async def keep(self, config: Config) -> None:
        """From now on, what is started or restarted gets this configuration."""
