"""Events as English sentences; dispatches to the sentences of each aggregate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from share_actors.events import (
    archives,
    backend,
    backend_sentences,
    cluster,
    formats,
    quota,
    share,
    share_network,
    share_type,
    snapshot_policy,
    subject,
)
from share_actors.events.decider import Event
from share_actors.events.envelope import Recorded
from share_actors.events.share.messages import ShareEvent
from share_actors.events.share_network import sentences as network
from share_actors.events.share_server import messages as server_messages
from share_actors.events.share_server import sentences as server
from share_actors.redaction import without_url_passwords
from share_actors.values.checks.escaping import escaped

_SENTENCES: Mapping[type[Event], Callable[[Any, str], str]] = {
    kind: describe
    for union, describe in (
        (ShareEvent, share.sentence),
        (share_network.NetworkEvent, network.sentence),
        (server_messages.OwnEvent, server.sentence),
        (share_type.TypeEvent, share_type.sentence),
        (snapshot_policy.PolicyEvent, snapshot_policy.sentence),
        (backend.BackendEvent, backend_sentences.sentence),
        (cluster.ClusterEvent, cluster.sentence),
        (quota.QuotaEvent, quota.sentence),
        (subject.SubjectEvent, subject.sentence),
        (archives.EventsArchived, archives.sentence),
        (formats.FormatRaised, formats.sentence),
    )
    for kind in get_args(union) or (union,)
}


def who(recorded: Recorded) -> str:
    """Return the user and project of the request: `alice (project demo)`."""
    envelope = recorded.envelope
    return escaped(f"{envelope.user_id} (project {envelope.project_id})")


def sentence(recorded: Recorded) -> str:
    """Describe an event in one sentence, without its time.

    It is one line without control characters or URLs' passwords, whatever an old log holds.
    """
    text = _SENTENCES[type(recorded.event)](recorded.event, who(recorded))
    return escaped(without_url_passwords(text))
