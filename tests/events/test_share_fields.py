"""The fields of a creation: what they may hold, and what is refused by its name."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from share_actors.events.share.messages import ExtendShare, ShrinkShare
from share_actors.values import ShareSpec
from tests.events.share_requests import create_with


def wrong_fields(**fields: Any) -> set[Any]:
    """The names of the fields that a creation with *fields* is refused for."""
    with pytest.raises(ValidationError) as refusal:
        create_with(**fields)
    return {error["loc"][-1] for error in refusal.value.errors()}


@pytest.mark.parametrize("size", [0, -1, 1.5, 1.0, "1", True, 2**31, 10**30, None])
def test_a_size_is_a_whole_number_of_gib_that_fits(size: Any) -> None:
    assert wrong_fields(size=size) == {"size"}
    for resize in (ExtendShare, ShrinkShare):
        with pytest.raises(ValidationError, match="size"):
            resize(size=size)


@pytest.mark.parametrize("text", ["x" * 256, "a\nb", "a\0b", "\x1b[31m", "a\u202eb", "\ud800"])
def test_a_name_and_a_description_are_short_and_printable(text: str) -> None:
    assert wrong_fields(name=text) == {"name"}
    if "\n" not in text:
        assert wrong_fields(description=text) == {"description"}


def test_a_description_may_have_several_lines() -> None:
    described = create_with(description="first line\r\n\tsecond")

    assert described.spec.description == "first line\n\tsecond"


@pytest.mark.parametrize(
    "metadata",
    [
        {"": "v"},
        {"k": ""},
        {"k" * 256: "v"},
        {"k": "v" * 1024},
        {"k": "v" * 5_000_000},
        {"a\nb": "v"},
        {"k": "v\x1b[31m"},
        {f"k{n}": "v" for n in range(129)},
    ],
    ids=range(8),
)
def test_metadata_beyond_the_limits_of_manila_is_refused(metadata: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as refusal:
        create_with(metadata=metadata)

    [error] = refusal.value.errors()
    assert error["ctx"]["error"].part.startswith("metadata")


def test_metadata_at_the_limits_is_accepted() -> None:
    metadata = {f"{n:0>255}": "v" * 1023 for n in range(128)}

    assert create_with(metadata=metadata).spec.metadata == metadata


def test_an_old_log_may_hold_metadata_beyond_the_limits() -> None:
    old = ShareSpec(metadata={"k": "", "b" * 300: "\n"})

    assert ShareSpec.model_validate_json(old.model_dump_json()) == old


@pytest.mark.parametrize("name", ["x" * 255, "übung", "名前", "a b", ""])
def test_a_name_may_be_in_any_script(name: str) -> None:
    assert create_with(name=name).spec.name == name


@pytest.mark.parametrize("share_id", ["", "-a", "a b", "a/b", "a\n", "x" * 65, "ä", 7])
def test_an_id_is_plain(share_id: Any) -> None:
    assert wrong_fields(share_id=share_id) == {"share_id"}


def test_a_protocol_is_one_of_manilas() -> None:
    assert wrong_fields(share_proto="FTP") == {"share_proto"}


def test_a_field_that_no_creation_has_is_refused_by_its_name() -> None:
    assert wrong_fields(colour="red") == {"colour"}
