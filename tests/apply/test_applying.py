"""Files that are applied to a system: the outcome, again, in part, and after a run that was stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from share_actors import testing
from share_actors.cli.apply.parsing import parse
from share_actors.cli.apply.plan import Step, plan
from share_actors.cli.apply.reading import documents
from share_actors.cli.apply.requests import Applier
from share_actors.cli.apply.running import current_shares, run
from share_actors.errors import ShareActorsError
from share_actors.testing import SyncInProcessSystem
from tests.bulk.conftest import CommandLine

Write = Callable[[str], str]
WEB = """
name: web
size: 1
metadata: {team: web}
rules:
- to: alice
- to: bob
  level: ro
"""


def state(system: SyncInProcessSystem, name: str) -> tuple[Any, ...]:
    share = system.share(name).seen
    rules = {(r.access_type, r.access_to, r.access_level) for r in share.access_rules}
    return share.size, share.metadata, rules


def test_a_file_is_applied_and_applied_again_does_nothing(
    system: SyncInProcessSystem, invoke: CommandLine, write: Write
) -> None:
    file = write(WEB)

    first = invoke("apply", "-f", file, "--set", "team")
    before = len(system.share("web").history())
    again = invoke("apply", "-f", file, "--set", "team")

    assert (first.exit_code, again.exit_code) == (0, 0), first.output
    rules = {("user", "alice", "rw"), ("user", "bob", "ro")}
    assert state(system, "web") == (1, {"team": "web", "applied-by": "team"}, rules)
    assert "nothing to do" in again.stderr
    assert len(system.share("web").history()) == before


def test_what_share_show_prints_can_be_applied(
    system: SyncInProcessSystem, invoke: CommandLine, write: Write
) -> None:
    invoke("apply", "-f", write(WEB))
    shown = invoke("share", "show", "web", "-o", "yaml").stdout

    unchanged = invoke("diff", "-f", write(shown))
    edited = {**yaml.safe_load(shown), "size": 3, "access_rules": [{"to": "eve"}]}
    changed = invoke("apply", "-f", write(yaml.safe_dump(edited)))

    assert unchanged.exit_code == 0, unchanged.output
    assert "Ignored, as only the system sets it: id" in unchanged.stderr
    assert changed.exit_code == 0, changed.output
    assert state(system, "web")[::2] == (3, {("user", "eve", "rw")})


def test_a_dry_run_and_a_diff_show_the_plan_and_do_nothing(
    system: SyncInProcessSystem, invoke: CommandLine, write: Write
) -> None:
    file = write(WEB)

    shown = invoke("apply", "-f", file, "--dry-run", "--json")
    differs = invoke("diff", "-f", file)

    assert [step["action"] for step in json.loads(shown.stdout)["steps"]] == [
        "create",
        "allow",
        "allow",
    ]
    assert (shown.exit_code, differs.exit_code) == (0, 14)
    assert system.shares().items == ()


def test_a_plan_with_a_step_that_cannot_be_done_does_nothing(
    system: SyncInProcessSystem, invoke: CommandLine, write: Write
) -> None:
    system.create_share(size=5, name="web")

    refused = invoke("apply", "-f", write("name: new\nsize: 1\n---" + WEB))

    assert refused.exit_code == 7
    assert "apply shrinks no share" in refused.output
    assert [share.name for share in system.shares().items] == ["web"]


def test_what_the_system_refuses_is_told_with_its_document_before_anything_is_recorded(
    system: SyncInProcessSystem, invoke: CommandLine, write: Write
) -> None:
    file = write(
        "name: a\nsize: 1\n---\nname: b\nsize: 1\nprotocol: NFX\nrules: [{to: x, type: y}]"
    )

    result = invoke("apply", "-f", file)

    assert result.exit_code == 3
    assert "document 2: " in result.stderr
    assert "NFX" in result.stderr
    assert "'y'" in result.stderr
    assert system.shares().items == ()


def test_prune_deletes_what_the_same_set_created_and_needs_its_name(
    system: SyncInProcessSystem, invoke: CommandLine, write: Write
) -> None:
    both = write("name: a\nsize: 1\n---\nname: b\nsize: 1\n")
    invoke("apply", "-f", both, "--set", "x")
    system.create_share(size=1, name="by hand")
    one = write("name: a\nsize: 1\n")

    unnamed = invoke("apply", "-f", one, "--prune")
    pruned = invoke("apply", "-f", one, "--prune", "--set", "x", "-o", "csv")

    assert unnamed.exit_code == 3
    assert "--prune needs --set" in unnamed.stderr
    assert pruned.exit_code == 0, pruned.output
    assert {share.name for share in system.shares().items} == {"a", "by hand"}


def test_a_share_that_was_deleted_or_changed_since_is_made_as_declared_again(
    system: SyncInProcessSystem, invoke: CommandLine, write: Write
) -> None:
    file = write(WEB)
    for _ in range(3):
        invoke("apply", "-f", file)
        system.share("web").delete()
    invoke("apply", "-f", file)
    larger = write(WEB.replace("size: 1", "size: 2"))
    for _ in range(2):
        share = system.share("web")
        invoke("apply", "-f", larger)
        share.shrink(1)
        share.deny_access(share.refresh().access_rules[0])

    result = invoke("apply", "-f", larger)

    assert result.exit_code == 0, result.output
    size, _, rules = state(system, "web")
    assert size == 2
    assert rules == {("user", "alice", "rw"), ("user", "bob", "ro")}


def test_each_failure_is_told_and_the_other_shares_are_done(
    system: SyncInProcessSystem, invoke: CommandLine, write: Write
) -> None:
    system.quotas.set({"per_share_gigabytes": 10})
    file = write("name: big\nsize: 11\nrules: [{to: alice}]\n---\nname: small\nsize: 1\n")

    failed = invoke("apply", "-f", file, "--json")
    system.quotas.set({"per_share_gigabytes": -1})
    repeated = invoke("apply", "-f", file)

    steps = {step["share"]: step["error"] for step in json.loads(failed.stdout)["steps"]}
    assert failed.exit_code not in (0, 1)
    assert steps["small"] is None
    assert steps["big"]["code"]
    assert repeated.exit_code == 0, repeated.output
    assert state(system, "big")[2] == {("user", "alice", "rw")}


# -- a run that is stopped -------------------------------------------------------------------------
SHARES, STOPPED_AFTER = 500, 333
MANY = json.dumps(
    {
        "shares": [
            {"name": f"s{n}", "size": 1, "rules": [{"to": "alice"}], "metadata": {"n": str(n)}}
            for n in range(SHARES)
        ]
    }
)


def steps_of(system: SyncInProcessSystem, text: str) -> list[Step]:
    shares = parse(documents(text), system.context.project_id).shares
    return plan(current_shares(system, {share.name for share in shares}, 60.0), shares, "many")


class Lost(ShareActorsError):
    """The answer to a request is lost, as by a program that is killed."""


class Dying(Applier):
    """Does the first requests of a run, whose answers are lost from one on."""

    requests = 0

    def _created(self, command_id: str, fields: Any) -> Any:
        share = super()._created(command_id, fields)
        self.requests += 1
        if self.requests > STOPPED_AFTER:
            raise Lost("killed")
        return share


def test_five_hundred_shares_are_there_once_each_after_a_run_that_was_killed_in_its_middle() -> (
    None
):
    with testing.sync_system() as system:
        steps = steps_of(system, MANY)
        for result in run(Dying(system, "many", 60.0), steps):
            if result.error is not None:
                break  # the program is gone; its requests in flight go on
        list(run(Applier(system, "many", 60.0), steps))  # from the plan of before the first run

        assert steps_of(system, MANY) == []
        shares = [share.seen for share in system.shares(limit=1000, wait=True).items]

    assert sorted(share.metadata["n"] for share in shares) == sorted(map(str, range(SHARES)))
    assert all(share.name == f"s{share.metadata['n']}" for share in shares)
    assert all([r.access_to for r in share.access_rules] == ["alice"] for share in shares)


def test_a_run_that_is_left_sends_no_more_requests_and_the_next_plan_has_the_rest(
    system: SyncInProcessSystem,
) -> None:
    text = json.dumps({"shares": [{"name": f"r{n}", "size": 1} for n in range(60)]})
    results = run(Applier(system, "many", 60.0), steps_of(system, text))
    for _ in range(20):
        next(results)
    results.close()

    rest = steps_of(system, text)
    list(run(Applier(system, "many", 60.0), rest))

    assert 0 < len(rest) <= 40
    assert len(system.shares(limit=1000, wait=True).items) == 60


@pytest.mark.parametrize("file", ["missing.yaml", "/"])
def test_a_file_that_cannot_be_read_is_refused(
    file: str, invoke: CommandLine, system: SyncInProcessSystem
) -> None:
    result = invoke("apply", "-f", file)

    assert result.exit_code == 3
    assert "cannot be read" in result.stderr
