"""The package as `pip install .` installs it, outside of the checkout."""

from __future__ import annotations

import ast
import inspect
import os
import shutil
import subprocess
import sys
import tomllib
import venv
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

import pytest

from share_actors.client import ShareHandle, ShareSystem, aio, backends, entities, nodes, policies
from share_actors.client.sync import entities as sync_entities
from tests.docs.pages import ROOT
from tests.typing import client_program

pytestmark = pytest.mark.timeout(900)  # mypy reads the whole package without its cache
TIMEOUT_S = 800
PROGRAM = Path(client_program.__file__)
CLIENTS = [
    (ShareSystem, aio.AsyncShareSystem),
    (ShareHandle, aio.AsyncShare),
    (sync_entities.ShareNetworkCollection, entities.AsyncShareNetworkCollection),
    (sync_entities.ShareServerCollection, entities.AsyncShareServerCollection),
    (sync_entities.ShareTypeCollection, entities.AsyncShareTypeCollection),
    (sync_entities.BackendCollection, backends.AsyncBackendCollection),
    (policies.SnapshotPolicyCollection, policies.AsyncSnapshotPolicyCollection),
    (nodes.NodeCollection, nodes.AsyncNodeCollection),
]
"""Each class of the synchronous client, and its asynchronous form."""
DRIVERS = "local dummy local-servers"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment with this package installed, and its dependencies from ours."""
    top = tmp_path_factory.mktemp("installed")
    environment, source = top / "environment", top / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(
        ROOT / "share_actors", source / "share_actors", ignore=shutil.ignore_patterns("__pycache__")
    )
    venv.create(environment, with_pip=False)
    [packages] = environment.glob("lib/python*/site-packages")
    ours = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "dependencies.pth").write_text("\n".join(ours))
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python")]
    options = ["--quiet", "--no-deps", "--disable-pip-version-check", *_build_isolation()]
    run(*pip, "install", *options, str(source), directory=top)
    return environment / "bin"


def _build_isolation() -> list[str]:
    """Build with the setuptools that is here, if it is new enough; else pip downloads one."""
    return ["--no-build-isolation"] if int(version("setuptools").partition(".")[0]) >= 77 else []


def run(*command: str, directory: Path) -> str:
    """The output of *command*, run in *directory*; a failure is shown with its output."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "MYPYPATH")}
    ended = subprocess.run(
        command,
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def used_members() -> dict[str, set[str]]:
    """The attributes that each function of the program uses of its parameter, by the parameter's type."""
    used: dict[str, set[str]] = defaultdict(set)
    for function in ast.parse(PROGRAM.read_text(encoding="utf-8")).body:
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.args.args:
            parameter = function.args.args[0]
            assert parameter.annotation is not None
            kind = ast.unparse(parameter.annotation)
            for node in ast.walk(function):
                if isinstance(node, ast.Attribute) and ast.unparse(node.value) == parameter.arg:
                    used[kind].add(node.attr)
    return used


def public_members(cls: type) -> set[str]:
    return {name for name, _ in inspect.getmembers_static(cls) if not name.startswith("_")}


@pytest.mark.parametrize(("synchronous", "asynchronous"), CLIENTS)
def test_the_program_uses_every_public_member_of_both_clients(
    synchronous: type, asynchronous: type
) -> None:
    used = used_members()
    members = public_members(synchronous) | public_members(asynchronous)

    assert used[synchronous.__name__] == members
    assert used[asynchronous.__name__] == members


def test_the_program_passes_strict_mypy_against_the_installed_package(
    installed: Path, tmp_path: Path
) -> None:
    program = str(shutil.copy(PROGRAM, tmp_path))
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull]
    where = [
        "--python-executable",
        str(installed / "python"),
        "--cache-dir",
        str(tmp_path / "cache"),
    ]

    assert "no issues found in 1 source file" in run(*mypy, *where, program, directory=tmp_path)


def test_the_installed_package_is_typed_and_its_drivers_load_by_name(
    installed: Path, tmp_path: Path
) -> None:
    program = (
        "import share_actors; from importlib.resources import files\n"
        "from share_actors.drivers import known_drivers, load_driver\n"
        "assert files('share_actors').joinpath('py.typed').is_file()\n"
        f"assert set('{DRIVERS}'.split()) <= set(known_drivers()), known_drivers()\n"
        f"for name in '{DRIVERS}'.split(): load_driver(name)\n"
        "print(share_actors.__file__)"
    )

    path = run(str(installed / "python"), "-c", program, directory=tmp_path)

    assert Path(path.strip()).is_relative_to(installed.parent)


def test_the_installed_command_prints_the_version(installed: Path, tmp_path: Path) -> None:
    output = run(str(installed / "share-actors"), "--version", directory=tmp_path)

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert output.split() == ["share-actors", project["version"]]
