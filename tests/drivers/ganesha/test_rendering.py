"""Export files cannot be broken out of, and their ids are handed out in turn."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from share_actors.drivers import DriverError
from share_actors.drivers.ganesha import GaneshaMixin, GaneshaSettings
from share_actors.drivers.ganesha.exports import ExportFiles
from share_actors.drivers.ganesha.rendering import ExportRecord, export_file


def record(**changes: object) -> ExportRecord:
    fields = {"id": 7, "name": "s1", "path": "/srv/s1", "clients": {"10.0.0.1": "rw"}}
    return ExportRecord.model_validate({**fields, **changes})


@pytest.fixture
def exports(tmp_path: Path) -> ExportFiles:
    files = GaneshaSettings(directory=tmp_path).files
    files.make()
    return ExportFiles(files)


def written(exports: ExportFiles, one: ExportRecord) -> Path:
    exports.propose(one)
    exports.make_permanent(one.name)
    return exports.path(one.name)


@pytest.mark.parametrize(
    "changes",
    [
        {"path": '/srv/"; }'},
        {"path": "/srv/\n}"},
        {"path": "/srv/a\\"},
        {"path": "/srv/\udc80"},
        {"name": 'a"'},
        {"name": "../a"},
        {"name": "a/b/c"},
        {"name": ""},
        {"name": "a\n"},
        {"clients": {"10.0.0.1; }": "rw"}},
    ],
)
def test_a_value_that_could_end_its_quotation_is_refused(changes: dict[str, object]) -> None:
    fields = {**record().model_dump(), **changes}
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic's or ours
        export_file(ExportRecord.model_validate(fields))


def test_a_record_is_read_back_as_it_was_written(exports: ExportFiles) -> None:
    written(exports, record(name="snap/1", path="/srv/ä b;{}#'"))
    assert exports.record("snap/1") == record(name="snap/1", path="/srv/ä b;{}#'")
    assert exports.names() == {"snap/1"}
    assert exports.damage() == ()


def test_a_pending_file_is_no_export(exports: ExportFiles) -> None:
    exports.propose(record())
    assert exports.names() == frozenset()
    assert exports.restored() == ""


def test_ids_are_handed_out_in_turn_and_not_again_at_once(exports: ExportFiles) -> None:
    first = exports.new_id()
    written(exports, record(id=first))
    exports.remove("s1")
    assert [first, exports.new_id(), exports.new_id()] == [1, 2, 3]


def test_after_the_last_id_the_first_free_one_follows(exports: ExportFiles, tmp_path: Path) -> None:
    written(exports, record(id=1))
    (tmp_path / "last_id").write_text("65534 first\n")
    assert [exports.new_id() for _ in range(3)] == [65535, 2, 3]


def test_a_lost_number_is_found_from_the_files(exports: ExportFiles, tmp_path: Path) -> None:
    written(exports, record(id=40))
    assert exports.new_id() == 41
    (tmp_path / "last_id").write_text("")
    assert exports.new_id() == 41


def test_an_edited_file_is_named_and_written_anew(exports: ExportFiles) -> None:
    path = written(exports, record())
    path.write_text(path.read_text().replace("10.0.0.1/32", "10.0.0.2/32"))
    assert str(path) in exports.damage()[0]
    assert exports.restored() == export_file(record()) == path.read_text()
    assert exports.damage() == ()


@pytest.mark.parametrize("name", ["s1.conf", "s2.conf", "s1.conf~", "junk"])
def test_a_foreign_file_is_named_and_moved_away(
    exports: ExportFiles, name: str, tmp_path: Path
) -> None:
    (tmp_path / "exports.d" / name).write_text("EXPORT { $$")
    assert name in exports.damage()[0]
    assert exports.restored() == ""
    assert (tmp_path / "damaged" / name).exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"directory": "relative"},
        {"directory": "/a/../b"},
        {"directory": '/a"b'},
        {"directory": "/" + "d" * 100},
        {"versions": ()},
        {"versions": (2,)},
        {"address": "localhost"},
        {"nfs_port": 0},
        {"versions": (3,), "nfs_port": 2049, "mount_port": 2049},
        {"network_namespace": "../x"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GaneshaSettings.model_validate({"directory": "/run/g", **wrong})


def test_the_mixin_finds_the_unit_in_the_options_of_its_driver() -> None:
    class Driver(GaneshaMixin):
        configuration = GaneshaSettings(directory=Path("/run/g"), nfs_port=12)

    assert Driver().ganesha_unit.settings.nfs_port == 12


def test_the_mixin_of_a_driver_without_settings_says_what_to_add() -> None:
    class Driver(GaneshaMixin):
        configuration = None

    with pytest.raises(DriverError, match="no field of the type GaneshaSettings"):
        _ = Driver().ganesha_unit
