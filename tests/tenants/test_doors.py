"""Every call that reaches the system from outside says for whom, or is one that only the system makes."""

from __future__ import annotations

import inspect

import pytest

from share_actors.actors.catalog import CatalogActor
from share_actors.actors.manager.manager import ManagerActor

WITHOUT_CONTEXT = {
    ManagerActor: {
        "ready": "starts the system",
        "hello": "tells the versions of the program, before a client has a context",
        "submit": "each message carries a context",
        "begin": "each message carries a context",
        "more": "the rest of a batch, by an id that only its sender knows",
        "begin_measurement": "a stats actor measures a backend",
        "publish": "a report of a stats actor",
        "config": "clients check requests with it; without the key of secrets",
        "under_way": "for the end of the system",
        "stop": "for the end of the system",
    },
    CatalogActor: {
        "follow": "starts the catalog",
        "take_over": "starts the catalog",
        "ask": "for the system's parts; clients use `ask_as`",
        "stop": "for the end of the system",
    },
}


@pytest.mark.parametrize("actor", WITHOUT_CONTEXT)
def test_a_method_of_an_actor_takes_the_context_of_its_caller(actor: type) -> None:
    methods = inspect.getmembers(actor, inspect.iscoroutinefunction)
    without = {
        name
        for name, method in methods
        if not name.startswith("_")
        and not {"context", "ctxt"} & set(inspect.signature(method).parameters)
    }

    assert without == WITHOUT_CONTEXT[actor].keys()
