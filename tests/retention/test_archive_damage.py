"""What is damaged, changed or missing in an archive or beside it is found."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from share_actors.cli.exit_codes import DIFFERS
from tests.retention.archives import archived, report
from tests.retention.conftest import Site
from tests.retention.test_archive import edit


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda content: content[:-30], "cut off|damaged"),
        (lambda content: content[:40] + b"\0\0\0\0" + content[44:], "damaged|cut off"),
        (lambda content: gzip.compress(b"{}\n"), "not an archive"),
        (lambda content: gzip.compress(b"[1]\n"), "damaged after line 0"),
    ],
)
def test_a_damaged_archive_is_named(site: Site, damage: object, problem: str) -> None:
    archived(site)
    assert callable(damage)
    site.file.write_bytes(damage(site.file.read_bytes()))

    found = site.json("log", "verify", "--log", str(site.file), code=DIFFERS)

    assert re.search(problem, found["problem"])
    site.run("log", "history", "s2", "--log", str(site.file), code=12)


@pytest.mark.parametrize("field", ["state", "topic", "position", "index", "version", "stream"])
def test_an_archive_with_a_changed_event_proves_nothing(site: Site, field: str) -> None:
    archived(site)
    lines = gzip.decompress(site.file.read_bytes()).splitlines()
    event = json.loads(lines[3])
    change = {"state": "e30=", "topic": "share.created", "stream": "share-s9"}
    event[field] = change.get(field, 1) if field in change else event[field] + 1
    lines[3] = json.dumps(event).encode()
    site.file.write_bytes(gzip.compress(b"\n".join(lines) + b"\n"))

    site.run("log", "verify", "--log", str(site.file), code=DIFFERS)


def test_a_row_that_is_missing_without_an_archive_is_still_found(site: Site) -> None:
    archived(site)
    edit(site, "DELETE FROM stored_events WHERE rowid = 3")

    found = site.json("log", "verify", code=DIFFERS)
    assert found["findings"][0]["kind"] == "removed"
    assert found["findings"][0]["position"] == 3
    assert {f.kind for f in report(site).findings} == {"version_gap", "position_gap"}


def test_a_leaf_without_a_record_of_its_archive_is_found(site: Site) -> None:
    archived(site)
    edit(
        site,
        "INSERT INTO archived_events SELECT rowid, originator_id, originator_version, topic, 'x', 16"
        " FROM stored_events WHERE rowid = 9",
        "DELETE FROM stored_events WHERE rowid = 9",
    )

    [finding] = [f for f in report(site).findings if f.kind == "not_archived"]
    assert "they are not the 6 that are archived in old.gz" in finding.text
    kinds = {finding["kind"] for finding in site.json("log", "verify", code=DIFFERS)["findings"]}
    assert kinds == {"edited", "not_archived"}


def test_a_removed_record_and_removed_leaves_are_found(site: Site) -> None:
    archived(site)
    edit(site, "UPDATE archived_events SET archive = 3")
    assert "no archive is recorded at position 3" in report(site).findings[0].text

    edit(site, "DELETE FROM archived_events WHERE position = 12")
    kinds = {finding["kind"] for finding in site.json("log", "verify", code=DIFFERS)["findings"]}
    assert {"removed", "not_archived"} <= kinds
