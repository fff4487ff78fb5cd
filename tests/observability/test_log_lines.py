"""Lines of logs: JSON, about the command, share, backend and attempt, without secrets."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from share_actors import Config, ConfigError, LogError, NoValidHost, OperationFailed, testing
from share_actors.actors.runtime.log_records import mask_log_records
from share_actors.drivers import DriverError
from share_actors.drivers.dummy import DummyDriver
from share_actors.observability.log_context import about, fields_of
from share_actors.observability.log_lines import JsonLines, write_logs
from share_actors.redaction import known_secrets, remember_secret
from share_actors.testing import SyncInProcessSystem
from share_actors.values import ExportLocation, RequestContext, Share

LOGGER = logging.getLogger("vendor")
ALICE = RequestContext(user_id="alice", project_id="p", request_id="req-7", is_admin=True)
Lines = list[dict[str, Any]]


class TalkingDriver(DummyDriver):
    """A driver of a vendor that logs each creation, in the thread of the call; those named *bad* fail."""

    def create_share(
        self, context: RequestContext, share: Share, share_server: object = None
    ) -> list[ExportLocation]:
        LOGGER.warning("creating %s", share.name)
        if share.name == "bad":
            raise DriverError("the storage refuses")
        return list(super().create_share(context, share, share_server))


class KeptLines(logging.Handler):
    """Keeps the JSON lines."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines("test"))
        self.lines: Lines = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The lines of all loggers, from *info* on."""
    handler, root = KeptLines(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield handler.lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


@pytest.fixture
def system(lines: Lines) -> Iterator[SyncInProcessSystem]:
    backend = {"driver": "talking", "options": {"capacity_gib": 100}}
    config = Config(hosting={"min_actors": 1, "max_actors": 1}, backends={"main": backend})
    with testing.sync_system(config, drivers={"talking": TalkingDriver}, context=ALICE) as system:
        yield system


def of_command(lines: Lines, command_id: object) -> Lines:
    return [line for line in lines if line.get("command_id") == command_id]


# -- from an error to its lines ---------------------------------------------------------------------
def test_the_command_id_of_an_error_leads_to_the_lines_of_host_and_driver(
    system: SyncInProcessSystem, lines: Lines
) -> None:
    with pytest.raises(OperationFailed) as failed:
        system.create_share(size=1, name="bad")

    found = of_command(lines, failed.value.details["command_id"])
    assert [(line["logger"].rpartition(".")[2], line["message"]) for line in found] == [
        ("progress", "share.create is recorded"),
        ("vendor", "creating bad"),
        ("observed", "provision: failed: the storage refuses"),
        ("progress", "the request is failed: the storage refuses"),
    ]
    assert {line["share_id"] for line in found} == {failed.value.details["share_id"]}
    assert {line["backend"] for line in found} == {"main"}
    driver = found[1]
    assert (driver["attempt"], driver["request_id"], driver["level"]) == (1, "req-7", "warning")


def test_a_line_about_one_share_never_has_the_ids_of_another(
    system: SyncInProcessSystem, lines: Lines
) -> None:
    created = system.create_shares([{"size": 1, "name": f"s{n}"} for n in range(40)])

    ids = {share.name: share.id for share in created if not isinstance(share, Exception)}
    told = {
        line["message"].removeprefix("creating "): line["share_id"]
        for line in lines
        if line["logger"] == "vendor"
    }
    assert told == ids


def test_a_command_that_the_manager_refuses_is_in_its_log(
    system: SyncInProcessSystem, lines: Lines
) -> None:
    with pytest.raises(NoValidHost):
        system.create_share(size=1000, command_id="too-big")

    [line] = of_command(lines, "too-big")
    assert line["message"].startswith("share.create is refused: no valid host")


# -- the lines -------------------------------------------------------------------------------------
def test_what_is_logged_about_nothing_has_no_ids(lines: Lines) -> None:
    LOGGER.warning("a\nb")

    [line] = lines
    assert set(line) == {"time", "level", "logger", "actor", "pid", "message"}
    assert line["message"] == "a\nb"


def test_lines_of_a_block_are_about_its_fields_and_those_of_other_threads_are_not(
    lines: Lines,
) -> None:
    with about(fields_of("share_server:s1", "c1", backend="main")):
        LOGGER.warning("here")
        thread = threading.Thread(target=LOGGER.warning, args=("there",))
        thread.start()
        thread.join()
    LOGGER.warning("after")

    about_server = {"command_id": "c1", "share_server": "s1", "backend": "main"}
    assert lines[0].items() >= about_server.items()
    assert not [line for line in lines[1:] if about_server.keys() & line.keys()]


def test_known_secrets_are_masked_also_in_tracebacks(lines: Lines) -> None:
    before = logging.getLogRecordFactory()
    mask_log_records.cache_clear()
    mask_log_records()
    try:
        with known_secrets.restored():
            remember_secret("hunter2secret")
            try:
                raise ValueError("hunter2secret is wrong")
            except ValueError:
                LOGGER.exception("login with %s", "hunter2secret")
    finally:
        logging.setLogRecordFactory(before)

    [line] = lines
    assert "ValueError" in line["exception"]
    assert "hunter2" not in json.dumps(line)


# -- where they are written ------------------------------------------------------------------------
@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, restored afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield root
    finally:
        for handler in [h for h in root.handlers if h not in handlers]:
            root.removeHandler(handler)
            handler.close()
        root.setLevel(level)


def test_a_process_writes_a_file_of_its_own_and_opens_it_again_once_it_is_renamed(
    root: logging.Logger, tmp_path: Path
) -> None:
    write_logs("manager", "json", "warning", tmp_path / "logs")
    LOGGER.info("not serious enough")
    LOGGER.warning("first")
    log = tmp_path / "logs" / "manager.log"
    log.rename(log.with_suffix(".1"))
    LOGGER.warning("second")

    assert json.loads(log.with_suffix(".1").read_text())["message"] == "first"
    assert json.loads(log.read_text())["actor"] == "manager"


def test_the_file_of_an_actor_is_in_the_directory_whatever_resource_its_name_has(
    root: logging.Logger, tmp_path: Path
) -> None:
    write_logs("share-actor@../rack 1-1", "text", "info", tmp_path / "logs")
    LOGGER.info("here")

    [log] = (tmp_path / "logs").iterdir()
    assert log.name == "share-actor@..%2Frack 1-1.log"


def test_setting_the_log_up_again_replaces_the_first_set_up(
    root: logging.Logger, tmp_path: Path
) -> None:
    for _ in range(2):
        write_logs("manager", "text", "info", tmp_path)
    LOGGER.info("once")

    [line] = (tmp_path / "manager.log").read_text().splitlines()
    assert line.endswith("INFO vendor: once")


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(
        LogError, match=r"logging.directory .*file/logs can't be written"
    ) as refused:
        write_logs("manager", "json", "info", tmp_path / "file" / "logs")

    assert refused.value.field == "logging.directory"


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"format": "xml"}, "logging.format"),
        ({"level": "loud"}, "logging.level"),
        ({"directory": "logs"}, "logging.directory"),
    ],
)
def test_wrong_settings_are_refused_by_name(settings: dict[str, str], field: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Config(logging=settings)

    assert refused.value.field == field
