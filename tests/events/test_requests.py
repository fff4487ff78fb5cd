"""What the log tells the catalog of the client's request that caused an event, whatever is in its texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from share_actors.events.log.codec import Codec, Request
from share_actors.events.topics import topic_of
from tests.events.share_events import envelope, requested

codec = Codec()
tricky = st.text(st.sampled_from('a\\",:{}é\0')) | st.sampled_from(
    ['","project_id":"other', '},"event":', "null", '"command_id":null,']
)


@pytest.mark.parametrize("command_id", [None, "c1"])
def test_the_project_is_the_requests_and_not_the_shares(command_id: str | None) -> None:
    told = request_of(command_id, 'a "quoted" one')

    assert told == (None if command_id is None else Request(command_id, 'a "quoted" one'))


@given(st.none() | tricky, tricky)
def test_any_text_may_be_in_a_request(command_id: str | None, project: str) -> None:
    told = request_of(command_id, project)

    assert told == (None if command_id is None else Request(command_id, project))


def request_of(command_id: str | None, project: str) -> Request | None:
    """The request that is read from the stored bytes of an event; the event has to be what it was."""
    event = requested(project="of the share")
    sent = envelope(command_id, project=project)
    row = codec.encode("share-s1", 1, "e1", sent, event)
    assert row.state.startswith(b"{")

    read, request = codec.decode_request("share-s1", 1, topic_of(type(event)), row.state)
    assert read == event
    assert codec.decode_event("share-s1", 1, topic_of(type(event)), row.state) == event
    return request
