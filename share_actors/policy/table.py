"""The table of permissions: the least role that an operation needs, as by Manila's default policies.

Except for questions about the whole system, the role is one in the project that owns the entity. What
the system's administrator alone may do in Manila is so here, too; docs/security.md names the exceptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from share_actors.policy.callers import Role

_READER, _MEMBER, _ADMIN, _SYSTEM = Role.READER, Role.MEMBER, Role.ADMIN, Role.SYSTEM_ADMIN

COMMANDS: Mapping[str, Role] = MappingProxyType(
    {
        "share.create": _MEMBER,
        "share.create_public": _ADMIN,
        "share.delete": _MEMBER,
        "share.soft_delete": _MEMBER,
        "share.restore": _MEMBER,
        "share.lock": _MEMBER,
        "share.unlock": _MEMBER,
        "share.lock_by_admin": _ADMIN,
        "share.change": _MEMBER,
        "share.change_public": _ADMIN,
        "share.extend": _MEMBER,
        "share.shrink": _MEMBER,
        "share.revert": _MEMBER,
        "share.retry": _MEMBER,
        "share.reapply": _SYSTEM,
        "share.manage": _SYSTEM,
        "share.delete_unknown": _SYSTEM,
        "snapshot.delete_unknown": _SYSTEM,
        "share.unmanage": _SYSTEM,
        "share.forget": _SYSTEM,
        "access.allow": _MEMBER,
        "access.deny": _MEMBER,
        "snapshot.create": _MEMBER,
        "snapshot.delete": _MEMBER,
        "snapshot.allow_access": _MEMBER,
        "snapshot.deny_access": _MEMBER,
        "snapshot.manage": _SYSTEM,
        "snapshot.unmanage": _SYSTEM,
        "snapshot.forget": _SYSTEM,
        "network.create": _MEMBER,
        "network.delete": _MEMBER,
        "network.add_security_service": _MEMBER,
        "network.remove_security_service": _MEMBER,
        "policy.create": _MEMBER,
        "policy.change": _MEMBER,
        "policy.attach": _MEMBER,
        "policy.detach": _MEMBER,
        "policy.delete": _MEMBER,
        "server.delete": _SYSTEM,
        "server.retry": _SYSTEM,
        "server.forget": _SYSTEM,
        "type.create": _SYSTEM,
        "type.change": _SYSTEM,
        "type.delete": _SYSTEM,
        "quota.set": _SYSTEM,
        "quota.unset": _SYSTEM,
    }
)
"""Commands of clients, by topic. What makes a share public has operations of its own: `..._public`."""
CREATIONS = frozenset(
    (
        "share.create",
        "share.create_public",
        "share.manage",
        "share.delete_unknown",
        "snapshot.delete_unknown",
        "network.create",
        "policy.create",
        "type.create",
        "quota.set",
    )
)
"""The commands about what does not exist yet."""

INTERNAL = frozenset(
    (
        "share.ensure",
        "share.delete_due",
        "snapshot.hold",
        "snapshot.release",
        "share.change_backend",
        "network.change_backend",
        "server.change_backend",
        "backend.rename",
        "backend.move",
        "backend.pin",
        "node.report",
        "node.drain",
        "node.undrain",
        "node.forget",
        "node.accept",
        "policy.record_run",
        "network.grant_addresses",
        "network.release_addresses",
        "network.acquire_server",
        "network.retire_server",
        "network.turn_away",
        "network.leave_server",
        "server.attach_share",
        "server.detach_share",
        "backend.report_stats",
        "backend.report_silence",
        "backend.confirm_shares",
    )
)
"""Commands that the system's parts send to each other: no project may send them."""

QUESTIONS: Mapping[str, Role] = MappingProxyType(
    {
        "show": _READER,
        "list": _READER,
        "history": _READER,
        "receipt": _READER,
        "where": _SYSTEM,
        "preview_manage": _SYSTEM,
        "list_backend": _SYSTEM,
        "delete_free_share_servers": _SYSTEM,
        "capabilities": _SYSTEM,
        "watch": _SYSTEM,
        "publish_service_capabilities": _SYSTEM,
        "init_host": _SYSTEM,
        "start_backend": _SYSTEM,
        "stop_backend": _SYSTEM,
        "quota_usage": _READER,
        "share_usage": _READER,
        "share_clients": _READER,
        "backend_usage": _SYSTEM,
        "reload": _SYSTEM,
        "forget_backend": _SYSTEM,
        "rename_backend": _SYSTEM,
        "move_backend": _SYSTEM,
        "drain_node": _SYSTEM,
        "undrain_node": _SYSTEM,
        "forget_node": _SYSTEM,
        "accept_node": _SYSTEM,
        "status": _SYSTEM,
        "under_way": _SYSTEM,
        "stop": _SYSTEM,
        "rebuild": _SYSTEM,
        "versions": _SYSTEM,
        "finish_upgrade": _SYSTEM,
        "progress": _SYSTEM,
        "complete": _READER,
        "changes": _READER,
        "events": _SYSTEM,
        "unpark": _SYSTEM,
        "subjects": _SYSTEM,
        "forget_subject": _SYSTEM,
    }
)
"""Questions to the manager and the catalog, and their verbs that are not commands of one entity."""

OPERATIONS: Mapping[str, Role] = MappingProxyType({**COMMANDS, **QUESTIONS})
"""Every operation, with the least role that it needs. What is not listed, no project may do."""
