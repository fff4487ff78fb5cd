"""Groups of commands, whose modules are imported when a command or the help of its group is looked up.

So `share-actors --help`, completion, and each command import and build only what they need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand

from share_actors.cli.usage_errors import CommandGroup

PACKAGE = "share_actors.cli"


class Listed(NamedTuple):
    """A group, or a command without a group, as the help of the program lists it."""

    summary: str
    modules: tuple[str, ...]
    """The modules that define its commands, below `share_actors.cli`."""
    is_group: bool = True


class Registered(NamedTuple):
    """A command as its module has registered it."""

    module: str
    build: Callable[[], tuple[Callable[..., None], str]]
    """Returns the function that the parser reads, and the help text."""


@cache
def registered(group: str) -> dict[str, Registered]:
    """The commands of *group* that have been registered, by name; of the program itself for ''."""
    return {}


def built(group: str, name: str) -> Any:
    """The registered command *name* of *group*, as the parser needs it."""
    function, help_text = registered(group)[name].build()
    single = typer.Typer(
        add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False
    )
    single.command(name, help=help_text)(function)
    return typer.main.get_command(single)


def _import(modules: Sequence[str]) -> None:
    for module in modules:
        import_module(f"{PACKAGE}.{module}")


class CommandsOfGroup(Mapping[str, Any]):
    """The commands of a group by name: all are imported at the first look, and each is built when needed."""

    def __init__(self, group: str, modules: Sequence[str]) -> None:
        self._group, self._modules = group, modules
        self._built: dict[str, Any] = {}

    @cached_property
    def _registered(self) -> Mapping[str, object]:
        """The commands in the order of the modules, also if some of these were imported before."""
        _import(self._modules)
        order = {f"{PACKAGE}.{module}": n for n, module in enumerate(self._modules)}
        found = registered(self._group)
        return {name: found[name] for name in sorted(found, key=lambda n: order[found[n].module])}

    def __getitem__(self, name: str) -> Any:
        if name not in self._registered:
            raise KeyError(name)
        if name not in self._built:
            self._built[name] = built(self._group, name)
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._registered)

    def __len__(self) -> int:
        return len(self._registered)


class ListedCommand(TyperCommand):
    """A command without a group, of which only name and summary are known until it is parsed."""

    def __init__(self, name: str, listed: Listed) -> None:
        super().__init__(name, help=listed.summary, rich_markup_mode="rich")
        self._modules = listed.modules

    @cached_property
    def built(self) -> Any:
        """The command itself."""
        _import(self._modules)
        return built("", self.name or "")

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Parse the command's own arguments."""
        return self.built.make_context(*arguments, **options)


class ListedCommands(Mapping[str, Any]):
    """The groups and commands of the program by name, made from a list of them."""

    def __init__(self, listed: Mapping[str, Listed]) -> None:
        self._listed = listed
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._make(name, self._listed[name])
        return self._made[name]

    def _make(self, name: str, listed: Listed) -> Any:
        if not listed.is_group:
            return ListedCommand(name, listed)
        from share_actors.cli.command import group_options  # noqa: PLC0415 - it needs this module

        parameters, callback = group_options()
        return CommandGroup(
            name=name,
            help=listed.summary,
            params=parameters,
            callback=callback,
            epilog="The options of its commands for output, the system and the user may stand before the"
            " command too.",
            commands=CommandsOfGroup(name, listed.modules),  # type: ignore[arg-type]
            no_args_is_help=True,
            rich_markup_mode="rich",
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)
