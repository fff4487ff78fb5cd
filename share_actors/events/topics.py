"""All topics: the stable short names of events and commands. The log holds these, never import paths."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar, get_args

from share_actors.events import (
    archives,
    backend,
    cluster,
    formats,
    quota,
    share,
    share_network,
    share_server,
    share_type,
    snapshot_policy,
    subject,
)
from share_actors.events.decider import Command, Event
from share_actors.events.share.messages import ShareCommand, ShareEvent

M = TypeVar("M", bound=Event | Command)


def _by_topic(kind: type[M], *unions: Any) -> Mapping[str, type[M]]:
    messages: list[type[M]] = [
        message for union in unions for message in get_args(union) or (union,)
    ]
    return MappingProxyType({message.topic: message for message in messages if message.topic})


EVENTS: Mapping[str, type[Event]] = _by_topic(
    Event,
    ShareEvent,
    share_network.NetworkEvent,
    share_server.ServerEvent,
    share_type.TypeEvent,
    snapshot_policy.PolicyEvent,
    backend.BackendEvent,
    cluster.ClusterEvent,
    quota.QuotaEvent,
    archives.EventsArchived,
    formats.FormatRaised,
    subject.SubjectEvent,
)
"""Every type of event that a log may hold, by its topic. A topic, once released, is never changed."""

_COMMANDS_OF: Mapping[str, Any] = {
    share.KIND: ShareCommand,
    share_network.KIND: share_network.NetworkCommand,
    share_server.KIND: share_server.ServerCommand,
    share_type.KIND: share_type.TypeCommand,
    snapshot_policy.KIND: snapshot_policy.PolicyCommand,
    backend.KIND: backend.BackendCommand,
    cluster.KIND: cluster.ClusterCommand,
    quota.KIND: quota.QuotaCommand,
}
COMMANDS: Mapping[str, type[Command]] = _by_topic(Command, *_COMMANDS_OF.values())
"""Every type of command that clients, or entities among themselves, may send, by its topic.

Reports about an entity's own attempts (`BeginAttempt`, `ConfirmCreated`, ...) are never sent.
"""
ENTITY_KINDS: Mapping[str, str] = {
    topic: kind for kind, union in _COMMANDS_OF.items() for topic in _by_topic(Command, union)
}
"""The kind of entity that a command is for, by the command's topic."""


def topic_of(cls: type[Event] | type[Command]) -> str:
    """The topic of *cls*; raises `KeyError` for a type that is neither stored nor sent."""
    if not cls.topic:
        raise KeyError(cls)
    return cls.topic
