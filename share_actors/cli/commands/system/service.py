"""`share-actors service install`: systemd units that keep the system, a head or a further node running."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from share_actors.actors.runtime.joining.head import other_address, own_address, parse_endpoint
from share_actors.actors.runtime.stop_times import longest_stop_s
from share_actors.cli import ray_roles
from share_actors.cli.command import command
from share_actors.cli.commands.system import machines
from share_actors.cli.commands.system.joining import read_token
from share_actors.cli.commands.system.machines import Machines
from share_actors.cli.session import Session
from share_actors.client.keywords import STOP_TIMEOUT_S
from share_actors.errors import InvalidRequest, Refused

SYSTEM, NODE = "share-actors.service", "share-actors-node.service"
"""The units of a system, with its head or not, and of a further node; a machine has one of them."""
_TEMPLATE = """[Unit]
Description=share_actors: {what}
{order}
StartLimitIntervalSec=0

[Service]
Type=exec
{environment}
EnvironmentFile=-{variables}
ExecStart={program} {arguments}
Restart=on-failure
RestartSec=2
RestartPreventExitStatus=2 3 4
KillMode=mixed
TimeoutStopSec={stop_s:.0f}
SuccessExitStatus=130
OOMPolicy=continue
LimitNOFILE={files}
TasksMax=infinity
{hardening}
[Install]
WantedBy={target}
"""
_OPEN_FILES = 65536
"""Ray's own recommendation; a raylet has several files open for each process that it started."""
_AFTER = "network-online.target remote-fs.target postgresql.service redis-server.service"
"""What may serve the log, Ray or a backend on the same machine; units that are not there are ignored."""
_HARDENING = (
    "LockPersonality=yes",
    "RestrictRealtime=yes",
    "ProtectHostname=yes",
    "SystemCallArchitectures=native",
    "KeyringMode=private",
)
"""What no driver needs. There is no option with a mount namespace of the unit's own: what a driver mounts or
exports would be invisible outside; and none that restricts devices, which btrfs and FUSE need, or `sudo`."""


HeadOption = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="ADDRESS:PORT",
        help="A system that other machines can join, at this address: `up --listen`.",
    ),
]
WorkerOption = Annotated[
    str | None,
    typer.Option(
        "--worker",
        metavar="HEAD:PORT",
        help="A further node of the cluster of this head, instead of a system: `up --join`.",
    ),
]


@command(
    "service install",
    examples=[
        "service install",
        "service install --print",
        "--config /etc/sa.toml service install --system",
        "--config /etc/sa.toml service install --system --head 10.0.0.1:6379",
        "service install --system --worker 10.0.0.1:6379 --backend tape --token-file token",
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
    head: HeadOption = None,
    worker: WorkerOption = None,
    token_file: machines.TokenOption = None,
    resource: machines.ResourceOption = None,
    backend: machines.BackendOption = None,
    node_address: machines.NodeAddressOption = None,
    any_version: machines.AnyVersionOption = False,
) -> None:
    """Write a systemd unit that starts the system, restarts it if it dies, and stops it in order.

    By default it is a unit of your own user manager. The unit uses this home and configuration file, and the
    variables in the file `environment` in the home, such as SHARE_ACTORS_LOG__PASSWORD. With --address it
    starts the system on that Ray cluster.
    """
    wanted = Machines(
        head,
        worker,
        token_file,
        tuple(resource or ()),
        tuple(backend or ()),
        node_address,
        any_version,
    )
    _check(session, wanted, only_print=only_print)
    token = None if token_file is None else read_token(token_file)
    text, file = unit(session, wanted, system=system), unit_path(wanted, system=system)
    if not only_print:
        _write(file, text)  # first: if it is refused, the token of another cluster stays
        if token is not None:
            session.home.mkdir(parents=True, exist_ok=True)
            ray_roles.write_token(session.home, token)
    _print_installed(session, file, text, system=system, written=not only_print)


def _print_installed(
    session: Session, file: Path, text: str, *, system: bool, written: bool
) -> None:
    user = "" if system else " --user"
    enable = f"systemctl{user} daemon-reload && systemctl{user} enable --now {file.stem}"
    if session.json:
        document = {"path": str(file), "unit": text, "written": written, "enable": enable}
        session.output.print_json(document)
    elif not written:
        session.output.stdout.write(text)
    else:
        session.output.print(f"Wrote {file}. To enable it: [bold]{enable}[/]")
        if not system:
            session.output.print(
                "To keep it running after you log out: [bold]loginctl enable-linger[/]"
            )


def _check(session: Session, wanted: Machines, *, only_print: bool) -> None:
    """Raise `InvalidRequest` for what the unit would fail with, which names the option of this command."""
    for field, value in (("head", wanted.listen), ("worker", wanted.join)):
        if value is not None:
            parse_endpoint(value, field)
    if wanted.listen is not None and wanted.join is not None:
        text = "--head and --worker exclude each other: a machine is one of them"
        raise InvalidRequest(text, field="worker", value=wanted.join)
    wanted.check(session.options.address, joins="worker")
    if wanted.node_address is not None:  # a unit that is only printed may be for another machine
        (other_address if only_print else own_address)(wanted.node_address, "node_address")


def unit(session: Session, wanted: Machines, *, system: bool) -> str:
    """The text of the unit for this home and configuration file; *system*: for the machine."""
    is_node = wanted.join is not None
    variables = {"SHARE_ACTORS_HOME": session.home}
    config = session.options.config
    if config is not None and not is_node:
        variables["SHARE_ACTORS_CONFIG"] = config.absolute()
    lines = [f"Environment={_quoted(f'{name}={value}')}" for name, value in variables.items()]
    what = "a node of the cluster" if is_node else "the control plane of shared filesystems"
    after = _AFTER if system else "network-online.target"
    hardening = "\n".join(_HARDENING) + "\n" if system else ""
    return _TEMPLATE.format(
        what=what,
        order=f"After={after}\nWants=network-online.target",
        environment="\n".join(lines),
        variables=str(session.home / "environment").replace("%", "%%"),
        program=_argument(sys.executable) + " -m share_actors.cli",
        arguments=" ".join(_arguments(session, wanted)),
        target="multi-user.target" if system else "default.target",
        stop_s=longest_stop_s(0.0 if is_node else STOP_TIMEOUT_S),
        files=_OPEN_FILES,
        hardening=hardening,
    )


def _arguments(session: Session, wanted: Machines) -> Iterator[str]:
    if session.options.address is not None:
        yield f"--address {_argument(session.options.address)}"
    yield "up --foreground"
    for option, value in (("listen", wanted.listen), ("join", wanted.join)):
        if value is not None:
            yield f"--{option} {_argument(value)}"
    if wanted.node_address is not None:
        yield f"--node-address {_argument(wanted.node_address)}"
    if wanted.any_version:
        yield "--any-version"
    for option, names in (("resource", wanted.resources), ("backend", wanted.backends)):
        yield from (f"--{option} {_argument(name)}" for name in names)


def _quoted(text: str) -> str:
    """*text* as one word of a unit file."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _argument(text: str) -> str:
    """*text* as one word of a command, in which `$` would begin the name of a variable."""
    return _quoted(text).replace("$", "$$")


def unit_path(wanted: Machines, *, system: bool) -> Path:
    """Where systemd looks for the unit."""
    name = SYSTEM if wanted.join is None else NODE
    if system:
        return Path("/etc/systemd/system") / name
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "systemd" / "user" / name


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
