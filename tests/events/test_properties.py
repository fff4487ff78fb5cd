"""What users call a share, and who sees it, given, when, then."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from share_actors.events import share
from share_actors.events.share.deletion import ShareDeleted, ShareDeletionRequested
from share_actors.events.share.messages import ShareErrored
from share_actors.events.share.properties import ChangeShare, ShareChanged
from share_actors.events.share.state import ShareState
from share_actors.testing import Spec
from share_actors.values.checks.limits import METADATA_ITEMS
from tests.events.share_events import began, created, requested

creating = Spec(share).given(requested(size=2), began("create"))
available = creating.given(created())


def changed(**fields: Any) -> ShareChanged:
    return ShareChanged(
        **{"name": "home", "description": None, "is_public": False, "metadata": {}, **fields}
    )


def metadata(state: ShareState) -> dict[str, str]:
    return state.share.metadata


def test_a_name_is_changed_and_the_rest_stays() -> None:
    spec = available.when(ChangeShare(name="archive"))

    spec.then(changed(name="archive"))
    spec.then_state(lambda state: state.share.name, "archive")
    spec.then_state(lambda state: state.share.status, "available")


def test_keys_of_metadata_are_added_replaced_and_removed() -> None:
    given = available.given(changed(metadata={"a": "1", "b": "2", "c": "3"}))

    given.when(ChangeShare(metadata={"b": "9", "c": None, "d": "4"})).then_state(
        metadata, {"a": "1", "b": "9", "d": "4"}
    )


def test_a_name_and_a_description_are_removed() -> None:
    given = available.given(changed(description="old"))

    given.when(ChangeShare(unset=("name", "description"))).then(changed(name=None))


def test_what_changes_nothing_is_no_event() -> None:
    available.when(ChangeShare(name="home", metadata={"unknown": None})).then()


@pytest.mark.parametrize(
    "given",
    [creating, available.given(ShareErrored(doing="extend", reason="full"))],
    ids=["creating", "error"],
)
def test_a_share_is_renamed_in_any_state_and_its_work_goes_on(
    given: Spec[Any, Any, Any, Any],
) -> None:
    spec = given.when(ChangeShare(name="new"))

    spec.then(changed(name="new"))
    spec.then_state(share.pending, share.pending(given.state))


def test_a_deleted_share_keeps_its_properties() -> None:
    deleting = ShareDeletionRequested(cascade=False)
    gone = available.given(deleting, began("delete"), ShareDeleted())

    gone.when(ChangeShare(name="new")).then_rejected("the share is deleted")


def test_metadata_that_becomes_too_much_is_refused() -> None:
    full = {f"k{n}": "v" for n in range(METADATA_ITEMS.most)}

    available.given(changed(metadata=full)).when(
        ChangeShare(metadata={"one": "more"})
    ).then_rejected("may have at most")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": "a", "unset": ("name",)}, "both set and unset"),
        ({"metadata": {"": "v"}}, "metadata"),
        ({"metadata": {"k": "v" * 2000}}, "at most 1023"),
        ({"metadata": {"k" * 300: None}}, "metadata"),
        ({"name": "a\x00"}, "unprintable"),
        ({"unset": ("size",)}, "unset"),
    ],
)
def test_bad_changes_are_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        ChangeShare(**fields)


def test_to_let_all_projects_see_a_share_is_another_operation() -> None:
    assert ChangeShare(is_public=True).operation() == "share.change_public"
    assert ChangeShare(is_public=False).operation() == "share.change"
