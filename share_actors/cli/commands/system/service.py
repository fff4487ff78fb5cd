"""`share-actors service install`: a systemd unit that keeps the system running."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from share_actors.actors.runtime.stop_times import longest_stop_s
from share_actors.cli.command import command
from share_actors.cli.session import Session
from share_actors.client.keywords import STOP_TIMEOUT_S
from share_actors.errors import Refused

UNIT = "share-actors.service"
_TEMPLATE = """[Unit]
Description=share_actors: the control plane of shared filesystems
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
{environment}
ExecStart={program} up --foreground
Restart=on-failure
RestartSec=2
KillMode=mixed
TimeoutStopSec={stop_s:.0f}
SuccessExitStatus=130

[Install]
WantedBy={target}
"""


@command(
    "service install",
    examples=[
        "service install",
        "service install --print",
        "--config /etc/sa.toml service install --system",
    ],
)
def install(
    session: Session,
    system: Annotated[
        bool, typer.Option("--system", help="For the machine, in /etc/systemd/system; needs root.")
    ] = False,
    only_print: Annotated[
        bool, typer.Option("--print", help="Print the unit; write nothing.")
    ] = False,
) -> None:
    """Write a systemd unit that starts the system, restarts it if it dies, and stops it in order.

    By default it is a unit of your own user manager. The unit uses this home and configuration file.
    """
    text, file = unit(session, system=system), unit_path(system=system)
    if not only_print:
        _write(file, text)
    user = "" if system else " --user"
    enable = f"systemctl{user} daemon-reload && systemctl{user} enable --now share-actors"
    if session.json:
        document = {"path": str(file), "unit": text, "written": not only_print, "enable": enable}
        session.output.print_json(document)
    elif only_print:
        session.output.stdout.write(text)
    else:
        session.output.print(f"Wrote {file}. To enable it: [bold]{enable}[/]")
        if not system:
            session.output.print(
                "To keep it running after you log out: [bold]loginctl enable-linger[/]"
            )


def unit(session: Session, *, system: bool) -> str:
    """The text of the unit for this home and configuration file."""
    variables = {"SHARE_ACTORS_HOME": session.home}
    config = session.options.config
    if config is not None:
        variables["SHARE_ACTORS_CONFIG"] = config.absolute()
    lines = [f"Environment={_quoted(f'{name}={value}')}" for name, value in variables.items()]
    program = _quoted(sys.executable) + " -m share_actors.cli"
    target = "multi-user.target" if system else "default.target"
    return _TEMPLATE.format(
        environment="\n".join(lines),
        program=program,
        target=target,
        stop_s=longest_stop_s(STOP_TIMEOUT_S),
    )


def _quoted(text: str) -> str:
    """*text* as one word of a unit file."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def unit_path(*, system: bool) -> Path:
    """Where systemd looks for the unit."""
    if system:
        return Path("/etc/systemd/system") / UNIT
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "systemd" / "user" / UNIT


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(
            f"{file} can't be written: {error.strerror}",
            field="path",
            value=str(file),
            next_step="Nothing was installed. Use `--print` and write it yourself, or run as root.",
        ) from None
