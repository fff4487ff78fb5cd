"""Lines of bad input, and what each is answered by a system in this process."""

from __future__ import annotations

import json
import re
import shlex
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from share_actors.client.sync.background_loop import run
from share_actors.config import Config
from share_actors.errors import ShareActorsError
from share_actors.testing import SyncInProcessSystem, sync_system
from tests.input import command_line

ROOT = "shares-of-local"
NEW = "5f0c6a9e-8d0b-4d5e-9b0e-2f4a1a1f5d11"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LINES: Mapping[str, tuple[str, ...]] = {
    "client": (
        "system.create_share(size=0)",
        "system.create_share(size=True)",
        "system.create_share(size=1e308)",
        'system.create_share(size=1, name="x" * 256)',
        r'system.create_share(size=1, name="\ud800")',
        r'system.create_share(size=1, name="a\x1b[31mb")',
        r'system.create_share(size=1, description="first line\nsecond").seen.description',
        'system.create_share(size=1, name="backend:dummy").name',
        'system.create_share(size=1, share_id="restored")',
        'system.create_share(size=1, metadata={"": "v"})',
        'system.create_share(size=1, metadata={"k": ""})',
        'system.create_share(size=1, metadata={"k" * 256: "v"})',
        'system.create_share(size=1, metadata={"k": "v" * 1024})',
        'system.create_share(size=1, metadata={f"k{n}": "v" for n in range(10_000)})',
        'system.create_share(size=1, wait="no")',
        "system.create_share(size=1, timeout=nan)",
        "system.create_share(size=1, timeout=inf).status",
        "system.create_share(size=1, command_id=7)",
        'system.create_share(size=1, is_public="perhaps")',
        'system.create_share(size=1, backend="nowhere")',
        'system.create_shares([{"size": 1}, None])[1]',
        "system.share(None)",
        'system.share("backend:dummy").name',
        f'system.share("{NEW}")',
        'system.where("share_type:fast")',
        'system.history("../..")',
        "system.wait(None)",
        "system.as_user(None)",
        "system.shares(limit=0)",
        r'system.shares(name="\ud800")',
        'share.allow_access("10.0.0.5/24", type="ip")',
        'share.allow_access("fe80::1%eth0", type="ip")',
        'share.allow_access("2001:0DB8:0:0::1/128", type="ip").access_to',
        'share.allow_access("Domain Users").access_to',
        'share.allow_access("   ...")',
        "share.deny_access(None)",
        "share.extend(nan)",
        'system.networks.create(cidr="10.0.0.0/24", gateway="10.0.0.255")',
        'system.networks.create(cidr="2001:db8::/64", gateway="2001:DB8::1").gateway',
        'system.networks.create(cidr="fe80::%eth0/64")',
        'system.types.create("gold", None)',
        'system.types.delete("a/b")',
        'system.manage_share({"path": "/etc"}, backend="local")',
        'system.preview_manage({"path": "/etc"}, backend="local")',
        'system.manage_share({"path": "../.."}, backend="local")',
        'system.manage_share({}, backend="local")',
        'system.manage_share({"size": "many"})',
        'system.manage_share({"size": nan})',
        "system.manage_share(None).size",
    ),
    "verb": (
        'manager.create_share(None, "my-share", {"size": 1})',
        'manager.create_share(None, "share_network:n1", {"size": 1})',
        f'manager.create_share(None, "{NEW}", 7)',
        f'manager.create_share(7, "{NEW}", {{"size": 1}})',
        f'manager.create_share(None, "{NEW}", {{"size": nan}})',
        f'manager.create_share(None, "{NEW}", size=1, filter_properties=[])',
        'manager.delete_share(None, "backend:dummy")',
        f'manager.create_snapshot(None, "{NEW}", "{NEW}")',
        f'manager.extend_share(None, "{NEW}", 5)',
        "manager.extend_share(None, None, 5)",
        f'manager.unmanage_share(None, "{NEW}", wait="no")',
        "manager.delete_share_server(None, None)",
        'manager.delete_share_server(None, "share_type:fast")',
        'manager.publish_service_capabilities(None, "nowhere")',
        "manager.watch(None, nan)",
        "manager.reload({})",
    ),
    "command": (
        "share-actors share create --size nan",
        "share-actors share create --size 1 --id restored",
        "share-actors share create --size 1 --metadata team",
        "share-actors share create --size 1 --timeout nan",
        "share-actors share show backend:dummy-2",
        "share-actors share extend data --size 1e308",
        "share-actors access allow data --type ip --to fe80::1%eth0",
        "share-actors share list --limit 0",
        "share-actors share manage --option size=many",
        "share-actors network create --cidr 10.0.0.0/24 --gateway 10.0.0.0",
    ),
    "configuration": (
        'Config(backends={"nas#1": {"driver": "dummy"}})',
        'Config(backends={"": {"driver": "dummy"}})',
        'Config(scheduler={"capacity_weight": nan})',
        'Config(scheduler={"capacity_weight": 1e308})',
        'Config(backends={"nas": {"driver": "dummy", "timeout_s": inf}})',
        'Config(hosting={"mailbox": 0})',
        "Config(backends=None)",
    ),
}
"""What is tried, by where it comes from."""


class _Manager:
    """The manager's verbs, as expressions of `LINES` call them."""

    def __init__(self, system: SyncInProcessSystem) -> None:
        self._manager = system._in_process.cluster.find_manager()

    def __getattr__(self, verb: str) -> Any:
        return lambda *arguments, **more: run(self._manager.call(verb, *arguments, **more))


@cache
def answers() -> Mapping[str, list[tuple[str, str]]]:
    """Each line of `LINES` with its answer, by where it comes from."""
    with (
        tempfile.TemporaryDirectory() as root,
        sync_system(_config(Path(root))) as system,
        command_line.on(system),
    ):
        system.backends.publish()
        names = {"system": system, "manager": _Manager(system), "Config": Config}
        names["share"] = system.create_share(size=2, name="data")
        names |= {"nan": float("nan"), "inf": float("inf")}
        return {
            door: [(f"`{line}`", _answer(line, names)) for line in lines]
            for door, lines in LINES.items()
        }


def _config(top: Path) -> Config:
    local = {"driver": "local", "options": {"root": str(top / ROOT)}}
    return Config(backends={"dummy": {"driver": "dummy"}, "local": local})


def _answer(line: str, names: Mapping[str, Any]) -> str:
    if line.startswith("share-actors "):
        return _of_command(line)
    try:
        result = eval(line, dict(names))
    except ShareActorsError as error:
        result = error
    if isinstance(result, ShareActorsError):
        return _told(type(result).__name__, result.message)
    return f"accepted: `{result!r}`"


def _of_command(line: str) -> str:
    result = command_line.run([*shlex.split(line)[1:], "--json"])
    return _told(f"exit code {result.exit_code}", json.loads(result.stdout)["error"]["message"])


def _told(kind: str, message: str) -> str:
    """The answer, with the ids that the system chose left out."""
    message = re.sub(rf"/\S*/{ROOT}", f"/{ROOT}", message)
    return f"`{kind}`: {UUID.sub(lambda found: found[0] if found[0] == NEW else '...', message)}"
