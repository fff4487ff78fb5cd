"""The page of proofs names existing tests and covers the seed's whole contract."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "proven.md").read_text(encoding="utf-8")
CLAIMS = sorted(set(re.findall(r"`([\w/.]+\.py)::(\w+)`", PAGE)))
VERBS = (
    "allow_access create_share create_snapshot delete_free_share_servers delete_share"
    " delete_share_server delete_snapshot deny_access init_host manage_share"
    " publish_service_capabilities unmanage_share"
)
METHODS = (
    "allocate_network allow_access check_for_setup_error create_share create_share_from_snapshot"
    " create_snapshot deallocate_network delete_share delete_snapshot deny_access do_setup"
    " driver_handles_share_servers ensure_share get_network_allocations_number get_pool get_share_stats"
    " manage_existing setup_server teardown_server unmanage"
)
ERRORS = (
    "ManageInvalidShare ManageExistingShareTypeMismatch UnmanageInvalidShare ShareAccessExists"
    " ShareSnapshotIsBusy ShareServerInUse"
)


@pytest.mark.parametrize(("path", "test"), CLAIMS)
def test_every_test_that_the_page_of_proofs_names_exists(path: str, test: str) -> None:
    assert re.search(rf"def {test}\(", (ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [*VERBS.split(), *METHODS.split(), *ERRORS.split()])
def test_every_name_of_the_contract_is_on_the_page_of_proofs(name: str) -> None:
    assert f"| `{name}` |" in PAGE


def test_the_page_of_proofs_lists_eight_failures_of_manila() -> None:
    failures = PAGE.partition("## Manila's failures")[2]

    assert len(re.findall(r"^\| [A-Z].* \| `", failures, flags=re.MULTILINE)) == 8
