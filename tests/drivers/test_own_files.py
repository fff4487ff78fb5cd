"""A driver's files beside those of others: which are its own, and entries that vanish."""

from __future__ import annotations

import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from share_actors.drivers import ShareDriver, make_driver
from share_actors.drivers.fence import KEEP_S, Fences
from share_actors.drivers.filesystem.own_files import own_names, read_record, records
from share_actors.testing.contracts.server import new_server, set_up, tear_down
from share_actors.testing.strays import FILES, put_strays
from share_actors.values import Capabilities, RequestContext, Share

IDS = st.from_regex(r"[a-z0-9_][a-z0-9_.-]{0,5}", fullmatch=True)
NAMES = IDS | st.tuples(IDS, IDS).map("@".join)
FILE_NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: not {b"/"[0], 0} & set(name) and name not in (b".", b"..")
)


@given(
    st.dictionaries(NAMES, st.dictionaries(st.text(max_size=3), st.integers()), max_size=4),
    st.dictionaries(FILE_NAMES | FILE_NAMES.map(lambda n: n + b".json"), st.binary(), max_size=6),
)
def test_our_records_are_found_whatever_is_beside_them(
    own: dict[str, dict[str, int]], others: dict[bytes, bytes]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        for name, content in others.items():
            Path(directory, os.fsdecode(name)).write_bytes(content)
        for item, record in own.items():
            Path(directory, f"{item}.json").write_text(json.dumps(record))

        found = records(Path(directory))
        assert {name: found[name] for name in own} == own
        assert all(f"{name}.json".encode() in others for name in found.keys() - own)


def test_strays_are_no_records(tmp_path: Path) -> None:
    put_strays([tmp_path])
    (tmp_path / "folder.json").mkdir()

    assert records(tmp_path).keys() == {"copy"}
    assert own_names(tmp_path, ".json") >= ["binary", "copy", "folder", "half-written"]
    for name in ("folder.json", "link.json", "pipe.json", "half-written.json", "missing.json"):
        assert read_record(tmp_path / name) is None


def test_only_old_fences_are_forgotten(tmp_path: Path) -> None:
    (tmp_path / "folder@fence").mkdir()
    (tmp_path / "gone@fence").write_text("7".zfill(20))
    for path in tmp_path.iterdir():
        os.utime(path, (0, path.stat().st_mtime - KEEP_S - 1))
    put_strays([tmp_path])

    Fences(tmp_path).forget_old(tmp_path / "shares")

    assert not (tmp_path / "gone@fence").exists()
    assert (tmp_path / "folder@fence").is_dir()
    assert (tmp_path / "old@fence").read_bytes() == FILES[b"old@fence"]


# -- the driver local-servers ----------------------------------------------------------------------
@pytest.fixture
def driver(tmp_path: Path) -> ShareDriver:
    root = {"root": str(tmp_path / "root")}
    driver = make_driver("here", "local-servers", root, handles_servers=True)
    driver.do_setup(RequestContext())
    return driver


def test_directories_beside_servers_and_their_shares_are_neither_counted_nor_removed(
    driver: ShareDriver, tmp_path: Path
) -> None:
    server = new_server(driver)
    server = server.replace(backend_details=set_up(driver, server))
    share = Share(id="s1", size=4, share_proto="NFS", host="here")
    driver.create_share(RequestContext(), share, server)
    servers = tmp_path / "root" / "servers"
    for folder in (servers / "backup", servers / server.id / "shares" / "backup"):
        folder.mkdir()
        (folder / "file").write_text("not ours")

    stats = driver.get_share_stats(refresh=True)
    assert isinstance(stats, Capabilities)
    [pool] = stats.pools
    assert (pool.allocated_capacity_gib, pool.capabilities) == (4, {"share_servers": 1})
    driver.delete_share(RequestContext(), share, server)
    tear_down(driver, server)

    left = {str(path.relative_to(servers)) for path in servers.rglob("*") if path.is_file()}
    assert left == {"backup/file", f"{server.id}/shares/backup/file"}


def test_statistics_are_reported_while_servers_come_and_go(driver: ShareDriver) -> None:
    ended = Event()

    def churn() -> None:
        try:
            for _ in range(60):
                server = new_server(driver)
                tear_down(driver, server.replace(backend_details=set_up(driver, server)))
        finally:
            ended.set()

    with ThreadPoolExecutor(1) as thread:
        churning = thread.submit(churn)
        while not ended.is_set():
            driver.get_share_stats(refresh=True)
        churning.result()
