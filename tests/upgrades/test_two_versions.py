"""Two real versions of the program, one after the other on one log, and their messages to each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.upgrades import newer

SYSTEM = """
import asyncio, json, sys
from pathlib import Path
from share_actors import ShareActorsError
from share_actors.config import Config
from share_actors.testing import system

home = Path(sys.argv[1])
config = Config(home=home, backends={"d": {"driver": "dummy", "options": {"directory": str(home / "d")}}})

async def main():
    told = {}
    try:
        async with system(config, durable=True) as running:
            shares = {share.name: share for share in (await running.shares()).items}
            for step in sys.argv[2:]:
                verb, name = step.split("=")
                try:
                    if verb == "create":
                        shares[name] = await running.create_share(size=1, name=name)
                    elif verb == "rename":
                        share = shares.popitem()[1]
                        shares[name] = share
                        await share.set(name=name)
                    elif verb == "finish":
                        told[step] = await running.finish_upgrade()
                except ShareActorsError as error:
                    told[step] = f"{error.code}: {error.message}"
            told["shares"] = sorted(str(share.name) for share in (await running.shares()).items)
            told["parked"] = len((await running.status())["catalog"].get("parked", []))
    except ShareActorsError as error:
        told["error"] = f"{error.code}: {error.message}"
    print(json.dumps(told))

asyncio.run(main())
"""
SEND = """
import base64, pickle
from share_actors.actors.messaging.messages import Sender, command_message, CommandReply
from share_actors.actors.ports import HostReport
from share_actors.config import Config
from share_actors.events.share.messages import ExtendShare
from share_actors.values import RequestContext, BackendReport

context = RequestContext(user_id="alice", is_admin=True)
message = command_message("s", ExtendShare(size=2), Sender.of(context), "c")
report = HostReport(1, 2, 3, 0, 0, {}, "n")
if hasattr(report, "colour"):
    report = report._replace(colour="red")
config = Config(home="/h", backends={"d": {"driver": "dummy"}})
sent = (message, report, context, config, CommandReply("s", "c", "done", 3, view=b"{}"))
print(base64.b64encode(pickle.dumps(sent)).decode())
"""
RECEIVE = """
import base64, json, pickle, sys
from share_actors.actors.messaging.messages import command_in, context_in

message, report, context, config, reply = pickle.loads(base64.b64decode(sys.stdin.read()))
print(json.dumps([
    command_in(message).size,
    context_in(message.context).user_id,
    report.node,
    context.user_id,
    config.hosting.mailbox,
    reply.version,
    sorted(set(report._fields) - {"colour"}) == sorted(set(report._asdict()) - {"colour"}),
]))
"""


class Version:
    """A version of the program in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def run(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("SHARE_ACTORS_")}
        return subprocess.run(
            [sys.executable, *arguments],
            env={**kept, "PYTHONPATH": str(self.directory)},
            cwd=self.directory,
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def python(self, program: str, *arguments: str, given: str = "") -> str:
        ended = self.run("-c", program, *arguments, given=given)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def system(self, home: Path, *steps: str) -> dict[str, Any]:
        """What a system on the log in *home* tells of *steps*."""
        told: dict[str, Any] = json.loads(self.python(SYSTEM, str(home), *steps))
        return told


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Version]:
    def made(*patches: newer.Patch) -> Version:
        return Version(newer.copy(tmp_path_factory.mktemp("version"), *patches))

    return made


@pytest.fixture(scope="module")
def old(make: Callable[..., Version]) -> Version:
    return make()


@pytest.fixture(scope="module")
def new(make: Callable[..., Version]) -> Version:
    return make(newer.EVENTS, newer.HELD_BACK)


def test_the_old_version_goes_on_until_the_upgrade_is_finished_and_then_refuses_the_log(
    old: Version, new: Version, tmp_path: Path
) -> None:
    assert old.system(tmp_path, "create=a")["shares"] == ["a"]

    mixed = new.system(tmp_path, "rename=b", "rename=frozen")
    assert mixed["shares"] == ["b"]
    assert mixed["rename=frozen"].startswith("refused: share.frozen is recorded from log format 2")
    back = old.system(tmp_path, "rename=c")
    assert (back["shares"], back["parked"]) == (["c"], 0)

    finished = new.system(tmp_path, "finish=now", "rename=frozen", "finish=again")
    assert finished["shares"] == ["frozen"]
    assert (finished["finish=now"], finished["finish=again"]) == (True, False)
    refused = "format 2, which share_actors 0.3.0 and later versions can read; this is share_actors"
    assert refused in old.system(tmp_path)["error"]
    log = str(tmp_path / "log.db")
    ended = old.run("-m", "share_actors.cli", "--json", "log", "tail", "--log", log)
    assert (ended.returncode, refused in ended.stdout) == (12, True), ended.stdout


def test_a_new_log_is_written_in_the_newest_format_from_the_start(
    new: Version, tmp_path: Path
) -> None:
    told = new.system(tmp_path, "create=a", "rename=frozen", "finish=now")

    assert (told["shares"], told["finish=now"]) == (["frozen"], False)


def test_a_catalog_follows_what_an_older_one_had_parked(
    old: Version, make: Callable[..., Version], tmp_path: Path
) -> None:
    at_once = make(newer.EVENTS)  # without a format: the events are written at once
    at_once.system(tmp_path, "create=a", "rename=frozen")
    (tmp_path / "catalog.db").unlink()

    assert old.system(tmp_path)["parked"] == 1
    assert at_once.system(tmp_path)["parked"] == 0


def test_each_version_reads_the_messages_of_the_other(old: Version, new: Version) -> None:
    for sender, receiver in ((old, new), (new, old)):
        sent = sender.python(SEND)

        got = json.loads(receiver.python(RECEIVE, given=sent))

        assert got == [2, "alice", "n", "alice", 1000, 3, True]
