"""`share-actors driver new`: the package works as it is, and what cannot be made is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from tests.cli_home import error_of, home, run
from tests.kit.generated import KEPT, NAME

__all__ = ["home"]


def files_of(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): path.read_text(encoding="utf-8")
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.suffix != ".pyc" and "cache" not in str(path)
    }


def install(package: Path, site: Path) -> dict[str, str]:
    """What `pip install -e` does to the environment of a process, without pip: its variables."""
    info = site / f"share_actors_{NAME}-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: share-actors-{NAME}\nVersion: 0.1.0\n"
    )
    entry_point = f"{NAME} = share_actors_{NAME}.driver:{NAME.capitalize()}Driver"
    (info / "entry_points.txt").write_text(f"[share_actors.drivers]\n{entry_point}\n")
    paths = [str(package / "src"), str(site), str(Path(__file__).parents[2])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def test_the_kept_package_is_the_one_that_the_command_makes(home: Path) -> None:
    made = run("--json", "driver", "new", NAME, "--directory", str(home / "made"))

    assert made.exit_code == 0
    assert set(json.loads(made.stdout)["files"]) == set(files_of(home / "made"))
    assert files_of(home / "made") == files_of(KEPT), "run `python -m tests.kit.generated`"


def test_the_tests_of_a_new_package_pass(tmp_path: Path) -> None:
    environment = install(KEPT, tmp_path / "site")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly"]

    ran = subprocess.run(
        [
            *command,
            f"--basetemp={tmp_path / 'tests'}",
            "--rootdir",
            str(KEPT),
            "-c",
            "pyproject.toml",
        ],
        cwd=KEPT,
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout
    assert "passed" in ran.stdout


def test_the_files_for_installation_and_continuous_integration_name_the_driver() -> None:
    project = (KEPT / "pyproject.toml").read_text()
    workflow = yaml.safe_load((KEPT / ".github/workflows/test.yml").read_text())

    assert 'acme = "share_actors_acme.driver:AcmeDriver"' in project
    assert f"share-actors>={version('share-actors')}" in project
    steps = [step.get("run") for step in workflow["jobs"]["test"]["steps"]]
    assert "pytest" in steps
    assert "share-actors driver grade acme --html report.html" in steps


def test_an_existing_directory_is_refused_and_not_changed(home: Path) -> None:
    (home / "there").mkdir()
    (home / "link").symlink_to("nowhere")

    for name in ("there", "link"):
        refused = run("--json", "driver", "new", NAME, "--directory", str(home / name))
        assert (refused.exit_code, error_of(refused)["field"]) == (3, "directory")
        assert "exists; it was not changed" in error_of(refused)["message"]
    assert list((home / "there").iterdir()) == []


def test_a_directory_that_cannot_be_made_is_refused(home: Path) -> None:
    (home / "file").touch()

    refused = run("--json", "driver", "new", NAME, "--directory", str(home / "file" / "below"))

    assert refused.exit_code == 3
    assert "cannot be written: Not a directory" in error_of(refused)["message"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Acme", "is no name of a driver"),
        ("acme_nas", "is no name of a driver"),
        ("-acme", ""),
        ("acme--nas", "is no name of a driver"),
        ("acme-", "is no name of a driver"),
        ("3par", "is no name of a driver"),
        ("../acme", "is no name of a driver"),
        ("a" * 25, "use up to 24 lower-case letters"),
        ("caf\u00e9", "is no name of a driver"),
        ("", "is no name of a driver"),
        ("local", "is the name of an installed driver"),
    ],
)
def test_a_bad_name_is_refused_with_what_is_expected(home: Path, name: str, problem: str) -> None:
    refused = run("--json", "driver", "new", "--directory", str(home / "made"), "--", name)

    assert refused.exit_code == 3
    assert problem in error_of(refused)["message"]
    assert not (home / "made").exists()
