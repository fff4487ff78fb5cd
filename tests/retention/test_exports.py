"""Exports by other projects' packages are read back by these packages, event for event."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from share_actors.audit.reading.reader import open_reader
from share_actors.audit.sentences import sentence
from share_actors.cli.exit_codes import DIFFERS
from share_actors.config import LogSettings
from tests.retention.archives import archived
from tests.retention.conftest import Site


def exported(site: Site, form: str) -> Path:
    file = site.path / f"export.{form}"
    site.run("log", "export", "--format", form, "--output", str(file))
    return file


def test_cloudevents_are_read_back_by_their_sdk(site: Site) -> None:
    form = pytest.importorskip("cloudevents.core.formats.json").JSONFormat()
    events = [
        form.read(None, line) for line in exported(site, "cloudevents").read_text().splitlines()
    ]

    with open_reader(site.config.log_path) as reader:
        rows = list(reader.rows())
        for event, row in zip(events, rows, strict=True):
            recorded = reader.decode(row)
            assert event.get_data() == json.loads(reader.plain(row))
            assert event.get_attributes() == {
                "specversion": "1.0",
                "id": recorded.event_id,
                "source": "urn:share-actors:share-actors",
                "type": f"share-actors.{row.topic}",
                "subject": row.stream,
                "time": recorded.envelope.at,
                "datacontenttype": "application/json",
                "sequence": f"{row.position:020d}",
            }


def test_a_table_is_read_back_by_pyarrow(site: Site) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = parquet.read_table(exported(site, "parquet")).to_pylist()

    with open_reader(site.config.log_path) as reader:
        for row, recorded in zip(rows, map(reader.decode, reader.rows()), strict=True):
            assert row["at"] == recorded.envelope.at
            assert row["sentence"] == sentence(recorded)
            assert (row["position"], row["version"]) == (recorded.position, recorded.version)
            assert json.loads(row["event"]) == recorded.event.model_dump(mode="json")


def test_csv_is_read_back_by_pyarrow(site: Site) -> None:
    table = pytest.importorskip("pyarrow.csv").read_csv(exported(site, "csv"))
    assert table.column("position").to_pylist() == list(range(1, 16))


@pytest.mark.parametrize(
    ("form", "module", "extra"),
    [("cloudevents", "cloudevents.core", "cloudevents"), ("parquet", "pyarrow", "parquet")],
)
def test_a_missing_package_is_named_with_its_extra(
    site: Site, monkeypatch: pytest.MonkeyPatch, form: str, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    file = site.path / "none"

    text = site.run("log", "export", "--format", form, "--output", str(file), code=4)

    assert f"pip install share-actors[{extra}]" in " ".join(text.split())
    assert not file.exists()


def test_a_table_needs_a_file(site: Site) -> None:
    assert "name the file" in site.run("log", "export", "--format", "parquet", code=3)


def test_a_log_with_an_archive_is_proven_after_export_and_import(
    either: Site, tmp_path: Path
) -> None:
    archived(either)
    file = exported(either, "jsonl")
    other = tmp_path / "other"
    other.mkdir()
    copy = Site(other, LogSettings(compress=either.config.log.compress))
    copy.run("log", "import", str(file))

    checkpoint = ("--checkpoint", str(either.audit / "checkpoint"))
    key = ("--key", str(either.audit / "public.key"))
    assert copy.json("log", "verify", *checkpoint, *key)["covered"] == 16

    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(line for line in lines if not line.startswith(b'{"archived"')))
    text = copy.run("log", "restore-drill", str(file), code=3)
    assert "lines were removed" in text
    copy.run("log", "verify", *checkpoint, "--key", "PeterNeumann+c74f20a3+ARpc2QcUPDhM", code=3)
    assert DIFFERS == 14


def test_half_a_line_at_the_end_of_an_export_is_named_and_nothing_is_imported(
    site: Site, tmp_path: Path
) -> None:
    file = exported(site, "jsonl")
    file.write_bytes(file.read_bytes().rpartition(b'{"end"')[0][:-40])
    other = tmp_path / "other"
    other.mkdir()

    text = " ".join(Site(other).run("log", "import", str(file), code=3).split())

    assert "line 16 has no end: the file was cut off" in text
    assert "nothing was imported" in text
    assert [path.name for path in other.iterdir()] == ["site.toml"]
