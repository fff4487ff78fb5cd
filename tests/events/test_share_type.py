"""Share types: what they must say, who may use them, and how they change."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from share_actors.events import share_type
from share_actors.events.share_type import (
    ChangeShareType,
    CreateShareType,
    DeleteShareType,
    ShareTypeChanged,
    ShareTypeCreated,
    ShareTypeDeleted,
)
from share_actors.testing import Spec
from share_actors.values import parse_bool
from tests.events.share_events import NOON

SPECS = {"driver_handles_share_servers": "False", "thin_provisioning": "<is> True"}
create = CreateShareType(name="gold", description=None, extra_specs=SPECS, at=NOON)
created = ShareTypeCreated(
    name="gold", description=None, extra_specs=SPECS, is_public=True, projects=(), at=NOON
)
gold = Spec(share_type).given(created)


def test_a_type_is_created_once() -> None:
    Spec(share_type).when(create).then(created)
    gold.when(create).then()
    gold.when(create.replace(is_public=False)).then_rejected("exists already, and is another one")


def test_specs_are_set_and_taken_away() -> None:
    changed = ShareTypeChanged(
        extra_specs={"driver_handles_share_servers": "False", "tier": "1"},
        is_public=True,
        projects=(),
    )
    gold.when(ChangeShareType(extra_specs={"thin_provisioning": None, "tier": "1"})).then(changed)
    gold.when(ChangeShareType()).then()


def test_a_private_type_is_for_its_projects() -> None:
    private = ShareTypeChanged(extra_specs=SPECS, is_public=False, projects=("physics",))
    gold.when(ChangeShareType(is_public=False, projects=("physics",))).then(private)


def test_a_deleted_type_can_be_created_anew_and_not_changed() -> None:
    gold.when(DeleteShareType()).then(ShareTypeDeleted())
    deleted = gold.given(ShareTypeDeleted())
    deleted.when(create).then(created)
    deleted.when(ChangeShareType()).then_rejected("is deleted")


@pytest.mark.parametrize(
    ("specs", "said"),
    [
        ({}, "driver_handles_share_servers is required"),
        ({"driver_handles_share_servers": "perhaps"}, "'perhaps' is not true or false"),
        ({**SPECS, "iops": ">= many"}, "iops: 'many' after '>=' is not a number"),
        ({**SPECS, "thin_provisioning": "<is> so"}, "'so' after '<is>'"),
        ({**SPECS, "tier": "<in>"}, "nothing follows '<in>'"),
        ({**SPECS, "tier": ""}, "at least 1 character"),
    ],
)
def test_specs_that_make_no_sense_are_refused(specs: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        CreateShareType(name="gold", extra_specs=specs)


def test_the_mode_cannot_be_taken_away() -> None:
    with pytest.raises(ValidationError, match="is required"):
        ChangeShareType(extra_specs={"driver_handles_share_servers": None})


@pytest.mark.parametrize(("text", "meant"), [("<is> True", True), ("no", False), ("perhaps", None)])
def test_yes_and_no_are_read_in_manilas_spellings(text: str, meant: bool | None) -> None:
    assert parse_bool(text) is meant
