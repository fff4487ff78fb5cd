"""The program's group of commands: those that `cli/commands` lists."""

from __future__ import annotations

from typing import Any

from share_actors.cli.commands import LISTED
from share_actors.cli.groups import ListedCommands
from share_actors.cli.usage_errors import RootGroup


class ProgramGroup(RootGroup):
    """The program's group, with the commands that are listed."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes | {"commands": ListedCommands(LISTED)})
