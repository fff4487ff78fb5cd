"""An actor that is to leave its node ends wherever Ray starts it there, and goes on elsewhere."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from share_actors.actors.runtime import kept_config
from share_actors.actors.runtime.kept_config import MAX_STARTS, NodesToLeave


class Ended(Exception):
    """The process of the actor has ended."""


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The node of this process, by `id`; what is kept in the cluster is kept in memory."""
    node, kept = SimpleNamespace(id="near"), dict[str, str]()

    def end(_: int) -> None:
        raise Ended

    context = SimpleNamespace(get_node_id=lambda: node.id)
    monkeypatch.setattr("ray.get_runtime_context", lambda: context)
    monkeypatch.setattr("os._exit", end)
    monkeypatch.setattr(kept_config, "_internal_kv_get", kept.get)
    monkeypatch.setattr(kept_config, "_internal_kv_del", kept.pop)
    monkeypatch.setattr(
        kept_config, "_internal_kv_put", lambda key, value, overwrite: kept.update({key: value})
    )
    return node


def test_an_actor_ends_on_the_nodes_that_it_is_to_leave_until_it_is_elsewhere(
    node: SimpleNamespace,
) -> None:
    catalog = NodesToLeave("n", "catalog")
    catalog.obey()
    catalog.write({"near", "next"})
    NodesToLeave("n", "manager").obey()

    for node.id in ("near", "next"):
        with pytest.raises(Ended):
            catalog.obey()
    node.id = "far"
    catalog.obey()
    node.id = "near"
    catalog.obey()  # it is not to leave any more
    assert not catalog.given_up({"near"})


@pytest.mark.usefixtures("node")
def test_an_actor_that_is_started_there_all_the_time_stays_at_last() -> None:
    catalog = NodesToLeave("n", "catalog")
    catalog.write({"near"})

    for _ in range(MAX_STARTS):
        assert not catalog.given_up({"near"})
        with pytest.raises(Ended):
            catalog.obey()
    catalog.obey()

    assert catalog.given_up({"near"})
    assert not catalog.given_up({"near", "far"})
