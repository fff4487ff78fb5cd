"""The digest of a backend's info changes with its contents, and with nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from share_actors.actors.info_digest import digest


class Session:
    """An object whose text says where it is in memory."""


@pytest.mark.parametrize(
    ("info", "again"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"addresses": ["b", "a"]}, {"addresses": ["a", "b"]}),
        ({"addresses": {"b", "a", "c"}}, {"addresses": ["c", "a", "b"]}),
        ({"nested": [{"x": [2, 1]}]}, {"nested": [{"x": [1, 2]}]}),
        ({"session": Session()}, {"session": Session()}),
    ],
)
def test_the_same_info_in_another_order_or_of_other_objects_has_the_same_digest(
    info: Any, again: Any
) -> None:
    assert digest(info) == digest(again)


def test_other_info_has_another_digest_and_none_has_none() -> None:
    assert digest({"address": "10.0.0.1"}) != digest({"address": "10.0.0.2"})
    assert digest({"address": "10.0.0.1"}) == "71ad5b2ddfffce54357c57a9"
    assert digest(None) is None


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner) | st.dictionaries(st.integers() | st.text(), inner)
    ),
    max_leaves=8,
)


@given(_values)
def test_any_value_has_a_digest(info: Any) -> None:
    assert digest(info) == digest(info)
