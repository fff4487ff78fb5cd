"""The comparison of a backend with the log."""

from __future__ import annotations

from typing import Any

import pytest

from share_actors.audit.backend_audit import BackendDifference, compare
from share_actors.drivers.abilities import BackendObject
from share_actors.values import AccessRule, ExportLocation, Share, Snapshot

RULE = AccessRule(id="r", access_type="ip", access_to="10.0.0.7", access_level="ro", state="active")
TAKEN = Snapshot(id="n", share_id="s", status="available")
IN_FORCE = frozenset({("ip", "10.0.0.7", "ro")})


def recorded(**fields: Any) -> Share:
    """An available share of 2 GiB with an export."""
    exports = (ExportLocation(path="nas:/s"),)
    share = Share(id="s", size=2, status="available", export_locations=exports)
    return share.replace(**fields)


def found(**fields: Any) -> BackendObject:
    """The same share on the backend."""
    item = BackendObject(kind="share", id="s", location="/pool/s", size=2)
    return item.replace(**fields)


def differences(
    objects: list[BackendObject], before: list[Share], after: list[Share] | None = None
) -> list[tuple[str, str | None, str | None, str | None]]:
    """The differences as (kind, id, recorded, found)."""
    all_of_them = compare("fast", objects, before, before if after is None else after)
    return [(d.kind, d.id, d.recorded, d.found) for d in all_of_them]


def test_a_backend_that_has_what_the_log_has_differs_in_nothing() -> None:
    share = recorded(access_rules=(RULE,), snapshots=(TAKEN,))
    item = found(export_paths=("nas:/s",), access=IN_FORCE, access_on_file=IN_FORCE)
    taken = BackendObject(kind="snapshot", id="n", location="/pool/s@n")

    assert differences([item, taken], [share]) == []


@pytest.mark.parametrize(
    ("limit", "size", "shown"),
    [(5 << 29, 2, "2.5 GiB"), (0, None, "no limit"), (1 << 31, 2, None)],
)
def test_a_limit_differs_also_by_less_than_a_gib_and_if_it_was_removed(
    limit: int, size: int | None, shown: str | None
) -> None:
    item = found(size=size, limit_bytes=limit)
    expected = [] if shown is None else [("size", "s", "2 GiB", shown)]
    assert differences([item], [recorded()]) == expected


def test_a_snapshot_that_others_can_read_differs_and_is_mended_by_its_share() -> None:
    mounted = TAKEN.replace(share_id="s", access_rules=(RULE,))
    share = recorded(snapshots=(mounted,))
    taken = BackendObject(kind="snapshot", id="n", location="/pool/s@n", access=frozenset())

    [difference] = compare("fast", [found(), taken], [share], [share])

    assert (difference.of, difference.kind, difference.id) == ("snapshot", "rules", "n")
    assert (difference.recorded, difference.found) == ("ip:10.0.0.7 ro", "none")
    assert "`share-actors share reapply s`" in difference.next_step
    assert differences([found(), taken.replace(access=IN_FORCE)], [share]) == []


def test_an_export_that_is_served_by_two_protocols_is_the_one_on_the_backend() -> None:
    twice = (
        ExportLocation(path="nas:/s", options="vers=3"),
        ExportLocation(path="nas:/s", options="vers=4.2"),
    )

    assert differences([found(export_paths=("nas:/s",))], [recorded(export_locations=twice)]) == []


def test_what_only_the_backend_has_is_unknown_and_can_be_adopted() -> None:
    (difference,) = compare("fast", [found(id=None)], [], [])

    assert (difference.kind, difference.location) == ("unknown", "/pool/s")
    assert (
        "`share-actors share manage --option path=/pool/s --backend fast`" in difference.next_step
    )


def test_an_unknown_snapshot_is_adopted_by_its_share_or_as_a_share_and_can_be_deleted() -> None:
    taken = BackendObject(kind="snapshot", id="n", location="/pool/s@n", share_id="s")

    (known,) = compare("fast", [taken], [], [recorded()])[:1]
    (stray,) = compare("fast", [taken], [], [])

    assert "snapshot manage s --location /pool/s@n`" in known.next_step
    assert "--delete-unknown n --apply" in known.next_step
    assert "share manage --option path=/pool/s@n --option snapshot=true" in stray.next_step
    assert "--delete-unknown n --apply" in stray.next_step
    assert (known.is_of_known_share, stray.is_of_known_share) == (True, False)


def test_what_has_no_id_is_deleted_by_its_location() -> None:
    old = found(id=None, location="/pool/old data")
    taken = BackendObject(kind="snapshot", location="/pool/taken")

    (share,) = compare("fast", [old], [], [])
    (snapshot,) = compare("fast", [taken], [], [])

    assert "--option 'path=/pool/old data' --backend fast`" in share.next_step
    assert "--delete-unknown '/pool/old data' --apply`" in share.next_step
    assert "--delete-unknown /pool/taken --apply`" in snapshot.next_step


def test_what_only_the_log_has_is_lost() -> None:
    share = recorded(snapshots=(TAKEN,))

    assert differences([], [share]) == [("lost", "s", None, None), ("lost", "n", None, None)]


def test_a_share_in_the_making_is_neither_lost_nor_unknown() -> None:
    share = recorded(status="creating")

    assert differences([], [share]) == []
    assert differences([found()], [share]) == []


def test_a_share_that_is_created_while_the_backend_is_listed_is_not_unknown() -> None:
    assert differences([found()], [], [recorded()]) == []


def test_a_share_that_changes_while_the_backend_is_listed_is_not_compared() -> None:
    assert differences([found(size=2)], [recorded()], [recorded(size=3)]) == []
    assert differences([], [recorded(status="deleting")], [recorded()]) == []


def test_another_size_and_other_exports_are_named() -> None:
    item = found(size=3, export_paths=("nas:/old",))

    assert differences([item], [recorded()]) == [
        ("exports", "s", "nas:/s", "nas:/old"),
        ("size", "s", "2 GiB", "3 GiB"),
    ]


def test_rules_in_force_and_rules_on_file_are_told_apart() -> None:
    share = recorded(access_rules=(RULE,))
    item = found(access=frozenset(), access_on_file=IN_FORCE)

    assert differences([item], [share]) == [("rules", "s", "ip:10.0.0.7 ro", "none")]


def test_another_spelling_of_a_client_is_no_difference_and_an_unreadable_one_is() -> None:
    share = recorded(access_rules=(RULE,))
    spelled = found(access=frozenset({("ip", "10.0.0.7/32", "ro")}))
    edited = found(access_on_file=frozenset({("ip", "10.0.0.7/8/9", "ro")}))

    assert differences([spelled], [share]) == []
    assert differences([edited], [share]) == [
        ("rules_on_file", "s", "ip:10.0.0.7 ro", "ip:10.0.0.7/8/9 ro")
    ]


def test_rules_that_are_being_changed_are_not_compared() -> None:
    share = recorded(access_rules=(RULE.replace(state="applying"),))

    assert differences([found(access=frozenset())], [share]) == []


def test_a_rule_in_error_need_not_be_on_the_backend() -> None:
    share = recorded(access_rules=(RULE.replace(state="error"),))

    assert differences([found(access=frozenset())], [share]) == []


def test_each_difference_of_a_share_can_be_mended_by_applying_what_is_recorded() -> None:
    (difference,) = compare("fast", [found(size=9)], [recorded()], [recorded()])

    assert isinstance(difference, BackendDifference)
    assert "`share-actors share reapply s`" in difference.next_step
