"""Tombstones: a bounded record of ids that are gone."""

from share_actors.events.tombstones import MAX_KEPT, Tombstones, add_tombstone


def test_the_latest_tombstones_are_kept_and_the_oldest_are_dropped() -> None:
    tombstones: Tombstones = {}
    for n in range(MAX_KEPT + 2):
        tombstones = add_tombstone(tombstones, f"s{n}")

    assert len(tombstones) == MAX_KEPT
    assert "s1" not in tombstones
    assert list(tombstones)[-1] == f"s{MAX_KEPT + 1}"


def test_an_id_has_one_tombstone() -> None:
    assert add_tombstone({"a": None, "b": None}, "a") == {"a": None, "b": None}
