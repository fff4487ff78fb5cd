"""Events as sentences in plain English, with who asked where somebody did: each aggregate words its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from share_actors.events import attempts, backend, share_network, share_type
from share_actors.events.decider import Event, RequestJoined
from share_actors.events.envelope import Recorded
from share_actors.events.share import (
    access,
    ensure,
    manage,
    messages,
    server_attachment,
    snapshot_messages,
    snapshots,
)
from share_actors.events.share import sentences as share
from share_actors.events.share_network import sentences as network
from share_actors.events.share_server import messages as server_messages
from share_actors.events.share_server import sentences as server

Tell = Callable[[Any, str], str]
_TELL: Mapping[type[Event], Tell] = {
    kind: tell
    for union, tell in (
        (messages.OwnEvent, share.sentence),
        (access.AccessEvent, access.sentence),
        (snapshot_messages.SnapshotEvent, snapshots.sentence),
        (manage.ManageEvent, manage.sentence),
        (server_attachment.AttachmentEvent, server_attachment.sentence),
        (ensure.EnsureEvent, ensure.sentence),
        (attempts.AttemptEvent, attempts.sentence),
        (share_network.NetworkEvent, network.sentence),
        (server_messages.OwnEvent, server.sentence),
        (share_type.TypeEvent, share_type.sentence),
        (backend.BackendEvent, backend.sentence),
    )
    for kind in get_args(union)
} | {RequestJoined: attempts.joined_sentence}


def who(recorded: Recorded) -> str:
    """Who asked for it: `alice (project demo)`."""
    envelope = recorded.envelope
    return f"{envelope.user_id} (project {envelope.project_id})"


def sentence(recorded: Recorded) -> str:
    """What happened, without its time."""
    return _TELL[type(recorded.event)](recorded.event, who(recorded))
