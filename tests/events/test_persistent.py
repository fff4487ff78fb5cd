"""Persistent mappings and sets behave as dictionaries and ordered sets whose earlier versions stay."""

from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from share_actors.values.persistent import (
    MIN_CHANGES,
    PersistentMap,
    PersistentSequence,
    PersistentSet,
)

KEYS = st.integers(0, 40)
Step = tuple[bool, list[int], int]
Version = tuple[PersistentMap[int, int], dict[int, int]]
STEPS = st.lists(st.tuples(st.booleans(), st.lists(KEYS, max_size=12), st.integers()), max_size=30)


def versions(
    steps: list[Step],
) -> list[Version]:
    """Each version after a step, with the dictionary that the same steps lead to."""
    found, plain = PersistentMap[int, int](), dict[int, int]()
    made = [(found, dict(plain))]
    for adds, keys, value in steps:
        if adds:
            found, plain = (
                found.put(dict.fromkeys(keys, value)),
                {**plain, **dict.fromkeys(keys, value)},
            )
        else:
            found = found.remove(keys)
            plain = {key: v for key, v in plain.items() if key not in keys}
        made.append((found, dict(plain)))
    return made


@given(STEPS)
def test_every_version_is_the_dictionary_of_its_steps_in_the_same_order(
    steps: list[Step],
) -> None:
    for found, plain in versions(steps):
        assert list(found.items()) == list(plain.items())
        assert len(found) == len(plain)
        assert all((key in found) == (key in plain) for key in range(41))


@given(STEPS)
def test_the_difference_of_two_versions_leads_from_one_to_the_other(
    steps: list[Step],
) -> None:
    made = versions(steps)
    for earlier, _ in made:
        changed, gone = made[-1][0].since(earlier)
        rebuilt = {k: v for k, v in {**earlier, **changed}.items() if k not in gone}
        assert rebuilt == made[-1][1]
        assert not changed.keys() & set(gone)


@given(STEPS)
def test_a_mapping_is_the_same_after_pickling_and_as_json(
    steps: list[Step],
) -> None:
    found, plain = versions(steps)[-1]
    adapter = TypeAdapter(PersistentMap[int, int])
    assert pickle.loads(pickle.dumps(found)).as_dict() == plain
    assert list(adapter.validate_json(adapter.dump_json(found)).items()) == list(plain.items())


def test_a_large_mapping_shares_its_entries_with_the_version_before() -> None:
    large = PersistentMap({n: n for n in range(10_000)})
    assert large.put({1: 2})._base is large._base
    many = large
    for n in range(10_000, 10_000 + 100 * MIN_CHANGES):
        many = many.put({n: n})
    assert len(many._changes) < 300
    assert len(many) == 10_000 + 100 * MIN_CHANGES


@given(st.lists(KEYS), st.lists(KEYS))
def test_a_set_has_its_elements_once_in_the_order_of_their_addition(
    first: list[int], removed: list[int]
) -> None:
    found = PersistentSet(first).put(removed).remove(removed)
    assert list(found) == [key for key in dict.fromkeys(first) if key not in removed]
    assert len(found) == len(set(first) - set(removed))


def test_the_order_of_a_sequence_counts() -> None:
    assert PersistentSequence((1, 2)) == (1, 2)
    assert PersistentSequence((1, 2)) != PersistentSequence((2, 1))
