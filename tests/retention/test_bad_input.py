"""What is no log, has the wrong key, or parted from another log is named; on PostgreSQL as on SQLite."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from share_actors.cli.exit_codes import DIFFERS
from share_actors.events.checkpoints import check_archive
from tests.audit.conftest import HOME, SCRATCH, write
from tests.events.postgres import admin
from tests.retention.archives import archived
from tests.retention.conftest import Site

COMMANDS = (
    ("log", "verify"),
    ("log", "stats"),
    ("log", "history", "s1"),
    ("log", "export"),
    ("log", "list", "--at", "2026-03-01T12:00:40Z"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[1])
@pytest.mark.parametrize(
    "content", [b"", b"text", b"SQLite format 3\0", b"\x1f\x8b", b"\x1f\x8b\0\0"]
)
def test_a_file_that_is_no_log_is_refused(
    site: Site, command: tuple[str, ...], content: bytes
) -> None:
    other = site.path / "other"
    other.write_bytes(content)

    text = site.run(
        *command, "--log", str(other), code=12 if command[1] != "verify" else ANY[content[:2]]
    )

    assert "other" in " ".join(text.split())
    assert other.read_bytes() == content


ANY = {b"": 12, b"te": 12, b"SQ": 12, b"\x1f\x8b": 3}
"""A file that starts like an archive has no key in it either, which is what is asked for first."""


def test_two_logs_with_one_past_part_at_a_position(site: Site, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Site(tmp_path / "other")
    shutil.copy(site.config.log_path, other.config.log_path)
    for fork, told in ((site, HOME), (other, SCRATCH)):
        with fork.log() as log:
            write(log, "share-s3", told)
        fork.run("log", "checkpoint")
    theirs = (
        "--checkpoint",
        str(other.audit / "checkpoint"),
        "--key",
        str(other.audit / "public.key"),
    )

    text = " ".join(site.run("log", "verify", *theirs, code=DIFFERS).split())

    found = site.json("log", "verify", *theirs, code=DIFFERS)
    assert (found["agreeing"], found["findings"][0]["position"]) == (15, 16)
    assert "they forked at position 16" in text


def test_another_key_verifies_nothing(site: Site) -> None:
    site.run("log", "checkpoint")
    archived(site)
    other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

    assert "has not signed it" in site.run("log", "verify", "--key", other, code=3)
    archive = ("log", "verify", "--log", str(site.file), "--key", other)
    assert "has not signed it" in site.run(*archive, code=DIFFERS)


def test_an_archive_is_checked_by_two_files_alone(site: Site, tmp_path: Path) -> None:
    import subprocess
    import sys

    archived(site)
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("check_archive.py", "check_bundle.py"):
        shutil.copy(Path(check_archive.__file__).with_name(name), alone)
    command = [sys.executable, "check_archive.py", str(site.file), "--key"]

    run = subprocess.run(
        [*command, str(site.audit / "public.key")],
        cwd=alone,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (run.returncode, run.stderr) == (0, "")
    assert "6 events of 1 whole streams, at positions 10 to 15" in run.stdout


# -- PostgreSQL ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("statement", "kind", "position"),
    [
        ("UPDATE {t} SET state = state || ' '::bytea WHERE notification_id = 7", "edited", 7),
        ("DELETE FROM {t} WHERE notification_id = 7", "removed", 7),
        ("DELETE FROM {t} WHERE originator_id = 'share-s2'", "truncated", 10),
        ("DELETE FROM {t} WHERE notification_id >= 12", "truncated", 12),
    ],
)
def test_tampering_with_postgresql_is_found(
    postgres_site: Site, statement: str, kind: str, position: int
) -> None:
    postgres_site.run("log", "checkpoint")
    settings = postgres_site.config.log
    table = f'"{settings.schema_name}".stored_events'
    with admin(settings) as connection:
        connection.execute(statement.format(t=table).encode())

    found = postgres_site.json("log", "verify", code=DIFFERS)["findings"][0]

    assert (found["kind"], found["position"]) == (kind, position)
