"""`share-actors driver ...`: make a package for a new driver, and grade a driver."""

# ruff: noqa: PLC0415 - what each command needs is imported by it
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from share_actors.cli.command import command
from share_actors.cli.output import escape
from share_actors.cli.session import Session


@command("driver new", examples=["driver new acme-nas", "driver new acme-nas --directory nas"])
def new(
    session: Session,
    name: Annotated[str, typer.Argument(help="The driver's name, as a configuration says it.")],
    directory: Annotated[
        Path | None,
        typer.Option("--directory", help="Make this directory. Default: share-actors-NAME."),
    ] = None,
) -> None:
    """Make a package with a new driver that works: options, storage, tests, the contract, and CI.

    The driver keeps its shares in a directory. Replace its module `storage` by calls of your storage system.
    """
    from share_actors.cli.driver_kit.package import DriverPackage

    package = DriverPackage(name, directory or Path(f"share-actors-{name}"))
    package.check()
    paths = package.write()
    if session.json:
        document = {"name": name, "directory": str(package.directory), "files": paths}
        session.output.print_json(document)
        return
    where = escape(str(package.directory))
    session.output.print(f"The package of the driver [bold]{name}[/] is in {where}:")
    for path in paths:
        session.output.print(f"  {escape(path)}")
    session.output.print(f"Next: cd {where} && pip install -e '.\\[dev]' && pytest")


DriverArgument = Annotated[
    str,
    typer.Argument(
        metavar="DRIVER",
        help="The name of a driver, of an installed package with drivers, or MODULE:CLASS.",
    ),
]
OptionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="KEY=VALUE",
        help="An option of the driver; {tmp} in the value is a new directory of each test."
        " A required path is such a directory by default.",
    ),
]


@command(
    "driver grade",
    examples=[
        "driver grade acme-nas --html report.html",
        "driver grade share-actors-acme-nas --option root={tmp}/root",
        "driver grade acme-nas --contract tests.test_contract:TestAcmeNas",
    ],
)
def grade(
    session: Session,
    driver: DriverArgument,
    option: OptionOption = None,
    contract: Annotated[
        str | None,
        typer.Option(
            "--contract",
            metavar="MODULE:CLASS",
            help="Run this subclass of the contract, with its fixtures.",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the report as HTML.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Let methods die and stall at few of their steps.")
    ] = False,
    test_limit: Annotated[
        float,
        typer.Option("--test-limit", metavar="SECONDS", help="Stop a test that takes longer."),
    ] = 300.0,
) -> None:
    """Run the contract against a driver, and report which of its promises it keeps.

    Everything is tried on new directories, unless an option says otherwise: do not give options of a backend
    that is in use. Exits with 1 if a promise is broken. Needs pytest.
    """
    from share_actors.cli.driver_kit import grades

    plans = grades.plans(driver, option or [], contract, quick=quick, test_limit_s=test_limit)
    if html is not None:
        grades.check_new(html)
    found = [grades.run(session, plan) for plan in plans]
    if html is not None:
        grades.write_html(html, found)
    grades.show(session, found)
    if not all(one.passed for one in found):
        raise typer.Exit(grades.BROKEN)
