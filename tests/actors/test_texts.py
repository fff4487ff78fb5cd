"""Texts from outside: every one of them is checked, whichever command and field it comes in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from share_actors.actors.messaging.messages import (
    CommandMessage,
    command_in,
    context_in,
    context_with,
)
from share_actors.actors.messaging.texts import MAX_TEXT
from share_actors.errors import InvalidRequest
from share_actors.events.decider import Command
from share_actors.events.topics import COMMANDS
from share_actors.values import RequestContext
from tests.actors.test_messages import example

OUTSIDE = [kind for kind in COMMANDS.values() if kind.from_outside]
UNSAFE = st.sampled_from("\n\r\t\0\x1b\x7f\x85\x9b\u2028\u202e\u2066")


def with_texts_replaced(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The field and a copy of *value* for each text in it, where that text is a mark."""
    if isinstance(value, str):
        yield ".".join(path), "MARK"
    elif isinstance(value, dict):
        for key, item in value.items():
            for field, changed in with_texts_replaced(item, (*path, key)):
                yield field, {**value, key: changed}


def texts_of(kind: type[Command]) -> list[tuple[str, Any]]:
    fields = example(kind).model_dump(mode="json")
    return [(f, body) for f, body in with_texts_replaced(fields) if not kind.is_secret(f)]


@pytest.mark.parametrize("kind", OUTSIDE, ids=lambda kind: kind.__name__)
@settings(max_examples=12, deadline=None)
@given(before=st.text(max_size=5), unsafe=UNSAFE)
def test_no_command_from_outside_brings_a_control_character_in(
    kind: type[Command], before: str, unsafe: str
) -> None:
    for _, body in texts_of(kind):
        text = json.dumps(before.encode("utf-8", "replace").decode() + unsafe)
        packed = json.dumps(body).replace('"MARK"', text).encode()
        with pytest.raises(InvalidRequest):
            command_in(CommandMessage("a", "c", kind.topic, packed, b"{}"))


@pytest.mark.parametrize("kind", OUTSIDE, ids=lambda kind: kind.__name__)
def test_no_command_from_outside_brings_a_text_of_any_length_in(kind: type[Command]) -> None:
    for _, body in texts_of(kind):
        packed = json.dumps(body).replace("MARK", "x" * (MAX_TEXT + 1)).encode()
        with pytest.raises(InvalidRequest):
            command_in(CommandMessage("a", "c", kind.topic, packed, b"{}"))


def test_the_error_for_an_unsafe_text_names_the_field_and_the_value() -> None:
    body = b'{"share_id": "s1", "spec": {"availability_zone": "a\\nb"}, "size": 1}'

    with pytest.raises(
        InvalidRequest, match=r"availability_zone: .*control.* character: 'a\\nb'"
    ) as e:
        command_in(CommandMessage("s1", "c", "share.create", body, b"{}"))

    assert (e.value.field, e.value.value) == ("availability_zone", "a\nb")


@pytest.mark.parametrize("field", ["user_id", "project_id", "request_id", "roles"])
@pytest.mark.parametrize("text", ["a\nb", "\x1b[2J", "x" * 256, "\u202eb", "\ud800"])
def test_a_context_with_an_unsafe_text_is_refused(field: str, text: str) -> None:
    value = [text] if field == "roles" else text

    with pytest.raises(ValidationError, match=field):
        RequestContext.model_validate({field: value})
    with pytest.raises(InvalidRequest, match=field) as error:
        context_with({field: value})
    assert error.value.field is not None
    assert error.value.field.startswith(field)


def test_a_context_with_too_many_roles_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="roles"):
        context_in(json.dumps({"roles": ["r"] * 65}).encode())
