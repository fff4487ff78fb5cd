"""`share-actors deploy ...`: manifests and a container recipe for machines that others run."""

# ruff: noqa: PLC0415 - the templates are read by the commands that need them
from __future__ import annotations

from importlib.metadata import version
from importlib.resources import files
from typing import Annotated

import typer

from share_actors.cli.command import command
from share_actors.cli.session import Session
from share_actors.errors import InvalidRequest


@command(
    "deploy kubernetes",
    examples=[
        "--config site.toml deploy kubernetes --image registry.example/share-actors:1 > cluster.yaml"
    ],
)
def kubernetes(
    session: Session,
    image: Annotated[str, typer.Option("--image", help="The container image of all pods.")],
    name: Annotated[
        str, typer.Option("--name", help="The name of the RayCluster, and the beginning of others.")
    ] = "share-actors",
    redis: Annotated[
        str, typer.Option("--redis", metavar="HOST:PORT", help="The Redis in which Ray keeps it.")
    ] = "redis:6379",
    database_secret: Annotated[
        str,
        typer.Option(
            "--database-secret", metavar="NAME", help="The Secret with the log's password."
        ),
    ] = "share-actors-db-app",
) -> None:
    """Print manifests for Kubernetes with the operator KubeRay, with the values of the configuration file.

    A RayCluster that survives the loss of its head, with a group of workers for each pinned backend, a Job
    that starts the system, a budget for disruptions and a network policy.
    """
    from share_actors.cli.deploy.kubernetes.manifests import Values, render

    file = session.options.config
    if file is None:
        raise InvalidRequest(
            "--config is required: the manifests contain the configuration file", field="config"
        )
    values = Values(image, name, redis, database_secret)
    text = render(session.config, file.read_text(encoding="utf-8"), values, version("ray"))
    _print(session, "manifests", text)


@command(
    "deploy container",
    examples=["deploy container > Containerfile", "deploy container --ignore > .containerignore"],
)
def container(
    session: Session,
    ignore: Annotated[
        bool, typer.Option("--ignore", help="Print the file `.containerignore` that belongs to it.")
    ] = False,
) -> None:
    """Print a recipe for a container image, which is built from a wheel of this package.

    The image has the Debian packages that the drivers of this package need, and its user has no rights.
    """
    from share_actors.cli.deploy import container as folder

    name = "containerignore" if ignore else "Containerfile"
    text = files(folder).joinpath(name).read_text(encoding="utf-8")
    _print(session, "recipe", text)


def _print(session: Session, key: str, text: str) -> None:
    if session.json:
        session.output.print_json({key: text})
    else:
        session.output.stdout.write(text)
