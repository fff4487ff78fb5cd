"""Handles in an interactive session: what `repr`, `dir` and `help` show; and that they can be pickled."""

from __future__ import annotations

import pickle
import pydoc
from typing import Any

import pytest

from share_actors.actors.runtime.connection import reconnected
from share_actors.client.manager import Manager, Verb
from share_actors.client.share.actor import ShareActor
from share_actors.errors import Unavailable
from share_actors.testing import SyncInProcessSystem
from tests.tenants.callers import MEMBER


class Calls:
    """Stands for the Ray actor that makes calls."""


class Method:
    """Stands for a method of a Ray actor."""

    options = "Ray's"

    def remote(self, *args: object, **kwargs: object) -> Any:
        return args, kwargs


def helped(thing: object) -> str:
    return pydoc.plain(pydoc.render_doc(thing))


def test_a_system_shows_on_whose_behalf_it_is_used(system: SyncInProcessSystem) -> None:
    assert repr(system.as_user(MEMBER)) == "<share system 'share-actors', as mia of project blue>"
    assert repr(system).endswith(", administrator of the system>")


def test_collections_show_what_they_are(system: SyncInProcessSystem) -> None:
    blue = system.as_user(MEMBER)

    assert repr(blue.networks) == "<share networks, as mia of project blue>"
    assert repr(blue._system.types) == "<share types, as mia of project blue>"
    assert repr(blue.nodes) == "<nodes, as mia of project blue>"
    assert repr(blue.subjects) == "<data subjects, as mia of project blue>"
    assert repr(blue.bulk) == "<requests in bulk, as mia of project blue>"


def test_completion_offers_public_names_alone(system: SyncInProcessSystem) -> None:
    share = system.create_share(size=1)
    for handle in (system, share, share._share, system.networks, system._system.backends):
        names = dir(handle)

        assert names
        assert not [name for name in names if name.startswith("_")]
    assert {"extend", "wait_for", "watch", "status"} <= set(dir(share))


@pytest.mark.parametrize("method", ["extend", "wait_for", "create_snapshot", "delete"])
def test_help_shows_the_parameters_and_the_description_of_a_method(
    system: SyncInProcessSystem, method: str
) -> None:
    share = system.create_share(size=1)

    text = helped(getattr(share, method))

    assert f"{method}(" in text
    assert "**options" in text or "timeout" in text
    assert len(text.splitlines()) > 3


def test_help_shows_a_method_of_a_share_actor() -> None:
    calls: Any = Calls()
    actor = ShareActor(calls, "7b2e8caf-8d0b-4d5e-9b0e-2f4a1a1f5d11", MEMBER)

    assert "Extend the share to" in str(actor.extend.__doc__)
    assert repr(actor.extend) == "<method extend of a share actor: call it with .remote(...)>"
    assert repr(actor.show) == "<method refresh of a share actor: call it with .remote(...)>"
    assert not [name for name in dir(actor) if name.startswith("_")]


def test_the_manager_shows_its_verbs_before_any_is_called() -> None:
    handle: Any = Calls()
    manager = Manager(handle, "share-actors")

    assert repr(manager).startswith("<manager of the share system 'share-actors', with ")
    assert manager.handle is handle
    assert "revert_to_snapshot" in dir(manager)
    assert not [name for name in dir(manager) if name.startswith("_")]


def test_a_verb_is_called_with_remote() -> None:
    verb = Verb("create_share", Method())

    with pytest.raises(TypeError, match=r"call the verb as manager.create_share.remote\(...\)"):
        verb()
    assert verb.remote(1, b=2) == ((1,), {"b": 2})
    assert verb.options == "Ray's"


def test_a_handle_of_a_system_in_this_process_cannot_be_pickled(
    system: SyncInProcessSystem,
) -> None:
    for handle in (system, system.create_share(size=1), system.networks):
        with pytest.raises(TypeError, match="a system in this process, and its handles"):
            pickle.dumps(handle)


def test_a_handle_cannot_be_unpickled_outside_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "share_actors.actors.runtime.connection.lifecycle.is_initialized", lambda: False
    )

    with pytest.raises(Unavailable, match=r"has not joined: call share_actors.connect\(\) first"):
        reconnected("share-actors", None)
