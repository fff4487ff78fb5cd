"""Traces of a system on Ray: one tree over the processes of client, manager and share actor."""

from __future__ import annotations

from tests.acceptance.conftest import NewSite
from tests.observability.receiver import receiver

PATHS = {
    "share-actors-client": ["share.create"],
    "manager": ["share.create/route share.create"],
    "share-actor-1": [
        "share.create/route share.create/record share.create",
        "share.create/route share.create/record share.create/append",
        "share.create/route share.create/record share.create/attempt provision",
        "share.create/route share.create/record share.create/attempt provision/append",
        "share.create/route share.create/record share.create/attempt provision/driver provision",
    ],
}
"""The spans of a creation by the process that they are from."""


def test_a_creation_on_ray_is_one_tree_over_all_its_processes(new_site: NewSite) -> None:
    with receiver() as received:
        site = new_site(traces={"endpoint": received.endpoint})

        share = site.system.create_share(size=1, command_id="order-7")

        names = [path.rpartition("/")[2] for paths in PATHS.values() for path in paths]
        tree = received.tree("order-7", *names)
        assert share.receipt is not None
        assert share.receipt.trace_id == tree.trace_id
        found: dict[str, list[str]] = {}
        for span in tree.spans:
            found.setdefault(tree.process(span), []).append("/".join(tree.path(span)))
        assert {process: sorted(paths) for process, paths in found.items()} == PATHS
        assert len({span.resource["process.pid"] for span in tree.spans}) == len(PATHS)
        site.stop()
