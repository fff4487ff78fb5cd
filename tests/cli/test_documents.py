"""JSON, YAML and CSV of any data read back to the same data."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from share_actors.cli.output.cells import Reader
from share_actors.cli.output.documents import csv_text, json_text, yaml_text

ANY_TEXT = st.text() | st.text("\udcff\x00\x1b\x7f\x85\u2028:-#'\"{}[]yesno~0.1\n\t ")
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(DATA)
def test_json_reads_back_to_the_same_and_is_ascii(data: Any) -> None:
    text = json_text(data, 2)

    assert json.loads(text) == data
    assert text.replace("\n", "").isprintable()
    assert text.isascii()


@given(DATA, st.sampled_from(["utf-8", "ascii"]))
def test_yaml_reads_back_to_what_json_gives(data: Any, encoding: str) -> None:
    text = yaml_text(data, encoding)

    assert yaml.safe_load(text) == json.loads(json_text(data))
    text.encode(encoding)


@given(st.lists(st.lists(ANY_TEXT, min_size=1, max_size=5), max_size=5))
def test_csv_reads_back_to_the_same_texts(rows: list[list[str]]) -> None:
    assert list(csv.reader(io.StringIO(csv_text(rows), newline=""))) == rows


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (True, "true"),
        (7, "7"),
        (0.5, "0.5"),
        (datetime(2026, 3, 1, 12, tzinfo=UTC), "2026-03-01T12:00:00+00:00"),
        (("a", "b"), '["a", "b"]'),
        ({"a": "1"}, '{"a": "1"}'),
    ],
)
def test_a_cell_of_csv_is_a_text_a_time_or_json(value: object, cell: str) -> None:
    assert list(csv.reader([csv_text([[value]])])) == [[cell]]


def test_what_an_encoding_cannot_express_is_escaped_before_widths_are_counted() -> None:
    reader = Reader(datetime(2026, 3, 1, tzinfo=UTC), encoding="ascii")

    assert reader.cell("süß\x1b") == r"s\xfc\xdf\x1b"
    assert reader.cell(("a", None)) == "a, -"
