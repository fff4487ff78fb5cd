"""`share-actors log ...`: commands that read the event log."""

from __future__ import annotations

import typer

from share_actors.cli.commands import log_verify
from share_actors.cli.usage_errors import CommandGroup

app = typer.Typer(cls=CommandGroup, no_args_is_help=True, help="Verify the event log.")
log_verify.register(app)
