"""The recipe of the container image has what the drivers need, and the wheel that it installs works alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import NamedTuple

import pytest

from share_actors.drivers.btrfs.backend import PROGRAMS
from share_actors.drivers.samba.programs import PACKAGES
from tests.cli_home import home, run

__all__ = ["home"]

ROOT = Path(__file__).parents[2]
BROUGHT = {"samba-common-bin": "samba"}
"""Packages that another one of the recipe depends on."""
SMOKE = """
import asyncio
from pathlib import Path
import share_actors, share_actors.testing

async def main():
    backend = {"driver": "dummy", "options": {"directory": str(Path("backend").absolute())}}
    config = share_actors.Config(home=Path("home").absolute(), backends={"local": backend})
    async with share_actors.testing.system(config, durable=True) as system:
        share = await system.create_share(size=1)
        await share.allow_access("10.0.0.0/24", type="ip")
        print(share.status, share.size)

print(share_actors.__file__)
asyncio.run(main())
"""


class Installed(NamedTuple):
    """A virtual environment with the wheel, and a directory without source code."""

    wheel: Path
    bin: Path
    directory: Path

    def run(self, program: str, *words: str) -> str:
        """What *program* of the environment prints."""
        own = {
            k: v for k, v in os.environ.items() if not k.startswith(("SHARE_", "PYTHON", "RAY_"))
        }
        ended = subprocess.run(
            [str(self.bin / program), *words],
            cwd=self.directory,
            env={**own, "SHARE_ACTORS_HOME": str(self.directory / "home")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel, installed as the recipe does, except that dependencies are those of this environment."""
    top = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
    build = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(top / "dist"))
    source = copied(top / "source")
    subprocess.run([*pip, *build, str(source)], check=True)
    [wheel] = (top / "dist").iterdir()
    venv.create(top / "environment", symlinks=True)
    python = top / "environment/bin/python"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(top / "environment")}))
    packages.joinpath("dependencies.pth").write_text(sysconfig.get_path("purelib"))
    subprocess.run([*pip, "--python", str(python), "install", "--no-deps", str(wheel)], check=True)
    (top / "empty").mkdir()
    return Installed(wheel, python.parent, top / "empty")


def copied(to: Path) -> Path:
    """What a wheel is built from, in a directory of its own: a build writes beside the source."""
    to.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (to / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run(["cp", "-r", str(ROOT / "share_actors"), str(to)], check=True)
    return to


@pytest.fixture
def recipe(home: Path) -> str:
    """The recipe, with continued lines joined."""
    text: str = run("deploy", "container").stdout
    return text.replace("\\\n", " ")


def test_the_recipe_copies_the_wheel_and_installs_what_it_copied(
    recipe: str, installed: Installed
) -> None:
    [copy] = re.findall(r"^COPY (\S+) (\S+)$", recipe, re.MULTILINE)
    [pattern] = re.findall(r"ls /wheels/(\S+)\)", recipe)

    assert copy == ("dist/*.whl", "/wheels/")
    assert installed.wheel.match(pattern)
    assert "!dist/*.whl" in run("deploy", "container", "--ignore").stdout.splitlines()


def test_the_recipe_has_the_debian_packages_of_all_programs_that_drivers_run(recipe: str) -> None:
    [packages] = re.findall(r'^ARG DRIVER_PACKAGES="([^"]*)"$', recipe, re.MULTILINE)

    needed = {BROUGHT.get(name, name) for name in (*PROGRAMS.values(), *PACKAGES.values())}
    assert needed <= set(packages.split())


def test_the_image_runs_as_a_user_who_owns_the_home_of_the_system(recipe: str) -> None:
    [user] = re.findall(r"^USER (\d+):\d+$", recipe, re.MULTILINE)
    [made, directory] = re.findall(r"useradd --uid (\d+) .*--home-dir (\S+)", recipe)[0]

    assert user == made != "0"
    assert f"SHARE_ACTORS_HOME={directory}" in recipe
    assert re.search(
        r'^ENTRYPOINT \["/usr/bin/tini", "--", "share-actors"\]$', recipe, re.MULTILINE
    )
    assert recipe.index("RUN useradd") < recipe.index("USER ")


def test_the_wheel_works_without_the_source(installed: Installed) -> None:
    version = re.findall(r"share_actors-([^-]+)-", installed.wheel.name)

    assert installed.run("share-actors", "--version").split() == ["share-actors", *version]
    file, state = installed.run("python", "-c", SMOKE).splitlines()
    assert Path(file).is_relative_to(installed.bin.parent)
    assert state == "available 1"


def test_the_wheel_has_the_manifests_and_the_recipe(installed: Installed) -> None:
    site = installed.directory / "site.toml"
    site.write_text('[log]\nkind = "postgresql"\n[backends.a]\ndriver = "dummy"\nnode = "a"\n')

    manifests = installed.run(
        "share-actors", "--config", str(site), "deploy", "kubernetes", "--image", "a"
    )
    assert "kind: RayCluster" in manifests
    assert "groupName: a" in manifests
    assert installed.run("share-actors", "deploy", "container").startswith("# An image")
    assert "!dist/*.whl" in installed.run("share-actors", "deploy", "container", "--ignore")
