"""The promises of drivers, for their reference page."""

from __future__ import annotations

from collections.abc import Iterator

from share_actors.testing.contracts.driver import DriverContract
from share_actors.testing.contracts.expectations import promise_of
from share_actors.testing.contracts.promises import AREAS, PROMISES, Area, Promise
from share_actors.testing.contracts.server import ServerContract


def promises() -> str:
    """A section for each area, with a heading for each promise, its anchor."""
    return "\n\n".join(map(_section, AREAS))


def _section(area: Area) -> str:
    of_area = [promise for promise in PROMISES.values() if promise.area == area]
    return "\n\n".join([f"## {area.capitalize()}", *map(_entry, of_area)])


def _entry(promise: Promise) -> str:
    tests = "\n".join(f"- `{name}`" for name in sorted(set(_tests_of(promise))))
    return (
        f"### {promise.name}\n\n**{promise.text}** Without it: {_lower(promise.why)}\n\n"
        f"Tested by:\n\n{tests}"
    )


def _lower(sentence: str) -> str:
    return sentence if sentence.startswith("`") else sentence[0].lower() + sentence[1:]


def _tests_of(promise: Promise) -> Iterator[str]:
    for contract in (DriverContract, ServerContract):
        for name in dir(contract):
            if name.startswith("test_") and promise_of(getattr(contract, name)) == promise:
                yield name
