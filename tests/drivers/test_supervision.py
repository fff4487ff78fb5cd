"""The program that supervises daemons: what it reads and what it loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from share_actors.drivers.supervision.plan import Plan, plan_of
from share_actors.drivers.supervision.probes import OFFERS
from share_actors.drivers.supervision.specs import PartSpec, UnitSpec
from share_actors.drivers.supervision.status import PAUSING, Status, read_status, write_status

SPEC = UnitSpec(
    name="a unit",
    parts=(
        PartSpec(name="bus", command=("bus", "--fork"), creates="/run/bus"),
        PartSpec(
            name="main", command=("main",), environment={"A": "b"}, marker="main", start_s=5.0
        ),
    ),
    listen=("::1", 2049),
    protocol="nfs4",
    logs=("/var/log/main",),
)


def test_the_description_of_a_unit_is_read_as_it_was_written() -> None:
    assert UnitSpec.from_json(SPEC.to_json()) == SPEC
    assert SPEC.main.name == "main"
    assert SPEC.start_s == 15.0
    assert SPEC.protocol in OFFERS


def test_a_unit_without_a_plan_has_the_default(tmp_path: Path) -> None:
    assert type(plan_of(tmp_path, SPEC)) is Plan


def test_a_status_is_read_as_it_was_written_and_a_damaged_one_is_none(tmp_path: Path) -> None:
    path, status = tmp_path / "status.json", Status(PAUSING, 2, 3, "it ended")
    assert read_status(path) is None
    write_status(path, status)
    assert read_status(path) == status
    for text in ("", "{", "[]", '{"states": 1}'):
        path.write_text(text)
        assert read_status(path) is None


def test_the_supervisor_starts_without_what_takes_long_to_load() -> None:
    code = (
        "import sys, share_actors.drivers.supervision.supervisor;"
        "print({'pydantic', 'jeepney', 'share_actors.values'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
