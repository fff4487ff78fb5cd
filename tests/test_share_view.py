"""A view of a share, updated from replies that have only a part of the share."""

from __future__ import annotations

from share_actors.client.share.view import ShareView
from share_actors.values import AccessRule, Share, Snapshot

ALICE, BOB = (AccessRule(id=i, access_type="user", access_to=i) for i in ("alice", "bob"))
BEFORE = Snapshot(id="before", share_id="s")
SHARE = Share(id="s", size=1, access_rules=(ALICE, BOB), snapshots=(BEFORE,))


def updated(share: Share, part_id: str | None) -> Share:
    """The view of SHARE after a reply with *share*."""
    view = ShareView(SHARE)
    view.update(share, part_id)
    return view.share


def test_a_changed_rule_keeps_its_place_and_the_other_rules_stay() -> None:
    active = ALICE.replace(state="active")
    reply = SHARE.replace(access_rules=(active,), snapshots=())

    assert updated(reply, "alice") == SHARE.replace(access_rules=(active, BOB))


def test_a_reply_with_an_existing_rule_instead_of_the_new_one_changes_nothing() -> None:
    assert updated(SHARE.replace(access_rules=(BOB,), snapshots=()), "another") == SHARE


def test_a_rule_or_snapshot_that_is_missing_in_its_reply_is_removed() -> None:
    reply = Share(id="s", size=1)

    assert updated(reply, "bob") == SHARE.replace(access_rules=(ALICE,))
    assert updated(reply, "before") == SHARE.replace(snapshots=())


def test_the_fields_of_the_share_itself_come_from_the_reply() -> None:
    reply = Share(id="s", size=2, status="extending")

    assert updated(reply, None) == SHARE.replace(size=2, status="extending")
