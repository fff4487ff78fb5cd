"""What a handle shows after answers that tell only of a part of the share."""

from __future__ import annotations

from share_actors.client.share_view import ShareView
from share_actors.values import AccessRule, Share, Snapshot

ALICE, BOB = (AccessRule(id=i, access_type="user", access_to=i) for i in ("alice", "bob"))
BEFORE = Snapshot(id="before", share_id="s")
SHARE = Share(id="s", size=1, access_rules=(ALICE, BOB), snapshots=(BEFORE,))


def renewed(told: Share, about: str | None) -> Share:
    sight = ShareView(SHARE)
    sight.renew(told, about)
    return sight.share


def test_a_rule_that_was_told_takes_its_old_place_and_the_others_stay() -> None:
    active = ALICE.replace(state="active")

    assert renewed(SHARE.replace(access_rules=(active,), snapshots=()), "alice") == SHARE.replace(
        access_rules=(active, BOB)
    )


def test_a_rule_that_was_joined_counts_and_not_the_id_that_was_asked_for() -> None:
    assert renewed(SHARE.replace(access_rules=(BOB,), snapshots=()), "another") == SHARE


def test_what_was_asked_about_and_is_not_told_of_is_gone() -> None:
    gone = Share(id="s", size=1)

    assert renewed(gone, "bob") == SHARE.replace(access_rules=(ALICE,))
    assert renewed(gone, "before") == SHARE.replace(snapshots=())


def test_the_share_itself_is_as_told() -> None:
    assert renewed(Share(id="s", size=2, status="extending"), None) == SHARE.replace(
        size=2, status="extending"
    )
