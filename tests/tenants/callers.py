"""The callers of the matrix, and a system in this process with what belongs to the project `blue`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from share_actors.client import ShareSystem
from share_actors.config import Config
from share_actors.errors import Forbidden, NotFound
from share_actors.values import RequestContext

READER = RequestContext(user_id="rita", project_id="blue", roles=("reader",))
MEMBER = RequestContext(user_id="mia", project_id="blue", roles=("member", "reader"))
ADMIN = RequestContext(user_id="ada", project_id="blue", roles=("admin",))
OTHER = RequestContext(user_id="rod", project_id="red", roles=("admin", "member", "reader"))
SYSTEM_ADMIN = RequestContext(user_id="root", project_id="ops", is_admin=True)
CALLERS = {
    "reader": READER,
    "member": MEMBER,
    "admin": ADMIN,
    "other": OTHER,
    "system": SYSTEM_ADMIN,
}
NOWHERE = "01a00000-0000-7000-8000-000000000000"
"""The id of nothing."""


def two_backends(home: Path) -> Config:
    """A backend without and one with share servers."""
    options = {"directory": str(home / "dummy")}
    plain = {"driver": "dummy", "options": options}
    servers = {**plain, "driver_handles_share_servers": True, "options": {**options}}
    servers["options"] = {"directory": str(home / "servers")}
    return Config(home=home, backends={"d": plain, "t": servers})


def answer(call: Callable[[], Any]) -> str:
    """What a call is answered: `yes`, `forbidden` or `not found`. Any other error is raised."""
    try:
        call()
    except Forbidden:
        return "forbidden"
    except NotFound:
        return "not found"
    return "yes"


def error_of(call: Callable[[], Any]) -> Exception | None:
    """The error that *call* raises."""
    try:
        call()
    except Exception as error:
        return error
    return None


class Blue:
    """What belongs to the project `blue`; each call makes another one."""

    def __init__(self, system: ShareSystem) -> None:
        self.user = system.as_user(MEMBER)
        self.operator = system.as_user(SYSTEM_ADMIN)

    def share(self, **properties: Any) -> str:
        """A share."""
        return self.user.create_share(size=2, backend="d", **properties).id

    def ruled(self) -> tuple[str, str]:
        """A share, and an access rule of it."""
        share = self.user.create_share(size=1, backend="d")
        return share.id, share.allow_access("alice").id

    def snapped(self) -> tuple[str, str]:
        """A share, and a snapshot of it."""
        share = self.user.create_share(size=1, backend="d")
        return share.id, share.create_snapshot("night").id

    def network(self) -> str:
        """A share network."""
        return self.user.networks.create(cidr="10.0.0.0/24", name="net").id

    def served(self) -> tuple[str, str]:
        """A share on a share server, and that server."""
        share = self.user.create_share(size=1, share_network_id=self.network())
        return share.id, str(share.seen.share_server_id)

    def unused_server(self) -> str:
        """A share server without shares."""
        share_id, server = self.served()
        self.user.share(share_id).delete()
        return server
