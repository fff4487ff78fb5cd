"""Logs that are damaged, full or of a newer version: the errors, and that everything else works."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from share_actors.client import ShareHandle
from share_actors.errors import LogError, LogTooNew, Unavailable
from tests.acceptance.conftest import NewSite
from tests.acceptance.systems import Site, eventually
from tests.events.full_disk import fill

Damage = Callable[[Path], None]


def truncated(log: Path) -> None:
    os.truncate(log, log.stat().st_size // 2)


def emptied(log: Path) -> None:
    os.truncate(log, 0)


def text(log: Path) -> None:
    log.write_text("all my shares\n" * 1000)


def directory(log: Path) -> None:
    log.unlink()
    log.mkdir()


def another_program_s(log: Path) -> None:
    log.unlink()
    with closing(sqlite3.connect(log)) as connection:
        connection.execute("CREATE TABLE diary (day TEXT)")


# -- damaged ---------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def kept(new_sites: NewSite) -> Path:
    """The log of a stopped system with twenty shares."""
    site = new_sites()
    for _ in range(20):
        site.system.create_share(size=1)
    site.stop()
    return site.config.log_path


@pytest.mark.parametrize("damage", [truncated, emptied, text, directory, another_program_s])
def test_a_damaged_log_is_named_and_no_actor_is_started(
    new_site: NewSite, kept: Path, damage: Damage
) -> None:
    site = new_site()
    shutil.copy(kept, site.config.log_path)
    damage(site.config.log_path)

    with pytest.raises(LogError) as caught:
        _ = site.system

    assert type(caught.value) is LogError
    assert caught.value.field == "log.path"
    assert str(caught.value).startswith(f"log.path {site.config.log_path}: ")
    assert len(str(caught.value)) < 400
    assert site.actors() == []


def test_a_system_starts_on_a_repaired_log(new_site: NewSite, kept: Path) -> None:
    site = new_site()
    shutil.copy(kept, site.config.log_path)
    truncated(site.config.log_path)
    with pytest.raises(LogError):
        _ = site.system

    shutil.copy(kept, site.config.log_path)

    assert len(site.settled()) == 20


def test_a_damaged_catalog_is_named_and_rebuilt_after_its_deletion(new_site: NewSite) -> None:
    site = new_site()
    share = site.system.create_share(size=1)
    site.stop()
    text(site.config.catalog_file)

    with pytest.raises(LogError, match="delete it: the catalog is rebuilt") as caught:
        _ = site.system
    assert str(site.config.catalog_file) in str(caught.value)
    assert site.actors() == []

    site.config.catalog_file.unlink()
    assert list(site.settled()) == [share.id]


def test_a_wrong_cipher_key_is_reported_by_its_configuration_key(
    new_site: NewSite, kept: Path
) -> None:
    site = new_site(log={"cipher_key": "MDEyMzQ1Njc4OWFiY2RlZg=="})
    shutil.copy(kept, site.config.log_path)

    with pytest.raises(LogError, match="is not the key") as caught:
        _ = site.system

    assert caught.value.field == "log.cipher_key"
    assert site.actors() == []


# -- newer -----------------------------------------------------------------------------------------
def write(site: Site, share: ShareHandle, topic: str, schema_version: int) -> None:
    """Add an event of a newer version to the stream of *share*."""
    (last, state), stream = last_event(site, share), f"share-{share.id}"
    state = re.sub(r'"schema_version":\d+', f'"schema_version":{schema_version}', state)
    with closing(sqlite3.connect(site.config.log_path)) as connection, connection:
        connection.execute(
            "INSERT INTO stored_events VALUES (?, ?, ?, ?)",
            (stream, last + 1, topic, state.encode()),
        )


def last_event(site: Site, share: ShareHandle) -> tuple[int, str]:
    with closing(sqlite3.connect(site.config.log_path)) as connection:
        version, state = connection.execute(
            "SELECT originator_version, state FROM stored_events WHERE originator_id = ?"
            " ORDER BY originator_version DESC LIMIT 1",
            (f"share-{share.id}",),
        ).fetchone()
    return int(version), bytes(state).decode()


@pytest.mark.parametrize(
    ("topic", "schema_version"), [("share.created", 99), ("share.teleported", 1)]
)
def test_a_share_with_events_of_a_newer_version_raises_and_other_shares_work(
    new_site: NewSite, topic: str, schema_version: int
) -> None:
    site = new_site()
    newer, other = (site.system.create_share(size=1, name=n) for n in ("newer", "other"))
    write(site, newer, topic, schema_version)

    asked: tuple[Callable[[], object], ...] = (lambda: newer.extend(2), newer.refresh, newer.delete)
    for ask in asked:
        with pytest.raises(Unavailable, match=f"needs a newer version of share_actors: .*{topic}"):
            ask()
    with pytest.raises(LogTooNew, match=f"{topic}.*upgrade share_actors"):
        newer.history()

    assert other.extend(2).size == 2
    assert site.system.create_share(size=1).status == "available"
    (parked,) = site.system.status()["catalog"]["parked"]
    assert parked["stream"] == f"share-{newer.id}"
    assert topic in parked["error"]
    assert [s.status for s in site.system.shares(name="newer").items] == ["available"]


def test_a_share_with_events_of_a_newer_version_raises_after_a_restart_and_can_be_unparked(
    new_site: NewSite,
) -> None:
    site = new_site()
    newer, other = (site.system.create_share(size=1) for _ in range(2))
    site.stop()
    write(site, newer, "share.teleported", 1)

    system = site.system

    with pytest.raises(Unavailable, match="needs a newer version"):
        system.share(newer.id)
    assert system.share(other.id).extend(2).size == 2
    assert len(system.status()["catalog"]["parked"]) == 1
    assert system.unpark(f"share-{newer.id}") is False
    with closing(sqlite3.connect(site.config.log_path)) as connection, connection:
        connection.execute("DELETE FROM stored_events WHERE topic = 'share.teleported'")
    assert system.share(newer.id).extend(2).size == 2


# -- full ------------------------------------------------------------------------------------------
@contextmanager
def small_disk(at: Path) -> Iterator[Path]:
    """A filesystem of 4 MiB, unmounted afterwards."""
    at.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(at)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def on_small_disk(disk: Path, new_site: NewSite) -> Site:
    """A site whose log is on the small disk; it is stopped before the disk is unmounted."""
    return new_site(log={"path": str(disk / "log.db")})


def until_full(site: Site) -> list[str]:
    """Create shares until one is refused; the ids of those that were created."""
    created: list[str] = []

    def create_many() -> None:
        for _ in range(5_000):
            share = site.system.create_share(size=1, description="x" * 250)
            created.append(share.id)

    with pytest.raises(LogError, match="full") as caught:
        create_many()
    assert "nothing was recorded" in str(caught.value)
    return created


def test_a_full_disk_records_nothing_and_loses_nothing(on_small_disk: Site, disk: Path) -> None:
    site = on_small_disk
    share = site.system.create_share(size=1)
    filler = fill(disk)
    created = [share.id, *until_full(site)]

    with pytest.raises(LogError, match="nothing was recorded"):
        share.extend(2, timeout=20)
    assert share.refresh().size == 1
    filler.unlink()

    assert share.extend(2).size == 2
    created.append(site.system.create_share(size=1).id)
    assert {s.status for s in site.settled().values()} == {"available"}
    assert set(site.settled()) == set(site.replayed()) == set(created)
    assert set(site.backend.shares()) == set(created)


def test_work_that_ends_while_the_disk_is_full_is_recorded_once_there_is_room(
    on_small_disk: Site, disk: Path
) -> None:
    site = on_small_disk
    options = {"directory": str(site.backend.directory), "delay_s": 1.0}
    dummy = site.config.backends["dummy"].model_copy(update={"options": options})
    site.config = site.config.model_copy(update={"backends": {"dummy": dummy}})
    share = site.system.create_share(size=1, wait=False)
    filler = fill(disk)
    eventually(lambda: share.id in site.backend.shares())
    many = [{"size": 1, "description": "x" * 250}] * 200
    assert any(isinstance(r, LogError) for r in site.system.create_shares(many, wait=False))

    filler.unlink()

    eventually(lambda: share.refresh().status == "available")
    assert len(site.backend.calls("create_share", share.id)) == 1
    site.settled()
