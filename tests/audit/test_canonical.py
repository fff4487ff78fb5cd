"""The changes of a state are found by the parts that are other objects; they are those of the values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import given, settings
from pydantic import BaseModel

from share_actors.audit.replay.canonical import GONE, Form
from share_actors.events import share
from share_actors.values.persistent import PersistentMap, PersistentSequence, PersistentSet
from tests.events.share_walks import Walk, walks

form = Form()


def by_value(path: str, before: Any, after: Any) -> Iterator[tuple[str, str]]:
    """What the changes are by definition: every part is compared, whether or not both states share it."""
    if isinstance(after, BaseModel) and type(before) is type(after):
        for name, value in after.__dict__.items():
            yield from by_value(f"{path}.{name}".lstrip("."), before.__dict__[name], value)
    elif isinstance(after, Mapping) and type(before) is type(after):
        yield from of_entries(path, dict(before), dict(after))
    elif type(before) is not type(after) or before != after:
        yield path, form.write(after)


def of_entries(path: str, before: Any, after: Any) -> Iterator[tuple[str, str]]:
    for key, value in after.items():
        entry = f"{path}/{key}"
        known = key in before
        yield from by_value(entry, before[key], value) if known else [(entry, form.write(value))]
    yield from ((f"{path}/{key}", GONE) for key in before if key not in after)
    kept = [key for key in before if key in after]
    if kept != [*after][: len(kept)]:
        yield f"{path}/", form.write([*after])


@settings(max_examples=50, deadline=None)
@given(walks)
def test_the_changes_of_any_history_are_those_of_a_comparison_of_all_values(walk: Walk) -> None:
    before = share.initial
    for event in walk.events:
        after = share.evolve(before, event)
        assert form.changes(before, after) == sorted(by_value("", before, after))
        before = after


def test_the_order_of_elements_counts_in_a_sequence_and_not_in_a_set() -> None:
    rules = share.initial.rules
    one = rules.replace(owed=PersistentSequence("ab"), applied=PersistentSet("ab"))
    other = rules.replace(owed=PersistentSequence("ba"), applied=PersistentSet("ba"))

    assert form.changes(one, other) == [("owed", '["b","a"]')]


def test_an_entry_that_comes_back_is_the_last() -> None:
    one = share.initial.rules.replace(clients=PersistentMap({"a": "1", "b": "2"}))
    other = one.replace(clients=one.clients.remove(["a"]).put({"a": "1"}))

    assert form.changes(one, other) == [("clients/", '["b","a"]')]
