"""A full disk fails the appends made meanwhile, and nothing else."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.events import full_disk
from tests.events.appending import append
from tests.events.conftest import OpenLog

MOUNTED = 'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$1" -m tests.events.full_disk "$0"'


def test_no_event_is_lost_or_duplicated_on_a_disk_that_is_full_for_a_while(tmp_path: Path) -> None:
    namespace = full_disk.private_mounts()
    if namespace is None:
        pytest.skip("no mount namespaces here; see the test below")

    program = [*namespace, "sh", "-c", MOUNTED, str(tmp_path), sys.executable]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr


def test_appends_fail_while_the_database_may_not_grow(open_sqlite: OpenLog) -> None:
    log = open_sqlite()
    append(log, "a", 0, "x")
    limit_pages(log._recorder, 12)

    version = full_disk.fail_to_append(log, "a", 1)
    assert len(log.read("a")) == version

    limit_pages(log._recorder, 1_000_000)
    assert append(log, "a", version, "x")[0].position == version + 1


def limit_pages(recorder: Any, pages: int) -> None:
    """Limit the file to *pages* in every connection of the log."""
    pool = recorder.datastore.pool
    taken = [pool.get_connection() for _ in range(pool.pool_size)]
    for connection in taken:
        raw: sqlite3.Connection = connection._sqlite_conn
        raw.execute(f"PRAGMA max_page_count={pages}")
        pool.put_connection(connection)
