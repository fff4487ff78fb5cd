"""The results of the client's methods that are plain dictionaries, as typed dictionaries."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class ManagePreview(TypedDict):
    """What `manage_share` would manage: its `size` in GiB, and what else the driver reports.

    The `local` driver adds the absolute `path` and the `bytes` that are used.
    """

    size: int
    path: NotRequired[str]
    bytes: NotRequired[int]


class ShareLocation(TypedDict):
    """Where a share's entity is activated: a Ray actor, its OS process, how many entities it hosts."""

    actor: str
    pid: int
    shares: int


class CutOffCall(TypedDict):
    """A driver call that is under way or was cut off: the entity's `id`, the `work`, and its `seconds`."""

    id: str
    work: str
    seconds: float


class BackendChanges(TypedDict):
    """Names of backends that a reload of the configuration `added`, `changed` and `removed`."""

    added: list[str]
    changed: list[str]
    removed: list[str]


class HandledEntities(TypedDict):
    """The ids of the `shares`, `servers` and `networks` of a backend that were changed.

    `failed`: the errors of the others, by id; the call can be repeated for them.
    """

    shares: list[str]
    servers: list[str]
    networks: list[str]
    failed: dict[str, str]


class HostStatus(TypedDict):
    """A Ray actor that hosts `shares` entities, with the counts of its last report if it has one.

    `waiting_for_thread`: driver calls that wait for a driver thread, by backend. `node`: the id of its node.
    `leaving`: it is being emptied, and ends then.
    `version`: of the program that it runs. `outdated`: the event of a newer version that it cannot read.
    """

    actor: str
    alive: bool
    shares: int
    pid: NotRequired[int]
    entities: NotRequired[int]
    waiting: NotRequired[int]
    hung: NotRequired[int]
    snapshot_failures: NotRequired[int]
    waiting_for_thread: NotRequired[dict[str, int]]
    node: NotRequired[str]
    leaving: NotRequired[bool]
    version: NotRequired[str]
    outdated: NotRequired[str]


class NodeMarkStatus(TypedDict):
    """Since when (ISO 8601) a node is drained, or was forgotten, and why."""

    at: str
    reason: str | None


class NodeStatus(TypedDict):
    """A node of the Ray cluster; one that was lost has been silent for `silent_s` seconds.

    `resources`: what backends can be pinned to. `actors`: the share actors that are or were on it, and
    `backends` those that are pinned to one of its resources. A `drained` one gets no actors; a `forgotten`
    one is not used, also if it is alive again.
    """

    id: str
    name: str
    address: str
    alive: bool
    silent_s: float | None
    resources: list[str]
    actors: list[str]
    backends: list[str]
    drained: NodeMarkStatus | None
    forgotten: NodeMarkStatus | None


class MarkedNode(TypedDict):
    """A node that was undrained or accepted."""

    id: str
    name: str
    address: str


class ForgottenNode(MarkedNode):
    """A node that was forgotten, and the `backends` that are pinned to one of its resources."""

    backends: list[str]


class NodeDrain(MarkedNode):
    """A drained node: the actors that are still on it and will leave (`moving`), and those `staying`.

    The latter by name, with the reasons. `under_way`: the driver calls on it, which are waited for.
    """

    moving: list[str]
    staying: dict[str, str]
    under_way: list[CutOffCall]


class MovedBackend(TypedDict):
    """A backend that is pinned to the Ray resource `node` now, and was to the `former` one.

    `configured`: what the configuration says. `problem`: why what served the backend could not be stopped
    on its former node, if so.
    """

    backend: str
    node: str
    former: str
    configured: str
    problem: str | None


class BackendStatus(TypedDict):
    """A backend: `status` is `starting`, `up` or `down`; `at` is when it last reported (ISO 8601).

    `node`: the Ray resource that it is pinned to; the configuration says `configured_node`, which differs
    if it was moved.
    """

    driver: str
    status: str
    reason: str | None
    at: str | None
    node: NotRequired[str | None]
    configured_node: NotRequired[str | None]
    wrong: NotRequired[dict[str, str]]
    problems: NotRequired[list[str]]


class ProcessVersions(TypedDict):
    """The version of the `program` that a process runs, and what it speaks and reads.

    `protocol`, `oldest_protocol`: of messages between processes. `log_format`: the newest that it can read.
    `silent`: it does not answer now, and the others are what it told before (`unknown` and 0: nothing).
    """

    program: str
    protocol: int
    oldest_protocol: int
    log_format: int
    silent: NotRequired[bool]


class SystemVersions(TypedDict):
    """The versions of manager, catalog, share actors and stats actors, and the log's `written_format`."""

    written_format: int
    processes: dict[str, ProcessVersions]


class ParkedStream(TypedDict):
    """A stream that the catalog cannot follow from `version` on, and the error."""

    stream: str
    version: int
    position: int
    error: str
    last_version: int


class ManagerStatus(TypedDict, total=False):
    """The manager's part of the status; only `error` if the manager does not respond.

    `version`: of the program. `up_s`: seconds since it started. `waiting`: commands in progress. `broken`:
    the reason, by the id of a share that has pending work and cannot be activated. `log`: the log's kind.
    `metrics`: the `url` that they are served at (None: nowhere), and the `error` why they are not.
    """

    error: str
    pid: int
    version: str
    up_s: float
    waiting: int
    actors: list[HostStatus]
    nodes: list[NodeStatus]
    broken: dict[str, str]
    backends: dict[str, BackendStatus]
    log: str
    metrics: dict[str, str | None]


class CatalogStatus(TypedDict, total=False):
    """The catalog's part of the status; only `error` if the catalog does not respond.

    `events`: their number in the log. `applied`: those that the catalog has applied; `behind`: the others.
    While it catches up, `events_per_s` is its rate, and `seconds_left` the estimated time; otherwise None.
    `shares`: counts by status.
    """

    error: str
    pid: int
    events: int
    applied: int
    behind: int
    events_per_s: float | None
    seconds_left: float | None
    shares: dict[str, int]
    parked: list[ParkedStream]


class SystemStatus(TypedDict):
    """The status of a system, part by part."""

    namespace: str
    manager: ManagerStatus
    catalog: CatalogStatus
