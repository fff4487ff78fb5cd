"""The ports between the manager and the Ray cluster; `testing.in_process` implements them without Ray."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from share_actors.actors.messaging.batch import Answers, Rest
from share_actors.actors.messaging.messages import CommandMessage, CommandReply
from share_actors.config import Config
from share_actors.drivers.abilities import BackendObject
from share_actors.events.catalog.figures import Figures
from share_actors.observability.counts import Sample
from share_actors.policy import Caller
from share_actors.values import BackendReport, RequestContext, Share, ShareClient, Snapshot
from share_actors.values.waiting import WaitingForThread
from share_actors.wire import sent_as_report


@sent_as_report
class HostReport(NamedTuple):
    """The state of a host, which its supervisor reads regularly.

    *entities* are its shares and share servers, *waiting* the commands that have no reply yet, *hung* the
    driver calls past their deadline, *snapshot_failures* the state snapshots that could not be saved,
    *waiting_for_thread* the driver calls that wait for a thread, by backend, *node* the id of its Ray node.
    A host that is *leaving* takes in no entities until it ends.
    """

    pid: int
    entities: int
    waiting: int
    hung: int
    snapshot_failures: int
    waiting_for_thread: Mapping[str, int]
    node: str = ""
    leaving: bool = False


class NodeState(NamedTuple):
    """A node of the cluster: *name* is its host name, *resources* are the names of all that it has."""

    id: str
    name: str
    address: str
    alive: bool
    resources: tuple[str, ...]


@sent_as_report
class CallUnderWay(NamedTuple):
    """A driver call: the entity with this *id*, the *work* such as `create`, and how long it has run."""

    id: str
    work: str
    seconds: float


CATALOG, MANAGER = "the catalog", "the manager"
FIXED = (CATALOG, MANAGER)
"""What there is one of, in the order in which they leave a node: the manager looks after the others."""
AT = "@"
"""Separates the node resource in the name of a host: `share-actor@RESOURCE-N`."""


def node_of(host: str) -> str | None:
    """The Ray resource of the nodes that a host of this name runs on; None: any node will do.

    It is part of the name, so that the next manager finds it there.
    """
    _, at, resource_and_number = host.partition(AT)
    return resource_and_number.rpartition("-")[0] if at else None


class HostLost(Exception):
    """The Ray actor *host* died or can't be reached; the call may have had its effect."""

    def __init__(self, host: str, reason: str = "") -> None:
        super().__init__(f"share actor {host} is lost: {reason}")
        self.host = host


class Host(Protocol):
    """A `ShareHost`, wherever it runs. Every method raises `HostLost` if it can't be reached."""

    async def submit(self, messages: list[CommandMessage], /) -> list[CommandReply]:
        """Have each command decided and recorded; replies in order."""

    async def begin(self, messages: list[CommandMessage], /) -> Answers:
        """Have each command decided and recorded; the replies that come first."""

    async def more(self, rest: Rest, /) -> Answers:
        """The next replies to the commands of a batch; raises `Unavailable` if it is unknown."""

    async def wait(
        self,
        pairs: Sequence[tuple[str, str]],
        timeout_s: float,
        caller: Caller | None = None,
        /,
    ) -> list[CommandReply]:
        """Outcomes of those of *pairs* (entity id, command id of the caller's project) that have ended."""

    async def wake(self, entity_ids: Sequence[str], /) -> dict[str, str]:
        """Activate these entities; the reasons of those that can't be, by id (empty: no room now)."""

    async def view(self, entity_id: str, /) -> Any:
        """The entity as clients see it; raises `NotFound`."""

    async def report(self) -> HostReport:
        """The state of the host."""

    async def versions(self) -> Mapping[str, Any]:
        """What the host tells of its version, see `Versions.of`; nothing if it is of an earlier version."""

    async def passivated(self, leaving: Sequence[str], /) -> Sequence[str]:
        """Entities passivated since the last call, and those of *leaving* that are not active."""

    async def resident(self) -> Mapping[str, int]:
        """The versions of all active entities, by id."""

    async def drop(self, entity_ids: Sequence[str], /) -> None:
        """End the activations of these entities, which have their home elsewhere."""

    async def metrics(self, name: str, /) -> Sequence[Sample]:
        """What the host has counted, as the series of the actor *name*."""

    async def under_way(self) -> Sequence[CallUnderWay]:
        """The driver calls that are under way, without those that wait for a thread."""

    async def place_in_line(self, entity_id: str, /) -> WaitingForThread | None:
        """Where the driver call of an entity waits for a thread; None if none does."""

    async def stop(self, timeout_s: float | None = None, /) -> Sequence[CallUnderWay]:
        """Accept no more commands, let driver calls end, and leave the log in order.

        Returns the calls that did not end within *timeout_s* and were cut off.
        """

    async def reconfigure(self, config: Config, /) -> None:
        """Use this configuration from now on."""

    async def drain(self) -> None:
        """Return once all that is being submitted now has its reply."""

    async def leave(self) -> Sequence[str]:
        """Take in no more entities, begin no further attempts, end what is not at work; what is left."""

    async def restart(self) -> None:
        """End its process, whatever runs there; it is back later, without entities."""


