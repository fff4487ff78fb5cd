"""Builders of share events and of the records that a stream holds of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

from share_actors.events.attempts import AttemptStarted
from share_actors.events.decider import Event
from share_actors.events.envelope import Envelope, Recorded
from share_actors.events.share.messages import ShareCreated, ShareCreationRequested
from share_actors.values import ExportLocation, ShareSpec

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def envelope(
    command_id: str | None = None, *, user: str = "alice", project: str = "demo", second: int = 0
) -> Envelope:
    return Envelope(
        command_id=command_id,
        fingerprint=None if command_id is None else f"content of {command_id}",
        correlation_id=command_id or "the system",
        request_id=None,
        user_id=user,
        project_id=project,
        roles=("member",),
        at=NOON + timedelta(seconds=second),
        writer="activation-1",
    )


class Stream:
    """Records events with the version numbers of one stream, as the log does."""

    def __init__(self, stream: str = "share-s1") -> None:
        self.stream, self._versions = stream, count(1)

    def __call__(self, event: Event, command_id: str | None = None, **who: str) -> Recorded:
        version = next(self._versions)
        return Recorded(
            stream=self.stream,
            version=version,
            event_id=f"{self.stream}/{version}",
            envelope=envelope(command_id, second=version, **who),
            event=event,
            position=version,
        )


def requested(
    share_id: str = "s1",
    *,
    name: str | None = "home",
    size: int = 1,
    host: str = "local",
    project: str = "demo",
    second: int = 0,
) -> ShareCreationRequested:
    return ShareCreationRequested(
        share_id=share_id,
        size=size,
        source=None,
        placement=None,
        at=NOON + timedelta(seconds=second),
        spec=ShareSpec(
            name=name,
            description=None,
            share_proto="NFS",
            host=host,
            project_id=project,
            user_id="alice",
            metadata={},
            is_public=False,
            availability_zone=None,
            share_type=None,
            share_network_id=None,
        ),
    )


def began(effect: str, n: int = 1, *, probe: bool = False) -> AttemptStarted:
    return AttemptStarted(
        n=n, effect=effect, activation="activation-1", timeout_s=300.0, probe=probe
    )


def created(path: str = "nas:/srv/s1") -> ShareCreated:
    return ShareCreated(export_locations=(ExportLocation(path=path),))
