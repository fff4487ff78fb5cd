"""Writes the page: lanes are written one by one, so that memory does not grow with their number."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any, NamedTuple, TextIO

from share_actors.audit.access.page.lanes import Lane, Span
from share_actors.audit.access.timeline import LogTimes
from share_actors.redaction import without_url_passwords

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{style_hash}'; \
script-src 'sha256-{script_hash}'">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="question">{question}</p>
<p class="source">{source}</p>
</header>
{body}
<script type="application/json" id="lanes">[
"""
_TAIL = """]</script>
<script type="application/json" id="page">{page}</script>
<script>{script}</script>
</body>
</html>
"""


class Page(NamedTuple):
    """What a page says besides its rows.

    It shows the times from *start* to *end* that are in the log, or all times of the rows.
    """

    title: str
    question: str
    source: str
    """The log, and what was read of it."""
    noun: str
    """What a row is: `rule`, `share`, `exposure`."""
    start: datetime | None = None
    end: datetime | None = None
    mark: datetime | None = None
    """A time that is marked."""
    log: LogTimes | None = None
    """The times of the log; nothing is shown after them."""


def write_page(file: TextIO, page: Page, lanes: Iterable[Lane]) -> int:
    """Write *page* with *lanes* to *file*; returns the number of lanes."""
    style, script = _part("timeline.css"), _part("timeline.js")
    file.write(
        _HEAD.format(
            title=escape(page.title),
            question=escape(page.question),
            source=escape(without_url_passwords(page.source)),
            style=style,
            style_hash=_hash(style),
            script_hash=_hash(script),
            body=_part("body.html"),
        )
    )
    number, window = 0, _Window(page)
    for number, lane in enumerate(lanes, 1):
        window.widen(lane)
        file.write(("" if number == 1 else ",\n") + _json(_lane(lane)))
    file.write("\n" + _TAIL.format(page=_json(_page(page, window)), script=script))
    return number


class _Window:
    """The first and the last time of the rows; not those that were asked for, at which rows are cut."""

    def __init__(self, page: Page) -> None:
        self.times: list[datetime] = []
        self._cuts = (None, page.start, page.end)

    def widen(self, lane: Lane) -> None:
        """Have the times of *lane* in it."""
        times = [at for span in lane.spans for at in (span.start, span.end) if at not in self._cuts]
        if times:
            self.times = [min(*self.times, *times), max(*self.times, *times)] if self.times else []
            self.times = self.times or [min(times), max(times)]


def _page(page: Page, window: _Window) -> dict[str, Any]:
    start, end = _shown(page, window.times)
    return {
        "noun": page.noun,
        "start": _ms(start),
        "end": _ms(end),
        "mark": _ms(page.mark),
    }


def _shown(page: Page, times: list[datetime]) -> tuple[datetime | None, datetime | None]:
    """The times to show: those asked for, as far as the log has them."""
    start, end = page.start or min(times, default=None), page.end or max(times, default=None)
    if page.log is None or start is None or end is None:
        return start, end
    end = max(page.log.last, end) if page.end is None else end
    # a writer's clock may have been behind, so that the last event is not the latest
    times = [page.log.first, page.log.last, *times]
    inside = max(start, min(times)), min(end, max(times))
    return inside if inside[0] < inside[1] else (start, end)


def _lane(lane: Lane) -> list[Any]:
    return [lane.name, lane.detail, [_span(span) for span in lane.spans]]


def _span(span: Span) -> list[Any]:
    return [_ms(span.start), _ms(span.end), *span[2:]]


def _ms(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)


def _json(document: Any) -> str:
    """*document* as JSON that cannot end the element it is in."""
    text = json.dumps(document, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()
