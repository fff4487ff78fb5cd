"""The examples in the docstrings of the client run as they are shown, each with a share of its own."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from share_actors.client import ShareHandle, ShareSystem
from share_actors.client.sync.bulk import Bulk
from share_actors.client.sync.entities import ShareNetworkCollection, ShareTypeCollection
from share_actors.testing import SyncInProcessSystem, sync_system

CLASSES = (ShareSystem, ShareHandle, Bulk, ShareNetworkCollection, ShareTypeCollection)


class Example(NamedTuple):
    """A method with an example in its docstring."""

    name: str
    text: str

    def __str__(self) -> str:
        return self.name


def examples() -> Iterator[Example]:
    for kind in CLASSES:
        for name in dir(kind):
            text = getattr(kind, name).__doc__ or ""
            if not name.startswith("_") and ">>> " in text:
                yield Example(f"{kind.__name__}.{name}", text)


@pytest.fixture(scope="module")
def system() -> Iterator[SyncInProcessSystem]:
    with sync_system() as started:
        yield started


@pytest.mark.parametrize("example", list(examples()), ids=str)
def test_the_example_of_a_method_runs_as_shown(
    system: SyncInProcessSystem, example: Example
) -> None:
    for earlier in system.shares(limit=1000).items:
        earlier.delete(cascade=True)
    known = {"system": system, "share": system.create_share(size=10, name="data")}
    shown = doctest.DocTestParser().get_doctest(example.text, known, example.name, None, None)

    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(shown)

    assert results.attempted
    assert not results.failed


def test_the_methods_that_are_learnt_first_have_an_example() -> None:
    told = {example.name for example in examples()}

    assert told >= {
        *("ShareSystem.create_share", "ShareSystem.watch_shares", "Bulk.create_shares"),
        *(f"ShareHandle.{name}" for name in ("allow_access", "extend", "wait_for", "watch")),
    }
