"""What a share decides and owes when it is extended or shrunk."""

from __future__ import annotations

import pytest

from share_actors.events import share
from share_actors.events.share.access import AccessAllowed, ApplyRules
from share_actors.events.share.messages import (
    ConfirmResized,
    ExtendShare,
    Resize,
    RetryShare,
    ShareResized,
    ShareResizeRefused,
    ShrinkShare,
)
from tests.events.share_events import began
from tests.events.share_requests import (
    available,
    extend,
    failed,
    refused,
    shrink,
    snapped,
    status,
    stuck,
    taken,
)


def test_extending_owes_the_new_size() -> None:
    available.when(ExtendShare(size=3)).then(extend)
    available.given(extend).then_state(status, "extending")
    available.given(extend).then_pending(Resize(doing="extend", size=3))


def test_shrinking_owes_the_new_size() -> None:
    available.when(ShrinkShare(size=1)).then(shrink)
    available.given(shrink).then_state(status, "shrinking")
    available.given(shrink).then_pending(Resize(doing="shrink", size=1))


def test_a_resized_share_has_the_size_that_the_backend_made_it() -> None:
    resized = ShareResized(doing="extend", size=3)
    spec = available.given(extend, began("extend"))

    spec.when(ConfirmResized(doing="extend", size=3)).then(resized)
    spec.given(resized).then_state(lambda s: (s.share.status, s.share.size), ("available", 3))


@pytest.mark.parametrize("size", [1, 2])
def test_a_share_is_extended_only_to_more(size: int) -> None:
    available.when(ExtendShare(size=size)).then_rejected("not more than the present 2 GiB")


@pytest.mark.parametrize("size", [2, 3])
def test_a_share_is_shrunk_only_to_less(size: int) -> None:
    available.when(ShrinkShare(size=size)).then_rejected("not less than the present 2 GiB")


def test_a_share_that_is_being_resized_is_not_resized_again() -> None:
    available.given(extend).when(ShrinkShare(size=1)).then_rejected("is extending")


def test_a_shrink_that_the_backend_refused_leaves_the_share_as_it_was() -> None:
    said_no = ShareResizeRefused(doing="shrink", reason="in use")
    spec = available.given(shrink, began("shrink"))

    spec.when(refused).then(said_no)
    spec.given(said_no).then_state(
        lambda s: (s.share.status, s.share.size, s.share.status_reason), ("available", 2, "in use")
    )


def test_a_failed_resize_is_an_error_that_a_retry_takes_up_again() -> None:
    spec = available.given(extend, began("extend"))

    spec.when(failed).then(stuck)
    spec.given(stuck).when(RetryShare()).then_pending(Resize(doing="extend", size=3))


def test_rules_and_snapshots_are_looked_after_although_a_resize_failed() -> None:
    spec = available.given(snapped, taken, extend, began("extend"), stuck)
    rule = AccessAllowed(access_id="a", access_type="user", access_to="bob", access_level="rw")

    assert isinstance(share.pending(spec.given(rule).state), ApplyRules)
