"""Messages between processes of two versions, one of which has fields that the other does not know."""

from __future__ import annotations

import asyncio
import io
import pickle
from typing import Any, NamedTuple, cast

import pytest

from share_actors.actors.messaging.messages import CommandMessage, CommandReply, command_message
from share_actors.actors.ports import HostReport
from share_actors.actors.runtime.cluster import RayCluster
from share_actors.actors.runtime.connection import RayConnection
from share_actors.config import Config
from share_actors.errors import Unavailable
from share_actors.events.share.messages import ExtendShare
from share_actors.events.share.properties import ChangeShare
from share_actors.values import RequestContext
from share_actors.values.base import Frozen
from share_actors.versions import OWN, Versions, mismatch
from share_actors.wire import sent_as_order, sent_as_report
from tests.actors.in_process import WHO


class Older(NamedTuple):
    name: str
    size: int = 0


class Newer(NamedTuple):
    name: str
    size: int = 0
    colour: str = "none"


class OlderValue(Frozen):
    name: str
    note: str = "-"


class NewerValue(Frozen):
    name: str
    colour: str = "none"


def received(value: object, *, as_kind: type[Any]) -> Any:
    """*value* as a process of another version gets it, where the class is *as_kind*."""

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            return as_kind if name == type(value).__name__ else super().find_class(module, name)

    return Unpickler(io.BytesIO(pickle.dumps(value))).load()


def sent_fields(value: Any) -> int:
    return len(value.__getnewargs__())


def test_an_older_process_reads_a_report_without_what_is_new() -> None:
    older, newer = sent_as_report(Older), sent_as_report(Newer)

    assert received(newer("a", 2, "red"), as_kind=older) == ("a", 2)
    assert received(older("a", 2), as_kind=newer) == ("a", 2, "none")


def test_an_older_process_refuses_an_order_with_something_new_and_takes_it_without() -> None:
    class OlderOrder(NamedTuple):
        name: str

    older, newer = sent_as_order(OlderOrder), sent_as_order(Newer)

    assert received(newer("a"), as_kind=older) == ("a",)
    with pytest.raises(Unavailable, match="does not know a part of the request"):
        received(newer("a", 2), as_kind=older)


def test_defaults_at_the_end_are_not_sent_and_are_there_when_it_is_received() -> None:
    message = CommandMessage("s", "c", "t", b"{}", b"{}")
    reply = CommandReply("s", "c", "done", view=b"{}")

    assert (sent_fields(message), sent_fields(reply)) == (5, 6)
    for sent in (message, reply, HostReport(1, 2, 3, 4, 5, {}, "n"), message._replace(wait=True)):
        assert pickle.loads(pickle.dumps(sent)) == sent
        assert type(pickle.loads(pickle.dumps(sent))) is type(sent)


def test_a_value_of_another_version_has_the_fields_of_this_one() -> None:
    got = received(NewerValue(name="a", colour="red"), as_kind=OlderValue)

    assert got == OlderValue(name="a")
    assert got.json_bytes() == b'{"name":"a","note":"-"}'


def test_a_configuration_of_another_version_has_the_keys_of_this_one() -> None:
    sent = Config(backends={"d": {"driver": "dummy"}})
    other = pickle.loads(pickle.dumps(sent))
    other.__dict__["colour"] = "red"
    other.hosting.__dict__["shade"] = 1
    del other.__dict__["erasure"], other.hosting.__dict__["mailbox"]

    got = pickle.loads(pickle.dumps(other))

    assert got == sent
    assert (got.hosting, got.erasure) == (sent.hosting, sent.erasure)


def test_a_command_is_sent_without_the_fields_that_have_their_default() -> None:
    message = command_message("s", ChangeShare(name="n"), WHO, "c")

    assert message.body == b'{"name":"n"}'
    assert command_message("s", ExtendShare(size=2), WHO, "c").body == b'{"size":2}'


def test_the_cluster_of_a_manager_that_another_version_created_is_made_anew() -> None:
    cluster = RayCluster(Config(backends={"d": {"driver": "dummy"}}))
    state = cluster.__getstate__() | {"_of_another_version": 1}
    successor = RayCluster.__new__(RayCluster)

    successor.__setstate__(state)

    assert vars(successor).keys() == vars(cluster).keys()


@pytest.mark.parametrize(
    ("protocol", "oldest", "problem"),
    [
        (OWN.protocol, OWN.oldest_protocol, None),
        (OWN.protocol + 1, OWN.protocol, None),
        (OWN.oldest_protocol, OWN.oldest_protocol, None),
        (OWN.protocol + 2, OWN.protocol + 1, "upgrade this program"),
        (OWN.oldest_protocol - 1, OWN.oldest_protocol - 1, "upgrade the system"),
    ],
)
def test_two_processes_talk_if_each_understands_the_others_protocol(
    protocol: int, oldest: int, problem: str | None
) -> None:
    other = Versions("9.9.9", protocol, oldest, 1)

    found = mismatch(OWN, other, "the system")

    assert (found is None) == (problem is None)
    assert found is None or (problem is not None and problem in found and "9.9.9" in found)


def test_a_client_refuses_a_system_of_a_version_that_tells_none() -> None:
    connection = RayConnection.__new__(RayConnection)
    connection.manager = cast("Any", object())  # it has no method `hello`

    with pytest.raises(
        Unavailable, match=r"the system runs share_actors 0\.2\.0 or earlier .*upgrade the system"
    ) as raised:
        asyncio.run(connection.exchange_versions())

    assert (raised.value.field, raised.value.value) == ("protocol", 1)


def test_what_a_process_of_another_version_tells_is_understood_as_far_as_it_is_known() -> None:
    assert Versions.of({**OWN.told(), "colour": "red"}) == OWN
    assert Versions.of({"protocol": "x", "program": None}) == Versions()
    assert Versions.of({}) == Versions.of(None) == Versions()
    assert Versions().program == "0.2.0 or earlier"


def test_a_context_of_another_version_reads_as_one_of_this() -> None:
    context = RequestContext(user_id="alice")
    newer = pickle.loads(pickle.dumps(context))
    newer.__dict__["colour"] = "red"

    assert pickle.loads(pickle.dumps(newer)) == context
