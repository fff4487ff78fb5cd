"""Share types: required extra specs, projects, and changes."""

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
    gold.when(create.replace(is_public=False)).then_rejected("exists already with other properties")


def test_a_change_sets_and_removes_extra_specs() -> None:
    changed = ShareTypeChanged(
        extra_specs={"driver_handles_share_servers": "False", "tier": "1"},
        is_public=True,
        projects=(),
    )
    gold.when(ChangeShareType(extra_specs={"thin_provisioning": None, "tier": "1"})).then(changed)
    gold.when(ChangeShareType()).then()


def test_a_change_makes_a_type_private_to_projects() -> None:
    private = ShareTypeChanged(extra_specs=SPECS, is_public=False, projects=("physics",))
    gold.when(ChangeShareType(is_public=False, projects=("physics",))).then(private)


def test_a_deleted_type_can_be_created_again_but_not_changed() -> None:
    gold.when(DeleteShareType()).then(ShareTypeDeleted())
    deleted = gold.given(ShareTypeDeleted())
    deleted.when(create).then(created)
    deleted.when(ChangeShareType()).then_rejected("is deleted")


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ({}, "driver_handles_share_servers is required"),
        ({"driver_handles_share_servers": "perhaps"}, "'perhaps' is not true or false"),
        ({**SPECS, "iops": ">= many"}, "iops: 'many' after '>=' is not a number"),
        ({**SPECS, "thin_provisioning": "<is> so"}, "'so' after '<is>'"),
        ({**SPECS, "tier": "<in>"}, "nothing follows '<in>'"),
        ({**SPECS, "tier": ""}, "at least 1 character"),
    ],
)
def test_a_type_with_invalid_extra_specs_is_refused(specs: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CreateShareType(name="gold", extra_specs=specs)


def test_the_required_extra_spec_cannot_be_removed() -> None:
    with pytest.raises(ValidationError, match="is required"):
        ChangeShareType(extra_specs={"driver_handles_share_servers": None})


@pytest.mark.parametrize(("text", "value"), [("<is> True", True), ("no", False), ("perhaps", None)])
def test_booleans_are_read_in_manilas_spellings(text: str, value: bool | None) -> None:
    assert parse_bool(text) is value
