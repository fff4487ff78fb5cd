"""States that are folded from erased events: valid, and the basis of the same decisions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from share_actors.events import share
from share_actors.events.decider import Event, replay
from share_actors.events.log.codec import Codec
from share_actors.events.share.access import AccessAllowed, AccessRulesApplied, AllowAccess
from share_actors.events.subjects.directory import KeyDirectory
from share_actors.events.subjects.keys import KeyRing
from share_actors.events.subjects.sealing import RecordSealer
from share_actors.events.topics import topic_of
from share_actors.testing import Spec
from tests.audit.conftest import HOME, SCRATCH, opened
from tests.erasure.conftest import ALL
from tests.events.share_events import began, created, envelope, requested
from tests.events.test_exits import share_states


class Sealed:
    """A codec with a key store; `stored` writes and reads events as a log does."""

    def __init__(self, path: Path) -> None:
        self.ring = KeyRing(KeyDirectory(path))
        self._codec = Codec(subjects=RecordSealer(self.ring, ALL))

    def write(self, events: Sequence[Event]) -> list[tuple[str, bytes]]:
        who = envelope("c1", user="alice", project="demo")
        return [
            (topic_of(type(e)), self._codec.encode("share-s1", n, f"e{n}", who, e).state)
            for n, e in enumerate(events, 1)
        ]

    def read(self, rows: Sequence[tuple[str, bytes]]) -> list[Any]:
        return [
            self._codec.decode_row("share-s1", n, topic, state).event
            for n, (topic, state) in enumerate(rows, 1)
        ]

    def forget_all(self) -> None:
        for key in self.ring.all():
            self.ring.forget(key.id, key.subject.kind)


@pytest.fixture
def sealed(tmp_path: Path) -> Sealed:
    return Sealed(tmp_path / "subjects")


STORIES = {
    "opened and closed": [item[1] for item in HOME],
    "deleted": [item[1] for item in SCRATCH],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_history_folds_to_the_same_state_sealed_and_to_a_valid_one_erased(
    story: list[Any], sealed: Sealed
) -> None:
    rows, clear = sealed.write(story), replay(share, story)
    assert replay(share, sealed.read(rows)) == clear
    sealed.forget_all()
    erased = replay(share, sealed.read(rows))
    assert type(erased).model_validate_json(erased.model_dump_json()) == erased
    assert erased.share.status == clear.share.status
    assert [r.state for r in erased.rules.rules.values()] == [
        r.state for r in clear.rules.rules.values()
    ]


def test_every_reachable_state_is_the_same_sealed_and_valid_erased(sealed: Sealed) -> None:
    reached = share_states("alone")[::29]
    rows = [sealed.write([r.event for r in place.history()]) for place in reached]
    for place, written in zip(reached, rows, strict=True):
        assert replay(share, sealed.read(written)) == place.state
    sealed.forget_all()
    for place, written in zip(reached, rows, strict=True):
        erased = replay(share, sealed.read(written))
        assert erased.share.status == place.state.share.status
        assert [*erased.rules.rules] == [*place.state.rules.rules]
    assert len(reached) > 10


def test_a_client_whose_rule_is_gone_can_be_allowed_again(sealed: Sealed) -> None:
    gone = [requested(), began("create"), created(), opened("r1")]
    gone += [AccessRulesApplied(applied=("r1",)), AccessRulesApplied(removed=("r1",))]
    rows = sealed.write(gone)
    sealed.forget_all()
    Spec(share).given(*sealed.read(rows)).when(
        AllowAccess(access_id="r2", access_type="ip", access_to="10.0.0.0/8")
    ).then(
        AccessAllowed(access_id="r2", access_type="ip", access_to="10.0.0.0/8", access_level="rw")
    )
