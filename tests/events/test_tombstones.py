"""What left is remembered, but not for ever."""

from share_actors.events.tombstones import KEPT, Tombstones, add_tombstone


def test_the_last_ones_are_remembered_and_the_oldest_are_forgotten() -> None:
    known: Tombstones = {}
    for n in range(KEPT + 2):
        known = add_tombstone(known, f"s{n}")

    assert len(known) == KEPT
    assert "s1" not in known
    assert list(known)[-1] == f"s{KEPT + 1}"


def test_who_left_twice_left_once() -> None:
    assert add_tombstone({"a": None, "b": None}, "a") == {"a": None, "b": None}
