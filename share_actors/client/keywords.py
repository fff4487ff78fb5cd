"""The keyword arguments of the client's methods, as typed dictionaries. Every key is optional."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TypedDict

from share_actors.actors.messaging.parameters import seconds
from share_actors.client.ids import command_id_of
from share_actors.values import NetworkType

DEFAULT_TIMEOUT_S = 300.0
"""How long a call waits for its outcome unless `timeout` is given, in seconds."""
IN_FLIGHT = 1024
"""How many items of a batch are on their way at a time unless `in_flight` is given."""
CONNECT_TIMEOUT_S = 60.0
"""How long `connect` waits for a manager that is being restarted unless `timeout` is given, in seconds."""
STOP_TIMEOUT_S = 60.0
"""How long `down` lets driver calls go on, by default, in seconds."""
CLOSE_TIMEOUT_S = 10.0
"""How long `close` lets driver calls go on, by default, in seconds: a program should end soon."""


class RequestOptions(TypedDict, total=False):
    """Options of every request that changes something.

    `wait` (default True): return when the backend has done the work; False: when the request is durable.
    `timeout` (default 300): seconds to wait before `TimedOut` is raised; the work continues.
    `command_id` (default: generated): a repeated request with the same id is executed once.
    """

    wait: bool
    timeout: float
    command_id: str | None


class BulkOptions(TypedDict, total=False):
    """Options of requests in bulk.

    `batch_id` (default: generated): if a batch is sent again with the same id, nothing is done twice:
    recorded items return their outcomes, and the others are done. `wait` (default True): return a result when
    the work has ended; False: when the request is durable. `timeout` (default 300): seconds for each item.
    `in_flight` (default 1024): maximum number of items in progress at a time.
    """

    batch_id: str | None
    wait: bool
    timeout: float
    in_flight: int


def with_command_id(options: RequestOptions) -> tuple[str, RequestOptions]:
    """The command id in *options*, generated if there is none, and the options with it."""
    command_id = command_id_of(options.get("command_id"))
    return command_id, {**options, "command_id": command_id}


def deadline(options: RequestOptions) -> float:
    """When the `timeout` in *options* ends, as of `time.monotonic`; raises `InvalidRequest`."""
    return time.monotonic() + seconds("timeout", options.get("timeout", DEFAULT_TIMEOUT_S))


class ShareProperties(TypedDict, total=False):
    """Properties of a new share, by Manila's names.

    `backend`: the backend to use (default: chosen by the scheduler), or `host`: `backend#pool`.
    `share_id`: the new share's id (default: generated). `snapshot_id`: create from this snapshot.
    `share_network_id`: create it on a share server of this network. `share_proto`: see `protocol`.
    `same_host`, `different_host`: ids of shares, as a sequence or separated by commas. `only_host`: as
    `host`. `scheduler_hints`: these three, as in Manila.
    """

    description: str | None
    display_description: str | None
    share_proto: str
    backend: str | None
    host: str | None
    metadata: Mapping[str, str]
    is_public: bool
    availability_zone: str | None
    share_type: str | None
    share_network_id: str | None
    snapshot_id: str | None
    same_host: str | Sequence[str] | None
    different_host: str | Sequence[str] | None
    only_host: str | None
    scheduler_hints: Mapping[str, str | Sequence[str]] | None
    share_id: str | None


class ManagedShareProperties(TypedDict, total=False):
    """Properties of a share to manage, which is on `backend` or `host` (default: the default backend)."""

    description: str | None
    display_description: str | None
    backend: str | None
    host: str | None
    metadata: Mapping[str, str]
    is_public: bool
    share_type: str | None
    share_server_id: str | None
    share_id: str | None


class PreviewProperties(TypedDict, total=False):
    """Properties of a share that `preview_manage` looks for, by the names of `manage_share`."""

    name: str | None
    display_name: str | None
    description: str | None
    display_description: str | None
    protocol: str
    share_proto: str
    backend: str | None
    host: str | None
    metadata: Mapping[str, str]
    is_public: bool
    share_type: str | None
    share_server_id: str | None


class PageOptions(TypedDict, total=False):
    """Which page of a list: at most `limit` items (default 100, at most 1000), after `marker`.

    `marker` is the `next_marker` of the previous page. While the catalog catches up with the log, a list has
    the progress (`as_of`); `wait` waits for a complete list: that many seconds, or a minute if it is True.
    """

    limit: int
    marker: str | None
    wait: bool | float


class EventFilters(TypedDict, total=False):
    """Filters of events: what their streams and envelopes say."""

    entity: str | None
    """The id of a share, or another entity's address, such as `share_network:ID`."""
    project: str | None
    user: str | None
    kind: str | None
    """A topic such as `share.created`, or the start of several: `access`."""
    command: str | None
    """The id of a request: what it led to, directly or not."""


class ShareCountFilters(TypedDict, total=False):
    """Filters of shares; those that are deleted are included only if `status` is `deleted`.

    Public shares of other projects are included only with `is_public`, or if `project_id` is theirs.
    """

    name: str | None
    status: str | None
    project_id: str | None
    backend: str | None
    is_public: bool | None
    wait: bool | float
    """How many seconds to wait until all that is recorded can be counted; True: a minute."""


class ShareFilters(ShareCountFilters, PageOptions, total=False):
    """Filters of a list of shares, and which page of it."""


class SnapshotFilters(PageOptions, total=False):
    """Filters of a list of snapshots, and which page of it."""

    share_id: str | None
    name: str | None
    status: str | None
    project_id: str | None


class RuleFilters(PageOptions, total=False):
    """Filters of a list of access rules, and which page of it."""

    share_id: str | None
    state: str | None


class EntityFilters(PageOptions, total=False):
    """Filters of a list of networks, servers, types or backends, and which page of it.

    `parent`: the id of the share network that a share server is on.
    """

    name: str | None
    status: str | None
    project_id: str | None
    parent: str | None


class NetworkProperties(TypedDict, total=False):
    """Properties of a new share network, by Manila's names."""

    gateway: str | None
    network_type: NetworkType
    segmentation_id: int | None
    description: str | None


class SecurityServiceProperties(TypedDict, total=False):
    """Properties of a security service, by Manila's names; `password` is sealed before it is recorded."""

    name: str | None
    dns_ip: str | None
    server: str | None
    domain: str | None
    ou: str | None
    user: str | None
    password: str | None


class ShareTypeProperties(TypedDict, total=False):
    """Properties of a new share type; `projects` may use it if it is not public."""

    description: str | None
    is_public: bool
    projects: Sequence[str]


class ShareTypeChanges(TypedDict, total=False):
    """Changes of a share type; what is absent or None stays. A spec whose value is None is removed."""

    extra_specs: Mapping[str, str | None]
    is_public: bool | None
    projects: Sequence[str] | None