class CatalogPort(Protocol):
    """The catalog's actor; raises `Unavailable` while it can't be reached."""

    async def ask(self, query: str, /, **parameters: Any) -> Any:
        """The result of the catalog's method *query*, once it has caught up with the log."""


class CatalogForCallers(CatalogPort, Protocol):
    """The catalog's actor, which can also be asked on behalf of a caller."""

    async def ask_as(self, context: RequestContext, query: str, /, **parameters: Any) -> Any:
        """The same for the caller in *context*, who sees what it may read; raises `Forbidden`."""

    async def figures(self) -> Figures:
        """The size of the log, how far the catalog is, and the numbers of shares."""


class CatalogFor:
    """The catalog as one caller sees it."""

    def __init__(self, catalog: CatalogForCallers, context: RequestContext) -> None:
        self._catalog, self._context = catalog, context

    async def ask(self, query: str, /, **parameters: Any) -> Any:
        """The result of the catalog's method *query* for this caller."""
        return await self._catalog.ask_as(self._context, query, **parameters)


class Stats(Protocol):
    """The `StatsActor` of one backend; raises `Unavailable` while it can't be reached."""

    async def follow(self) -> int:
        """Start to read the driver's stats in every period; return the process id."""

    async def latest(self) -> BackendReport | None:
        """The last report; None before the first."""

    async def publish_now(self) -> BackendReport:
        """Read the driver's stats now, publish them, and return the report."""

    async def preview(self, share: Share, driver_options: Mapping[str, Any], /) -> dict[str, Any]:
        """What managing *share* with these options would find on the backend; raises `Refused`."""

    async def usage(self, shares: Sequence[Share], /) -> dict[str, int]:
        """The bytes that each of *shares* uses, by id; raises `Refused` if the driver cannot measure it."""

    async def clients(self, share: Share, /) -> list[ShareClient]:
        """Who is connected to *share* now; raises `Refused` if the driver cannot tell."""

    async def start_backend(self) -> BackendReport:
        """Start what serves the backend, and publish a report; raises `Refused` if nothing does."""

    async def stop_backend(self, user: str, /) -> BackendReport:
        """Stop what serves the backend, for *user*, and publish a report; `Refused` if nothing does."""

    async def missing(self, shares: Sequence[Share], /) -> list[str]:
        """The ids of those of *shares* that the driver does not find on the backend."""

    async def objects(self) -> list[BackendObject]:
        """What the driver lists on the backend; raises `Refused` if it cannot."""

    async def check_manage(
        self, item: Share | Snapshot, driver_options: Mapping[str, Any], /
    ) -> None:
        """Raise `Refused` if *item* could never be managed with these options."""

    async def reconfigure(self, config: Config, /) -> None:
        """Use this configuration from now on."""

    async def versions(self) -> Mapping[str, Any]:
        """What it tells of its version; nothing if it is of an earlier version."""

    async def node(self) -> str:
        """The id of the node that it runs on."""

    async def leave(self) -> None:
        """Stop what serves the backend on this node; raises `Unavailable` if that fails."""

    async def end(self) -> None:
        """Stop it, and end its process."""


class Probe(Protocol):
    """A `BackendProbe` on one node."""

    async def check(self, shares: Sequence[Share], /) -> list[str]:
        """The ids of those of *shares* that the driver does not find; raises `Unavailable`."""

    async def end(self) -> None:
        """End its process."""


class Cluster(Protocol):
    """Where hosts, stats actors and the catalog run."""

    @property
    def catalog(self) -> CatalogForCallers:
        """The catalog's actor."""

    async def hosts(self) -> Sequence[tuple[str, Host]]:
        """The hosts that run already, with their names."""

    async def start_host(self, node: str | None = None) -> tuple[str, Host]:
        """Start a host, on a node with the resource *node* if given; return it with its name once ready."""

    async def nodes(self) -> Sequence[NodeState]:
        """All nodes that the cluster knows, also those that it lost."""

    async def end_host(self, name: str) -> None:
        """End a host for good: it is not restarted."""

    def avoid(self, node_ids: Collection[str]) -> None:
        """Start nothing on these nodes from now on, while others will do."""

    async def fixed_on(self, node_id: str) -> Mapping[str, str | None]:
        """Those of `FIXED` that are on a node; why one can't leave it, or None."""

    async def leave(self, part: str) -> None:
        """Have one of `FIXED` started again on a node that is not to be avoided; it may end this process."""

    async def stats(self, backend: str, config: Config, node: str | None) -> Stats:
        """The stats actor of *backend*, started unless it runs: with *node* where that Ray resource is."""

    async def end_stats(self, backend: str) -> None:
        """End the stats actors of *backend*, wherever they are, also on lost nodes."""

    async def probe(self, backend: str, config: Config, node: str) -> Probe:
        """A probe of *backend* on a node with the Ray resource *node*."""

    async def save_config(self, config: Config) -> None:
        """Save the configuration for actors that are started or restarted from now on."""
