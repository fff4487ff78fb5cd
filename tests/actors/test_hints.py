"""Scheduler hints in requests: in any of Manila's forms, or refused with the name and the value."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from share_actors.actors.manager.hints import with_hints
from share_actors.errors import InvalidRequest
from share_actors.values.manila import HINTS


@pytest.mark.parametrize("value", [None, "", " ", ",", [], (), set()])
def test_a_hint_without_an_id_is_none(value: Any) -> None:
    for requested in ({"same_host": value}, {"scheduler_hints": {"same_host": value}}):
        assert with_hints(requested) == {"same_host": ()}


@pytest.mark.parametrize("value", ["a,b", " a , b,", ["a", "b"], ("a", "b", "a"), {"b", "a"}])
def test_ids_may_be_a_sequence_or_a_text_with_commas(value: Any) -> None:
    for requested in ({"different_host": value}, {"scheduler_hints": {"different_host": value}}):
        assert with_hints(requested) == {"different_host": ("a", "b")}


def test_only_host_is_the_host() -> None:
    assert with_hints({"only_host": "b#p", "size": 1}) == {"host": "b#p", "size": 1}
    assert with_hints({"scheduler_hints": {"only_host": "b"}, "host": "b"}) == {"host": "b"}
    assert with_hints({"only_host": None}) == {}


@pytest.mark.parametrize(
    ("requested", "field", "problem"),
    [
        ({"scheduler_hints": {"near": "x"}}, "scheduler_hints", "'near' is not a hint; there are:"),
        ({"scheduler_hints": "x"}, "scheduler_hints", "is not a mapping: 'x'"),
        ({"same_host": 5}, "same_host", "is not a list of ids of shares: 5"),
        ({"same_host": [None]}, "same_host", "is not a list of ids of shares: [None]"),
        ({"different_host": {"a": 1}}, "different_host", "is not a list of ids"),
        ({"only_host": "a", "host": "b"}, "only_host", "'a' contradicts host, which is 'b'"),
        (
            {"same_host": "a", "scheduler_hints": {"same_host": "b"}},
            "scheduler_hints",
            "'b' contradicts same_host, which is 'a'",
        ),
    ],
)
def test_an_odd_hint_is_refused_with_its_name_and_value(
    requested: dict[str, Any], field: str, problem: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        with_hints(requested)

    assert refused.value.field == field
    assert problem in str(refused.value)


_value = st.none() | st.text() | st.integers() | st.lists(st.none() | st.text()) | st.floats()


@given(st.dictionaries(st.sampled_from([*HINTS, "scheduler_hints"]), _value), _value)
def test_any_hints_are_read_or_refused(requested: dict[str, Any], nested: Any) -> None:
    with suppress(InvalidRequest):
        found = with_hints({"scheduler_hints": {"same_host": nested}, **requested})
        assert all(isinstance(found[name], tuple) for name in found if name != "host")
