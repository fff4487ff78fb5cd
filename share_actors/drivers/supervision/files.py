"""The files of a supervised unit in its directory."""

from __future__ import annotations

from pathlib import Path


class UnitFiles:
    """The places of the files in *directory*."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.spec = directory / "unit.json"
        """What the unit was started as. It exists while the unit is meant to run."""
        self.status = directory / "status.json"
        self.outputs = directory / "outputs.log"
        """What the supervisor and the parts have written."""
        self.lock = directory / "supervisor.lock"
        self.pids = directory / "pids"
        self.supervisor = self.pids / "supervisor"

    def pid(self, part: str) -> Path:
        """The record of the process of *part*."""
        return self.pids / part
