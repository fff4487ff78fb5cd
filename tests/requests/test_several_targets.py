"""Several targets in one command: a result for each, and one exit code."""

from __future__ import annotations

import pytest

from share_actors.client import ShareSystem
from share_actors.errors import NotFound
from tests.requests.conftest import Run, document
from tests.tenants.callers import NOWHERE, Blue


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ("extend {a} {b} --size 7", "size", 7),
        ("shrink {a} {b} --size 1", "size", 1),
        ("set {a} {b} --description shared", "description", "shared"),
        ("unset {a} {b} --name", "name", None),
        ("reapply {a} {b}", "status", "available"),
        ("delete {a} {b}", "status", "deleted"),
        ("unmanage {a} {b}", "status", "unmanaged"),
        ("forget {a} {b} --reason lost", "status", "unmanaged"),
    ],
)
def test_a_command_changes_each_of_its_shares(
    system: ShareSystem, blue: Blue, cli: Run, words: str, field: str, value: object
) -> None:
    shares = {name: blue.share(name=name) for name in ("a", "b")}

    result = cli(f"share {words.format(**shares)} --json")

    told = document(result)["results"]
    assert result.exit_code == 0, result.output
    assert [item["target"] for item in told] == list(shares.values())
    assert {item["error"] for item in told} == {None}
    assert {item["share"][field] for item in told} == {value}
    assert {item["share"]["receipt"]["status"] for item in told} == {"done"}
    assert {system.share(share).seen[field] for share in shares.values()} == {value}


def test_one_target_that_fails_does_not_stop_the_others(
    system: ShareSystem, blue: Blue, cli: Run
) -> None:
    share = blue.share()

    result = cli(f"share delete {NOWHERE} {share}")

    assert result.exit_code == NotFound.exit_code
    assert f"Not deleted: {NOWHERE}: there is no share" in result.output
    assert "deleted." in result.output
    assert system.share(share).status == "deleted"


def test_failures_of_different_kinds_lead_to_a_code_of_their_own(blue: Blue, cli: Run) -> None:
    share = blue.share()

    result = cli(f"share extend {share} {NOWHERE} --size 1 --json")

    codes = [item["error"]["code"] for item in document(result)["results"]]
    assert (result.exit_code, codes) == (15, ["refused", "not_found"])


def test_the_outcomes_of_several_targets_need_not_be_waited_for(blue: Blue, cli: Run) -> None:
    shares = f"{blue.share()} {blue.share()}"

    result = cli(f"share delete {shares} --no-wait")

    assert result.exit_code == 0
    assert result.output.count("recorded; not waiting for the outcome.") == 2


def test_shares_that_are_kept_for_a_grace_period_are_told_with_how_to_restore_them(
    system: ShareSystem, blue: Blue, cli: Run
) -> None:
    shares = [blue.share(), blue.share()]

    result = cli(f"share delete {' '.join(shares)} --after 7d")
    restored = cli(f"share restore {' '.join(shares)}")

    for share in shares:
        assert f"`share-actors share restore {share}` keeps it." in result.output
    assert (result.exit_code, restored.exit_code) == (0, 0)
    assert {system.share(share).status for share in shares} == {"available"}


def test_a_target_that_is_named_twice_is_changed_once(blue: Blue, cli: Run) -> None:
    share = blue.share()

    result = cli(f"share delete {share} {share} --json")

    assert (result.exit_code, document(result)["id"]) == (0, share)


def test_several_snapshots_are_deleted(system: ShareSystem, blue: Blue, cli: Run) -> None:
    share = system.share(blue.share())
    names = [f"{share.id[-6:]}-{n}" for n in range(2)]
    for name in names:
        share.create_snapshot(name)

    result = cli(f"snapshot delete {' '.join(names)} --command-id two --json")
    again = cli(f"snapshot delete {' '.join(names)} --command-id two --json")

    assert [item["target"] for item in document(result)["results"]] == names
    assert document(again) == document(result)
    assert share.refresh().snapshots == ()


def test_several_shares_are_changed_once_though_the_command_is_repeated(
    system: ShareSystem, blue: Blue, cli: Run
) -> None:
    shares = f"{blue.share()} {blue.share()}"
    first = cli(f"share extend {shares} --size 6 --command-id both --json")
    before = [len(system.history(share)) for share in shares.split()]

    second = cli(f"share extend {shares} --size 6 --command-id both --json")

    assert first.exit_code == second.exit_code == 0
    assert document(first) == document(second)
    assert [len(system.history(share)) for share in shares.split()] == before


def test_a_file_or_shares_are_given_and_not_both(blue: Blue, cli: Run) -> None:
    assert cli("share delete").exit_code == 2
    assert cli(f"share delete {blue.share()} --from nothing.csv").exit_code == 2
    assert cli("share delete --from nothing.csv --command-id x").exit_code == 2


def test_a_retry_is_repeated(system: ShareSystem, blue: Blue, cli: Run) -> None:
    """Nothing is in error, so both are refused, and nothing is recorded."""
    share = blue.share()
    before = len(system.history(share))
    codes = [cli(f"share retry {share} --command-id retried").exit_code for _ in range(2)]

    assert codes == [7, 7]
    assert len(system.history(share)) == before
