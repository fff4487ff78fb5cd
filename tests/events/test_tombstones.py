"""What left is remembered, but not for ever."""

from share_actors.events.tombstones import MAX_KEPT, Tombstones, add_tombstone


def test_the_last_ones_are_remembered_and_the_oldest_are_forgotten() -> None:
    tombstones: Tombstones = {}
    for n in range(MAX_KEPT + 2):
        tombstones = add_tombstone(tombstones, f"s{n}")

    assert len(tombstones) == MAX_KEPT
    assert "s1" not in tombstones
    assert list(tombstones)[-1] == f"s{MAX_KEPT + 1}"


def test_who_left_twice_left_once() -> None:
    assert add_tombstone({"a": None, "b": None}, "a") == {"a": None, "b": None}
