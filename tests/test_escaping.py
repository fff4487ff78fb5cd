"""What is shown is safe to read, whatever a log of an earlier version holds."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from share_actors.audit.explanation import explain
from share_actors.audit.sentences import sentence, who
from share_actors.cli.output import Output
from share_actors.cli.rendering import (
    event_document,
    print_entity,
    print_explanation,
    print_history,
    print_share,
)
from share_actors.cli.session import Options, Session
from share_actors.errors import OperationFailed
from share_actors.events.decider import Event
from share_actors.events.envelope import Recorded
from share_actors.values import AccessRule, Frozen, Share, ShareNetwork
from share_actors.values.checks.escaping import CONTROL, escaped
from tests.events.event_sentences import OTHER_SENTENCES
from tests.events.manage_sentences import MANAGE_SENTENCES
from tests.events.share_events import NOON, Stream, began, requested
from tests.events.test_sentences import SENTENCES
from tests.golden.examples import ENVELOPE, EXAMPLES

EVENTS: list[Event] = [e for e, _ in (*SENTENCES, *MANAGE_SENTENCES, *OTHER_SENTENCES)]
CONTROLS = st.sampled_from("\n\r\x1b\x9b\x07\x08\x7f\u2028\u202e\udcff")
HOSTILE = st.builds(lambda a, c, b: a + c + b, st.text(max_size=5), CONTROLS, st.text(max_size=9))
FREE_TEXT = ("name", "user_id", "project_id", "reason", "status_reason", "description", "message")


def hostile(value: Any, text: str) -> Any:
    """*value* with all its texts of a free kind replaced by *text*, unchecked, as in an old log."""
    if isinstance(value, Frozen):
        fields = dict(value)
        return value.replace(
            **{k: text if k in FREE_TEXT else hostile(v, text) for k, v in fields.items()}
        )
    if isinstance(value, dict):
        return {k: text if isinstance(v, str) else hostile(v, text) for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(hostile(item, text) for item in value)
    return value


def shown(show: Any, monkeypatch: pytest.MonkeyPatch, *, as_json: bool = False) -> str:
    """What *show* prints, given a session."""
    with monkeypatch.context() as patch:
        stdout, stderr = io.StringIO(), io.StringIO()
        patch.setattr(sys, "stdout", stdout)
        patch.setattr(sys, "stderr", stderr)
        session = Session(Options(json=as_json), "share show")
        session.output = Output(as_json=as_json)
        show(session)
        return stdout.getvalue() + stderr.getvalue()


def recorded(event: Event, text: str) -> Recorded:
    return Recorded("share-1", 1, "e", hostile(ENVELOPE, text), hostile(event, text), 1)


by_text = settings(suppress_health_check=list(HealthCheck), max_examples=10, deadline=None)


@by_text
@given(text=HOSTILE)
def test_no_sentence_or_document_of_an_event_holds_a_control_character(text: str) -> None:
    for event in (*EVENTS, *EXAMPLES):
        item = recorded(event, text)
        assert not CONTROL.search(sentence(item)), event
        assert not CONTROL.search(who(item))
        assert not CONTROL.search(json.dumps(event_document(item), default=str)), event


@by_text
@given(text=HOSTILE)
def test_no_history_has_more_lines_than_events(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [recorded(event, text) for event in EVENTS]

    printed = shown(lambda session: print_history(session, events), monkeypatch)

    assert len(printed.splitlines()) == 1 + len(events)
    assert not CONTROL.search(printed.replace("\n", ""))


@by_text
@given(text=HOSTILE)
def test_no_table_document_or_error_drives_the_terminal(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = AccessRule.model_construct(id="r", access_type="user", access_to=text, reason=text)
    share = Share(id="s1").replace(
        name=text, user_id=text, metadata={text: text}, access_rules=(rule.replace(reason=text),)
    )
    network = ShareNetwork(id="n").replace(name=text, user_id=text)
    for show in (
        lambda session: print_share(session, share),
        lambda session: print_entity(session, network),
        lambda session: session.output.print_error(OperationFailed(text, value=text), text),
        lambda session: session.output.print_table(("A", "B"), [(text, (text, text))]),
        lambda session: session.output.print_message(text.replace("[", "(")),
    ):
        printed = shown(show, monkeypatch)
        assert not CONTROL.search(printed.replace("\n", ""))


@by_text
@given(text=HOSTILE)
def test_no_explanation_drives_the_terminal(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream()
    history = [stream(requested(), "c1"), stream(began("create"), None)]
    told = [
        Recorded(r.stream, r.version, r.event_id, hostile(r.envelope, text), hostile(r.event, text))
        for r in history
    ]

    printed = shown(lambda session: print_explanation(session, explain(told, NOON)), monkeypatch)

    assert not CONTROL.search(printed.replace("\n", ""))
    assert not CONTROL.search(explain(told, NOON).summary)


@settings(deadline=None)
@given(text=st.text())
def test_an_escaped_text_is_one_line_without_control_characters(text: str) -> None:
    assert not CONTROL.search(escaped(text))
    assert CONTROL.search(text) or escaped(text) == text


def test_a_table_shows_where_an_error_of_several_lines_continues(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    error = OperationFailed("it failed:\nError: forged")

    printed = shown(lambda session: session.output.print_error(error, "share show"), monkeypatch)

    assert printed.splitlines()[:2] == ["Error: it failed:", "    Error: forged"]
