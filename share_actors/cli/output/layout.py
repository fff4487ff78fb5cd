"""Where the cells of a table stand: which columns fit, how wide they are, and how texts are wrapped.

No word is ever broken. A word that is wider than its column stands in a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from share_actors.cli.output.columns import WIDE, Column

GAP = 2
"""Blanks between two columns."""
COMFORT = 24
"""A column of text is not made narrower than this; columns that matter less are left out first."""


class Piece(NamedTuple):
    """A text within a line, at a distance from its beginning; *column*: its index, -1 for a label."""

    at: int
    text: str
    column: int


Line = tuple[Piece, ...]


class Laid(NamedTuple):
    """A table as lines, the first of which are its header; *hidden*: the indices of columns left out."""

    header: Line
    lines: list[Line]
    hidden: list[int]


def lay_out(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> Laid:
    """The table of *rows* in *width* columns of characters; None: nothing is wrapped or left out.

    Each line fits, or consists of one cell: the only column that is left, or one word.
    """
    natural = [
        max(cell_len(column.title), max((cell_len(row[n]) for row in rows), default=0))
        for n, column in enumerate(columns)
    ]
    kept = list(range(len(columns))) if width is None else _kept(columns, natural, width)
    widths = dict(zip(kept, _widths(columns, natural, kept, width), strict=True))
    starts = _starts(kept, widths)
    header = tuple(Piece(starts[n], columns[n].title, n) for n in kept)
    frame = _Frame(columns, kept, widths, starts, width)
    lines = [line for row in rows for line in frame.lines(row)]
    return Laid(header, lines, [n for n in range(len(columns)) if n not in widths])


def _least(column: Column, natural: int) -> int:
    """The least width of a column: that of its longest cell, unless it can be wrapped."""
    return min(natural, max(COMFORT, cell_len(column.title))) if column.kind == "text" else natural


def _kept(columns: Sequence[Column], natural: Sequence[int], width: int) -> list[int]:
    """The columns that fit, those that matter most first; always at least one."""
    kept: list[int] = []
    used = -GAP
    for n in sorted(range(len(columns)), key=lambda n: (columns[n].priority, n)):
        more = GAP + _least(columns[n], natural[n])
        if not kept or used + more <= width:
            kept.append(n)
            used += more
    return sorted(kept)


def _widths(
    columns: Sequence[Column], natural: Sequence[int], kept: Sequence[int], width: int | None
) -> list[int]:
    """The widths of the columns *kept*: what is over is divided among those that can be wrapped."""
    if width is None:
        return [natural[n] for n in kept]
    widths = [_least(columns[n], natural[n]) for n in kept]
    if len(kept) == 1 and columns[kept[0]].kind == "text":
        return [min(natural[kept[0]], width)]
    over = width - sum(widths) - GAP * (len(kept) - 1)
    while over > 0:
        short = [i for i, n in enumerate(kept) if widths[i] < natural[n]]
        if not short:
            break
        for i in short:
            more = min(max(1, over // len(short)), natural[kept[i]] - widths[i], over)
            widths[i] += more
            over -= more
    return widths


def _starts(kept: Sequence[int], widths: dict[int, int]) -> dict[int, int]:
    starts, at = {}, 0
    for n in kept:
        starts[n] = at
        at += widths[n] + GAP
    return starts


class _Frame(NamedTuple):
    """The places of the columns, in which each row is laid out."""

    columns: Sequence[Column]
    kept: Sequence[int]
    widths: dict[int, int]
    starts: dict[int, int]
    width: int | None

    def lines(self, row: Sequence[str]) -> Iterator[Line]:
        """The lines of *row*: cells side by side, and words that are too wide each by itself."""
        waiting = {n: self._cell_lines(n, row[n]) for n in self.kept}
        while any(waiting.values()):
            ready = [n for n in self.kept if waiting[n] and self._fits(n, waiting[n][0])]
            if ready:
                yield tuple(Piece(self.starts[n], waiting[n].pop(0), n) for n in ready)
                continue
            n = next(n for n in self.kept if waiting[n])
            word = waiting[n].pop(0)
            yield (Piece(_moved_left(self.starts[n], word, self.width), word, n),)

    def _cell_lines(self, n: int, text: str) -> list[str]:
        wraps = self.columns[n].kind == "text" and self.width is not None
        return wrap(text, self.widths[n]) if wraps else [text]

    def _fits(self, n: int, text: str) -> bool:
        return self.columns[n].kind != "text" or cell_len(text) <= self.widths[n]


def _moved_left(start: int, word: str, width: int | None) -> int:
    """Where a word begins that is wider than its column: further left, if it fits into a line there."""
    return start if width is None else max(0, min(start, width - cell_len(word)))


def wrap(text: str, width: int) -> list[str]:
    """*text* in lines of *width*, broken between words only: a longer word is a line of its own."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


# -- fields --------------------------------------------------------------------------------------
def lay_out_fields(
    fields: Iterable[tuple[str, Sequence[str], bool]], width: int | None
) -> list[Line]:
    """Labels and their values, one below the other: each value is a text that may be wrapped, or not.

    A value that does not fit beside its label begins below it, further left; it is not broken.
    """
    found = list(fields)
    start = GAP + max((cell_len(label) for label, _, _ in found), default=0)
    lines: list[Line] = []
    for label, values, wraps in found:
        texts = [
            text
            for value in values
            for text in (wrap(value, max(COMFORT, width - start)) if wraps and width else [value])
        ]
        at = [_moved_left(start, text, width) for text in texts]
        own_line = bool(at) and at[0] < start
        first = () if own_line or not texts else (Piece(start, texts[0], 0),)
        lines.append((Piece(0, label, -1), *first))
        rest = list(zip(at, texts, strict=True))[len(first) :]
        lines += [(Piece(place, text, 0),) for place, text in rest]
    return lines


# -- as text -------------------------------------------------------------------------------------
def plain(line: Line) -> str:
    """*line* as text, without blanks at its end."""
    text, reached = "", 0
    for piece in line:
        text += " " * (piece.at - reached) + piece.text
        reached = piece.at + cell_len(piece.text)
    return text.rstrip(" ")


def is_wide_only(column: Column) -> bool:
    """Whether *column* is shown only if it is asked for."""
    return column.priority >= WIDE
