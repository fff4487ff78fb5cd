"""The page with a timeline: its structure, hostile names, and how Chromium renders it."""

from __future__ import annotations

import json
import re
import subprocess
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

from share_actors.audit.access import LogTimes, access_history, exposures, reach
from share_actors.audit.access.page import (
    Lane,
    Page,
    exposure_lanes,
    history_lanes,
    reach_lanes,
    write_page,
)
from share_actors.audit.access.page.lanes import Span
from share_actors.events.share.access import AccessDenied
from tests.audit.access.given_histories import applied, in_force
from tests.audit.access.stored import reader_of_share, second
from tests.events.share_events import created, requested
from tests.storage.needs import needs

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>\u202e"
PAGE = Page(f"Access to {HOSTILE}", f"Who could mount {HOSTILE}?", "log.db", "rule", mark=second(5))
LANES = [
    Lane("10.0.0.7", "rw asked for by alice", (Span(second(0), second(9), "rw", "rw", "rw", ""),)),
    Lane(
        "10.0.0.8", "rw", (Span(second(0), second(6), None, "rw", "rw", "it waits to be removed"),)
    ),
    Lane("all other clients", "", (Span(None, second(2), "?", "?", "rw", "not managed"),)),
    Lane(HOSTILE, HOSTILE, (Span(second(1), None, "ro", None, None, HOSTILE),)),
]
NOON_MS = round(second(0).timestamp() * 1000)
needs_chromium = needs("chromium", root=False)


def html(lanes: Sequence[Lane] = LANES, page: Page = PAGE) -> str:
    file = StringIO()
    assert write_page(file, page, lanes) == len(lanes)
    return file.getvalue()


class Tags(HTMLParser):
    """The elements of a page, with their attributes and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = [("", {})]
        self.texts: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        tag, attributes = self.found[-1]
        name = attributes.get("id") or tag
        self.texts[name] = self.texts.get(name, "") + data


# -- structure -----------------------------------------------------------------------------------
def test_hostile_names_are_text_and_nothing_else() -> None:
    found = Tags(html())

    assert [tag for tag, _ in found.found].count("script") == 3
    assert "img" not in [tag for tag, _ in found.found]
    assert found.texts["title"].strip() == PAGE.title
    assert json.loads(found.texts["lanes"])[3][0] == HOSTILE


def test_a_page_names_no_address_and_may_run_only_its_own_script() -> None:
    text = html()
    found = Tags(text)

    names = {"src", "href", "action", "onclick", "style"}
    assert not [tag for tag, attributes in found.found if names & attributes.keys()]
    assert not re.search(r"https?:|url\(|@import|fetch\(", text)
    policy = next(a["content"] or "" for _, a in found.found if "http-equiv" in a)
    script = text[text.rindex("<script>") + 8 : text.rindex("</script>")]
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{digest}'" in policy


def test_a_page_has_landmarks_labels_and_both_themes() -> None:
    text = html()
    tags = [tag for tag, _ in Tags(text).found]

    assert {"header", "main", "h1", "noscript", "label"} <= set(tags)
    assert 'role="grid"' in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_lanes_are_of_rules_shares_and_exposures() -> None:
    story = [
        (0, requested("s1", name=HOSTILE[:-1])),
        (5, created()),
        *in_force("r1", "10.0.0.7", 10),
    ]
    story += [(30, AccessDenied(access_id="r1")), (40, applied(removed=("r1",)))]
    reader = reader_of_share(story)

    [rule] = history_lanes(access_history(reader, "s1"))
    [share] = reach_lanes(reach(reader, "10.0.0.0/24", second(0), second(50)))
    [gap] = exposure_lanes(exposures(reader))

    assert (rule.name, [s.in_force for s in rule.spans]) == ("10.0.0.7", [None, "?", "rw", "rw"])
    assert [s.intended for s in share.spans] == ["rw", "rw", "rw", None]
    assert (gap.spans[0].start, gap.spans[0].end) == (second(30), second(40))
    assert share.name == HOSTILE[:-1]


def test_a_page_shows_no_time_that_the_log_does_not_have() -> None:
    asked = PAGE._replace(start=second(-99), end=second(99), mark=second(50))
    log = LogTimes(second(0), second(20))

    shown = [
        json.loads(Tags(html(LANES, page)).texts["page"])
        for page in (asked, asked._replace(log=log), PAGE._replace(log=log))
    ]

    times = [((p["start"] - NOON_MS) // 1000, (p["end"] - NOON_MS) // 1000) for p in shown]
    assert times == [(-99, 99), (0, 20), (0, 20)]


# -- in Chromium ---------------------------------------------------------------------------------
def chromium(tmp_path: Path, page: Path, *options: str, view: str = "") -> str:
    """Run Chromium on *page* with *options*; what it printed."""
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=2000", *options]
    return subprocess.run(
        [*command, f"{page.as_uri()}{view}"],
        capture_output=True,
        text=True,
        timeout=150,
        check=True,
    ).stdout


def rendered(tmp_path: Path, text: str, view: str = "") -> str:
    page = tmp_path / "page.html"
    page.write_text(text, encoding="utf-8")
    return chromium(tmp_path, page, "--dump-dom", "--window-size=1280,900", view=view)


@needs_chromium
def test_chromium_draws_the_rows_and_runs_no_name(tmp_path: Path) -> None:
    text = rendered(tmp_path, html())
    found = Tags(text)

    rows = [a for _, a in found.found if a.get("class") == "row"]
    assert [row["aria-rowindex"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["tabindex"] for row in rows] == ["0", "-1", "-1", "-1"]
    assert found.texts["title"].strip() == PAGE.title
    assert "4 of 4 rules" in found.texts["status"]
    assert "10.0.0.8 (read and write, not intended)" in found.texts["answer"]


@needs_chromium
def test_ten_thousand_rules_are_drawn_as_the_few_that_are_seen_and_filtered(tmp_path: Path) -> None:
    spans = (Span(second(0), second(9), "rw", "rw", "rw", ""),)
    lanes = [Lane(f"10.1.{n // 256}.{n % 256}", f"rule r{n}", spans) for n in range(10_000)]

    everything = rendered(tmp_path, html(lanes))
    some = rendered(tmp_path, html(lanes), view="#find=r777")

    assert 10 < everything.count('class="row"') < 60
    assert "10000 of 10000 rules" in everything
    assert "11 of 10000 rules" in some


@needs_chromium
def test_chromium_prints_it(tmp_path: Path) -> None:
    page, printed = tmp_path / "page.html", tmp_path / "page.pdf"
    page.write_text(html(), encoding="utf-8")

    chromium(tmp_path, page, f"--print-to-pdf={printed}")

    assert printed.read_bytes().startswith(b"%PDF")
