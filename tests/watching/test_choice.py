"""Which shares a watch is about: the same that a list with its filters shows."""

from __future__ import annotations

from typing import Any

import pytest

from share_actors.events.share_choice import ShareChoice
from share_actors.policy import Caller, Role
from share_actors.values import Share

BLUE, RED = Caller("blue", Role.READER), Caller("red", Role.ADMIN)
ROOT = Caller("ops", Role.SYSTEM_ADMIN)


def share(**fields: Any) -> Share:
    return Share(**{"id": "s1", "project_id": "blue", "status": "available", **fields})


@pytest.mark.parametrize(
    ("choice", "seen", "accepted"),
    [
        (ShareChoice(), share(), True),
        (ShareChoice(), share(status="deleted"), False),
        (ShareChoice(status="deleted"), share(status="deleted"), True),
        (ShareChoice(status="error"), share(), False),
        (ShareChoice(name="a"), share(name="b"), False),
        (ShareChoice(backend="fast"), share(host="fast#pool"), True),
        (ShareChoice(is_public=False), share(is_public=True), False),
    ],
)
def test_a_share_is_accepted_as_a_list_would_show_it(
    choice: ShareChoice, seen: Share, accepted: bool
) -> None:
    assert choice.accepts(seen) == accepted


@pytest.mark.parametrize(
    ("choice", "caller", "concerned"),
    [
        (ShareChoice(), BLUE, True),
        (ShareChoice(), ROOT, True),
        (ShareChoice(), RED, False),
        (ShareChoice(is_public=True), RED, True),
        (ShareChoice(project_id="blue"), RED, True),
        (ShareChoice(project_id="red"), ROOT, False),
        (ShareChoice(frozenset(["s1"])), RED, True),
        (ShareChoice(frozenset(["s2"])), ROOT, False),
    ],
)
def test_shares_of_other_projects_are_watched_by_request(
    choice: ShareChoice, caller: Caller, concerned: bool
) -> None:
    assert choice.concerns(share(is_public=True), caller) == concerned


def test_only_chosen_ids_are_looked_up() -> None:
    assert ShareChoice().may_concern("s9")
    assert not ShareChoice(frozenset(["s1"])).may_concern("s9")
