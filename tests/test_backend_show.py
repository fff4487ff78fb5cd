"""How `backend show` says which access rules the shares of a backend can have."""

from __future__ import annotations

from share_actors.cli.commands.backend.commands import access_text
from share_actors.values import Capabilities

UNDECLARED = Capabilities(
    backend_name="nas", driver_name="d", storage_protocols=("NFS",), access_types=("ip", "user")
)


def test_access_rules_are_shown_by_protocol_with_their_levels() -> None:
    support = {"NFS": {"ip": ("rw", "ro")}, "CIFS": {"user": ("rw",)}}
    declared = UNDECLARED.replace(access_support=support)

    assert access_text(declared) == "NFS: ip (rw, ro); CIFS: user (rw)"


def test_without_a_declaration_the_types_alone_are_shown() -> None:
    assert access_text(UNDECLARED) == "ip, user"
    assert access_text(None) == ""
