"""Tables and fields of any content at any width: no id, path or word is ever broken."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from share_actors.cli.output.columns import Column, Kind
from share_actors.cli.output.layout import Laid, Line, lay_out, lay_out_fields, plain, wrap

WORDS = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=50)
TEXTS = st.lists(WORDS, min_size=1, max_size=12).map(" ".join)
WIDTHS = st.integers(20, 220)
COLUMNS = st.lists(
    st.builds(
        Column,
        title=st.text("ABCDEFG ", min_size=1, max_size=12).map(lambda text: f"T{text.strip()}"),
        field=st.just("f"),
        kind=st.sampled_from(get_args(Kind)),
        priority=st.integers(0, 8),
    ),
    min_size=1,
    max_size=8,
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Column], list[list[str]]]:
    """Columns, and rows of texts for them."""
    columns = draw(COLUMNS)
    row = st.lists(TEXTS, min_size=len(columns), max_size=len(columns))
    return columns, draw(st.lists(row, max_size=5))


def shown_of(laid: Laid, column: int) -> list[str]:
    """The texts of one column from top to bottom."""
    return [piece.text for line in laid.lines for piece in line if piece.column == column]


@given(tables(), WIDTHS)
def test_every_line_fits_or_consists_of_one_cell(
    table: tuple[list[Column], list[list[str]]], width: int
) -> None:
    columns, rows = table
    laid = lay_out(columns, rows, width)

    for line in (laid.header, *laid.lines):
        assert cell_len(plain(line)) <= width or len(line) == 1


@given(tables(), WIDTHS)
def test_no_cell_is_broken_and_no_word_of_a_text_is_broken(
    table: tuple[list[Column], list[list[str]]], width: int
) -> None:
    columns, rows = table
    laid = lay_out(columns, rows, width)

    for n, column in enumerate(columns):
        cells = [row[n] for row in rows]
        if n in laid.hidden:
            assert shown_of(laid, n) == []
        elif column.kind == "text":
            assert " ".join(shown_of(laid, n)) == " ".join(cells)
        else:
            assert shown_of(laid, n) == cells


@given(tables(), WIDTHS)
def test_a_column_is_left_out_only_if_it_has_no_room_beside_those_that_matter_more(
    table: tuple[list[Column], list[list[str]]], width: int
) -> None:
    columns, rows = [replace(column, kind="word") for column in table[0]], table[1]
    laid = lay_out(columns, rows, width)

    order = sorted(range(len(columns)), key=lambda n: (columns[n].priority, n))
    assert order[0] not in laid.hidden
    for n in laid.hidden:
        beside = sorted([*(m for m in order[: order.index(n)] if m not in laid.hidden), n])
        needed = [max(cell_len(text) for text in column(columns, rows, m)) for m in beside]
        assert sum(needed) + 2 * (len(needed) - 1) > width


def column(columns: list[Column], rows: list[list[str]], n: int) -> list[str]:
    """The title and the cells of one column."""
    return [columns[n].title, *(row[n] for row in rows)]


@given(tables(), WIDTHS)
def test_no_two_cells_of_a_line_touch_or_overlap(
    table: tuple[list[Column], list[list[str]]], width: int
) -> None:
    for line in lay_out(*table, width).lines:
        for left, right in pairwise(line):
            assert left.at + cell_len(left.text) + 2 <= right.at


@given(TEXTS, st.integers(1, 80))
def test_a_wrapped_text_has_the_same_words(text: str, width: int) -> None:
    lines = wrap(text, width)

    assert " ".join(lines) == text
    assert all(cell_len(line) <= width or " " not in line for line in lines)


@given(st.lists(st.tuples(WORDS, st.lists(TEXTS, max_size=3), st.booleans()), max_size=6), WIDTHS)
def test_fields_keep_every_value_whole_or_every_word_of_it(
    fields: list[tuple[str, list[str], bool]], width: int
) -> None:
    lines = lay_out_fields(fields, width)
    shown = [piece.text for line in lines for piece in line if piece.column == 0]
    whole = [value for _, values, wraps in fields for value in values if not wraps]

    assert " ".join(shown).split() == " ".join(v for _, vs, _ in fields for v in vs).split()
    assert set(whole) <= set(shown)
    assert [piece.text for line in lines for piece in line if piece.column < 0] == [
        label for label, _, _ in fields
    ]


def test_columns_are_left_out_by_priority_and_the_rest_is_shown_whole() -> None:
    columns = [
        Column("ID", "id", "id", 0),
        Column("NAME", "name", "word", 1),
        Column("PATH", "path", "path", 5),
        Column("STATUS", "status", "word", 1),
    ]
    rows = [["a" * 36, "homes", "/srv/" + "x" * 60, "available"]]

    laid = lay_out(columns, rows, 80)

    assert [columns[n].title for n in laid.hidden] == ["PATH"]
    assert plain(laid.lines[0]) == f"{'a' * 36}  homes  available"


def test_a_word_wider_than_its_column_has_a_line_of_its_own_further_left() -> None:
    columns = [Column("WHEN", "at", "time", 1), Column("WHAT", "what", "text", 0)]
    path = "/srv/" + "p" * 70

    laid = lay_out(columns, [["12s ago", f"exported at {path} for clients"]], 80)

    assert list(map(plain, laid.lines)) == [
        "12s ago  exported at",
        f"     {path}",
        "         for clients",
    ]


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_a_path_beside_its_label_is_one_piece_at_any_width(width: int) -> None:
    path = "/srv/shares/with a blank/" + "0123456789" * 6

    lines: list[Line] = lay_out_fields([("export_locations", [path], False)], width)

    assert path in [piece.text for line in lines for piece in line]
