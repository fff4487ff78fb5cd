"""Access rules of the driver `btrfs`: networks and addresses of clients."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from share_actors.drivers.base import DriverError, UnsupportedAccess
from share_actors.drivers.btrfs.cifs import checked_user_rule
from share_actors.drivers.btrfs.exports import Clients
from share_actors.drivers.btrfs.revert import BtrfsRevert
from share_actors.drivers.ganesha.rules import network_of
from share_actors.drivers.rule_updates import RuleChange, RuleUpdates
from share_actors.values import AccessRule, RequestContext, Share, Snapshot

ItemT = TypeVar("ItemT", Share, Snapshot)
MANY_RULES = 1000
"""Above this number every request of a client takes noticeably longer."""


class BtrfsAccess(BtrfsRevert):
    """The access methods of `BtrfsDriver`."""

    def update_access(
        self,
        context: RequestContext,
        share: Share,
        access_rules: Sequence[AccessRule],
        add_rules: Sequence[AccessRule],
        delete_rules: Sequence[AccessRule],
        update_rules: Sequence[AccessRule] = (),
        share_server: Any = None,
    ) -> RuleUpdates:
        """Export to exactly *access_rules*; the other lists are not needed.

        Of rules for one network the most permissive counts, of networks inside each other the smallest. A
        refused set of rules raises, and the rules before it stay. Returns which rules failed, and whom the
        server of CIFS shares cut off.
        """
        clients, failed = clients_of(share, access_rules, checked_client)
        return RuleChange(failed, self._set_clients(context, share, lambda _: clients))

    def allow_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        """Add the rule *access* to the others; raises `DriverError` for a rule that cannot be applied."""
        client = checked_client(share, access)
        self._set_clients(context, share, lambda old: {**old, client: access.access_level})

    def deny_access(
        self, context: RequestContext, share: Share, access: AccessRule, share_server: Any = None
    ) -> None:
        """Remove the rule *access*; a rule that cannot be applied was never applied."""
        try:
            denied = _canonical(checked_client(share, access))
        except DriverError:
            return
        self._set_clients(
            context, share, lambda old: {to: old[to] for to in old if _canonical(to) != denied}
        )

    def access_warnings(
        self, share: Share, access_rules: Sequence[AccessRule], share_server: Any = None
    ) -> dict[str, str]:
        """Rules of users without a password, and every rule of an NFS share with more than `MANY_RULES`."""
        if share.share_proto == "CIFS":
            return {
                rule.id: f"user {rule.access_to} cannot log in: add it to the option cifs_users"
                for rule in access_rules
                if rule.access_to not in self._options.cifs_users
            }
        if len(access_rules) <= MANY_RULES:
            return {}
        text = (
            f"the share has {len(access_rules)} rules: the server searches the list at every request of a"
            f" client, which takes noticeably longer above {MANY_RULES}; use networks instead of addresses"
        )
        return {rule.id: text for rule in access_rules}

    def _set_clients(
        self, context: RequestContext, share: Share, change: Callable[[Clients], Clients]
    ) -> Sequence[str]:
        """Export to the clients that *change* makes of those on file; returns who was cut off."""
        with self._share_lock("set access of share", share.id, context) as fence:
            if not self._pool.exists("shares", share.id) and not change({}):
                return ()
            self._must_exist(share.id)
            self._finish_revert(share.id, fence)
            return self._serve(share.id, fence, change(self._clients_on_file(share.id)))


def clients_of(
    item: ItemT, rules: Sequence[AccessRule], check: Callable[[ItemT, AccessRule], str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The clients of *item* by *rules*, and the rules that *check* refuses, with reasons."""
    clients: dict[str, str] = {}
    failed: dict[str, str] = {}
    spellings: dict[str, str] = {}  # the first one of each client
    for rule in rules:
        try:
            client = check(item, rule)
        except DriverError as error:
            failed[rule.id] = str(error)
        else:
            client = spellings.setdefault(_canonical(client), client)
            is_writable = "rw" in (rule.access_level, clients.get(client))
            clients[client] = "rw" if is_writable else rule.access_level
    return clients, failed


def checked_client(item: Share | Snapshot, rule: AccessRule) -> str:
    """The network, or the user of a CIFS share, that *rule* lets in; raises `DriverError` otherwise."""
    return checked_user_rule(rule) if item.share_proto == "CIFS" else checked_network(rule)


def checked_network(rule: AccessRule) -> str:
    """The network of *rule*, as it was given.

    Raises `UnsupportedAccess` for another type or level, and `DriverError` for what is not a network.
    """
    if rule.access_type != "ip":
        raise UnsupportedAccess(
            f"access_type {rule.access_type!r} is not supported: NFS clients are known by their address, 'ip'"
        )
    if rule.access_level not in ("rw", "ro"):
        raise UnsupportedAccess(f"access_level {rule.access_level!r} is not 'rw' or 'ro'")
    try:
        network_of(rule.access_to)
    except ValueError as error:
        raise DriverError(_advice(rule.access_to) or str(error)) from None
    return rule.access_to


def _advice(text: str) -> str:
    """What to write instead of *text*, if it is a network with host bits set; else empty."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return ""
    if str(network.network_address) == text.partition("/")[0]:
        return ""
    return f"access_to {text!r} has host bits set: write {network} for the network, or the address alone"


def _canonical(client: str) -> str:
    """The one spelling of a network or address; users have only one."""
    try:
        return str(network_of(client))
    except ValueError:
        return client
