"""A new package with a driver that works: its files, from the templates beside this module."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import NamedTuple

from share_actors.cli.command import installed_version
from share_actors.drivers.registry import known_drivers
from share_actors.errors import InvalidRequest, shown

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
MAX_NAME = 24
FILES = {
    "pyproject.toml": "pyproject.toml.in",
    "README.md": "README.md.in",
    "site.toml": "site.toml.in",
    ".gitignore": "gitignore.in",
    ".github/workflows/test.yml": "workflow.yml.in",
    "src/$module/__init__.py": "src/__init__.py.in",
    "src/$module/py.typed": "src/py.typed.in",
    "src/$module/options.py": "src/options.py.in",
    "src/$module/storage.py": "src/storage.py.in",
    "src/$module/driver.py": "src/driver.py.in",
    "tests/test_contract.py": "tests/test_contract.py.in",
    "tests/test_system.py": "tests/test_system.py.in",
}
"""The files of a package, each with its template."""


class DriverPackage(NamedTuple):
    """A package with the driver *name*, in a new *directory*."""

    name: str
    directory: Path

    @property
    def module(self) -> str:
        """The module of the package."""
        return "share_actors_" + self.name.replace("-", "_")

    @property
    def prefix(self) -> str:
        """The beginning of the names of its classes."""
        return "".join(part.capitalize() for part in self.name.split("-"))

    def check(self) -> None:
        """Raise `InvalidRequest`, with the field and the value, if the package cannot be made."""
        _check_name(self.name)
        if self.directory.exists() or self.directory.is_symlink():
            raise InvalidRequest(
                f"--directory: {self.directory} exists; it was not changed: choose a new one",
                field="directory",
                value=str(self.directory),
            )

    def render(self) -> Mapping[str, str]:
        """The contents of its files, by their paths in the directory."""
        words = {"name": self.name, "module": self.module, "prefix": self.prefix}
        words["version"] = _release(installed_version())
        templates = files("share_actors.cli.driver_kit").joinpath("template")
        return {
            Template(path).substitute(words): Template(
                templates.joinpath(template).read_text(encoding="utf-8")
            ).substitute(words)
            for path, template in FILES.items()
        }

    def write(self) -> list[str]:
        """Write all files, or nothing; returns their paths in the directory.

        Raises `InvalidRequest` if the directory cannot be written.
        """
        rendered = self.render()
        try:
            self.directory.mkdir(parents=True)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            for path, text in rendered.items():
                file = self.directory / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
        except OSError as error:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise self._unwritable(error) from None
        return list(rendered)

    def _unwritable(self, error: OSError) -> InvalidRequest:
        return InvalidRequest(
            f"--directory: {self.directory} cannot be written: {error.strerror}",
            field="directory",
            value=str(self.directory),
        )


def _check_name(name: str) -> None:
    problem = ""
    if not NAME.fullmatch(name) or len(name) > MAX_NAME:
        problem = (
            f"is no name of a driver: use up to {MAX_NAME} lower-case letters and digits, with single"
            " hyphens between words, and a letter first, such as acme-nas"
        )
    elif name in known_drivers():
        problem = "is the name of an installed driver: choose another name"
    if problem:
        raise InvalidRequest(f"NAME: {shown(name)} {problem}", field="name", value=name)


def _release(version: str) -> str:
    """The version without what follows its numbers; 0 if it is unknown."""
    found = re.match(r"\d+(\.\d+)*", version)
    return found[0] if found else "0"
