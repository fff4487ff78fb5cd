"""The options of `up` for several machines, and what `--listen` does: it lets others join."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import typer

from share_actors.actors.runtime.joining.facts import resources_of
from share_actors.actors.runtime.joining.head import own_address, parse_endpoint
from share_actors.actors.runtime.system_state import SystemState
from share_actors.cli import ray_roles
from share_actors.cli.output import escape
from share_actors.cli.ray_roles import RayRole
from share_actors.cli.session import Session
from share_actors.config import Config
from share_actors.errors import ConfigError, InvalidRequest, Refused, shown

PANEL = "Several machines"
OF_RAY = ("CPU", "GPU", "memory", "object_store_memory")
"""Resources that Ray counts itself."""


def _option(name: str, metavar: str, text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        f"--{name}", metavar=metavar, help=text, rich_help_panel=PANEL
    )
    return option


ListenOption = Annotated[
    str | None,
    _option("listen", "ADDRESS:PORT", "Let other machines join, at this address of this machine."),
]
JoinOption = Annotated[
    str | None,
    _option(
        "join", "HEAD:PORT", "Join the cluster of this head as a further node; start no system."
    ),
]
TokenOption = Annotated[
    str | None,
    _option(
        "token-file",
        "FILE",
        "The token of the head to join; - reads it from standard input. It is kept in the home.",
    ),
]
ResourceOption = Annotated[
    list[str] | None,
    _option(
        "resource", "NAME", "This machine reaches the backends with `node = NAME`. Repeatable."
    ),
]
BackendOption = Annotated[
    list[str] | None,
    _option(
        "backend", "NAME", "This machine reaches this backend: the same, by its name. Repeatable."
    ),
]
NodeAddressOption = Annotated[
    str | None,
    _option(
        "node-address",
        "ADDRESS",
        "The address of this machine for the other nodes. Default: the one that leads to the head.",
    ),
]
AnyVersionOption = Annotated[
    bool,
    typer.Option(
        "--any-version",
        help="Join also if a system there runs another version of share_actors, as during an upgrade.",
        rich_help_panel=PANEL,
    ),
]


class Machines(NamedTuple):
    """The options of `up` for several machines, as they were given."""

    listen: str | None = None
    join: str | None = None
    token_file: str | None = None
    resources: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    node_address: str | None = None
    any_version: bool = False

    def check(self, address: str | None, joins: str = "join") -> None:
        """Raise `InvalidRequest` for options that exclude each other, or that need the option *joins*."""
        forms = {"join": self.join, "listen": self.listen, "address": address}
        given = [name for name, value in forms.items() if value is not None]
        if len(given) > 1:
            raise InvalidRequest(
                f"--{given[0]} and --{given[1]} exclude each other",
                field=given[1],
                value=forms[given[1]],
            )
        of_join = {"token_file": self.token_file, "node_address": self.node_address}
        of_join["any_version"] = "true" if self.any_version else None
        for field, value in of_join.items():
            if value is not None and self.join is None:
                option = f"--{field.replace('_', '-')}"
                raise InvalidRequest(f"{option} is for --{joins}", field=field, value=value)
        for name in self.resources:
            _check_resource(name)
        for field, names in {"resource": self.resources, "backend": self.backends}.items():
            if names and address is not None:
                raise InvalidRequest(
                    f"--{field} {names[0]}: `up` does not start the nodes of the cluster at {address}",
                    field=field,
                    value=names[0],
                )


def _check_resource(name: str) -> None:
    if not name or name in OF_RAY or name.startswith("node:") or not name.isprintable():
        raise InvalidRequest(
            f"--resource {shown(name)}: it must be a name that Ray does not use itself",
            field="resource",
            value=name,
        )


# -- the head ------------------------------------------------------------------------------------
def role_of_head(config: Config, machines: Machines) -> RayRole:
    """The Ray that `up` starts for the system of *config*, to which others can be let in.

    Raises `ConfigError` if they can't be: the log is an SQLite file.
    """
    known = {name: backend.node for name, backend in config.backends.items()}
    resources = (*machines.resources, *resources_of(machines.backends, known))
    if machines.listen is None:
        return ray_roles.alone(resources)
    at = parse_endpoint(machines.listen, "listen")
    own_address(at.host, "listen")
    if config.log.kind == "sqlite":
        raise ConfigError(
            "log.kind 'sqlite' works on one node only, and --listen lets other machines join: set log.kind to"
            " 'postgresql'",
            field="log.kind",
            value="sqlite",
        )
    token = ray_roles.ensure_token(config.home)
    return ray_roles.listening(at, resources, token, config.ray.node_silence_s)


def check_serves(running: SystemState, machines: Machines) -> None:
    """Raise `Refused` if the *running* Ray of this home is a further node, or listens elsewhere."""
    if running.joined:
        raise Refused(
            f"this machine is a node of the cluster at {running.address}; nothing was started",
            field="home",
            next_step="Start the system on the machine of the head, or run `share-actors down` here first.",
        )
    if machines.listen is None:
        return
    at = parse_endpoint(machines.listen, "listen")
    if at.port == 0:
        at = at._replace(port=int((running.address or ":0").rpartition(":")[2]))
    if running.address != str(at):
        raise Refused(
            f"the running system listens at {running.address}, not at {at}; nothing was changed",
            field="listen",
            value=machines.listen,
            next_step="Run `share-actors down`, then `up` with --listen again.",
        )


def how_to_join(session: Session, state: SystemState) -> str:
    """What to do on another machine, for whoever has started the head of *state*."""
    token = ray_roles.token_file(session.home)
    return (
        f"On another machine: [bold]share-actors up --join {state.address} --token-file FILE[/], with a copy"
        f" of {escape(str(token))}"
    )
