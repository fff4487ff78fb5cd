"""Archiving that is interrupted, repeated or refused loses nothing."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from share_actors.audit.archives import archive
from share_actors.audit.archives.run import Archived
from share_actors.errors import ConfigError, LogError
from share_actors.events.catalog import Catalog
from share_actors.events.log.archived_rows import ArchivedRow
from share_actors.events.log.lease.leased_log import open_leased
from share_actors.testing.crash_points import count_steps, die_at
from share_actors.values import OPERATOR
from tests.audit.conftest import HOME, write
from tests.events.test_lease import ONE
from tests.retention.archives import NOW, archived, check_after_crash, leaves, report
from tests.retention.conftest import Site
from tests.retention.test_archive import edit


def crash_at(step: int, home: Path) -> None:
    from tests.audit.conftest import write_story

    site = Site(home)
    with site.log() as log:
        write_story(log)
    before = leaves(site)
    die_at(step, lambda: archived(site), Archived)
    check_after_crash(site, before)


def steps(home: Path) -> int:
    from tests.audit.conftest import write_story

    site = Site(home)
    with site.log() as log:
        write_story(log)
    return count_steps(lambda: archived(site), Archived)


def test_a_crash_at_some_steps_loses_nothing_and_repeating_goes_on(tmp_path: Path) -> None:
    (tmp_path / "count").mkdir()
    total = steps(tmp_path / "count")
    for step in range(20, total + 1, max(1, total // 8)):
        (tmp_path / str(step)).mkdir()
        crash_at(step, tmp_path / str(step))


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_crash_at_every_step_loses_nothing_and_repeating_goes_on(tmp_path: Path) -> None:
    (tmp_path / "count").mkdir()
    for step in range(1, steps(tmp_path / "count") + 1):
        (tmp_path / str(step)).mkdir()
        crash_at(step, tmp_path / str(step))


def test_repeating_changes_nothing(either: Site) -> None:
    first = archived(either)
    rows = either.rows()

    again = archived(either)

    assert (again.position, again.removed) == (first.position, 0)
    assert either.rows() == rows


def test_a_file_that_is_kept_first_is_removed_from_the_log_later(site: Site) -> None:
    kept = archived(site, keep=True)
    assert (kept.events, kept.position, len(site.rows())) == (6, None, 15)
    with site.log() as log:
        write(log, "share-s3", HOME)

    done = archived(site)

    assert (done.removed, done.file_sha256) == (6, kept.file_sha256)


def test_a_second_archive_takes_what_was_deleted_since(site: Site) -> None:
    from tests.audit.conftest import SCRATCH

    archived(site)
    with site.log() as log:
        write(log, "share-s4", SCRATCH)
    site.file = site.path / "second.gz"

    assert archived(site).removed == 6
    assert (report(site).ok, site.json("log", "verify")["ok"]) == (True, True)


def test_a_log_in_use_is_refused_and_not_changed(site: Site) -> None:
    with closing(open_leased(lambda: ONE)(site.config, 1)):
        with pytest.raises(LogError, match="is in use by the system"):
            archived(site)
        assert not site.file.exists()


def test_nothing_is_removed_after_another_system_took_the_log_over(either: Site) -> None:
    from share_actors.audit.archives.removal import remove
    from share_actors.events.log.lease.lease import Lease

    archived(either, keep=True)
    with pytest.raises(
        LogError, match="another system has taken over the log; nothing was removed"
    ):
        remove(either.config.log, either.config.log_path, either.file, 16, Lease(ONE, 1, 0.0, 0.0))
    assert not any(isinstance(row, ArchivedRow) for row in either.rows())


def test_another_file_and_one_of_another_log_are_refused(site: Site, tmp_path: Path) -> None:
    site.file.write_text("mine")
    assert "choose a new file" in site.run(
        "log", "archive", "--older-than", "0d", "--to", str(site.file), code=3
    )
    assert site.file.read_text() == "mine"
    site.file.unlink()
    archived(site, keep=True)
    edit(site, "DELETE FROM stored_events WHERE rowid = 15")
    text = site.run("log", "archive", "--older-than", "0d", "--to", str(site.file), code=3)
    assert "the log has 5 of its 6 events" in text


def test_an_event_changed_after_the_file_was_written_is_not_removed(site: Site) -> None:
    archived(site, keep=True)
    edit(site, "UPDATE stored_events SET state = state || ' ' WHERE rowid = 11")

    with pytest.raises(LogError, match="position 11 of the log does not have the event"):
        archived(site)


def test_without_checkpoints_there_is_no_archive(site: Site) -> None:
    config = site.config.model_copy(update={"audit": type(site.config.audit)()})
    with pytest.raises(ConfigError, match=r"audit\.checkpoints is not set"):
        archive(config, NOW, site.file, OPERATOR)


def test_the_catalog_learns_of_the_deletion_before_its_events_are_removed(site: Site) -> None:
    archived(site)

    with (
        site.log() as log,
        closing(Catalog.open(log, site.config.log, site.config.catalog_file)) as catalog,
    ):
        assert catalog.lag() == 0
        found = catalog.share("s2")
    assert found is not None
    assert found.status == "deleted"
