"""Topics: the stored and sent names are fixed, and each belongs to one class."""

from __future__ import annotations

from typing import get_args

import pytest

from share_actors.events.decider import Command
from share_actors.events.share import creation
from share_actors.events.share.decider import _DECIDE, _EVOLVE
from share_actors.events.share.messages import ShareCommand, ShareEvent
from share_actors.events.topics import COMMANDS, EVENTS, topic_of

SENT = """
access.allow access.deny backend.confirm_shares backend.move backend.pin backend.rename
backend.report_silence backend.report_stats network.acquire_server network.add_security_service
network.change_backend network.create network.delete network.grant_addresses network.leave_server
network.release_addresses network.remove_security_service network.retire_server network.turn_away
node.accept node.drain node.forget node.report node.undrain policy.attach policy.change policy.create
policy.delete policy.detach policy.record_run quota.set quota.unset server.attach_share
server.change_backend server.delete server.detach_share server.forget server.retry share.change
share.change_backend share.create share.delete share.delete_due share.delete_unknown share.ensure
share.extend share.forget share.lock share.manage share.reapply share.restore share.retry share.revert
share.shrink share.soft_delete share.unlock share.unmanage snapshot.allow_access snapshot.create
snapshot.delete snapshot.delete_unknown snapshot.deny_access snapshot.forget snapshot.hold
snapshot.manage snapshot.release snapshot.unmanage type.change type.create type.delete
"""


def test_exactly_these_commands_can_be_sent() -> None:
    assert sorted(COMMANDS) == SENT.split()


def test_each_event_topic_names_one_class() -> None:
    assert len({*EVENTS.values()}) == len(EVENTS) == 112


def test_a_command_that_is_never_sent_has_no_topic() -> None:
    assert creation.ConfirmCreated.topic == ""
    with pytest.raises(KeyError):
        topic_of(creation.ConfirmCreated)


def test_a_subclass_does_not_take_the_topic_of_its_base() -> None:
    class Special(creation.CreateShare):
        """A command without a topic of its own."""

    assert issubclass(Special, Command)
    assert Special.topic == ""


def test_every_message_of_a_share_has_its_part() -> None:
    assert {*_DECIDE} == {*get_args(ShareCommand)}
    assert {*_EVOLVE} == {*get_args(ShareEvent)}
