"""What can be done in bulk: each operation makes the command of one item, from its fields."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, NoReturn

from share_actors.actors.messaging.messages import build
from share_actors.actors.messaging.parameters import flag, word
from share_actors.client.ids import FreshId, created_id
from share_actors.client.receipt import Receipt
from share_actors.client.requests import Requests
from share_actors.client.share.creator import ShareCreator
from share_actors.client.share.handle import AsyncShare
from share_actors.errors import InvalidRequest, shorten, showable, shown
from share_actors.events.decider import Command
from share_actors.events.share.access import AllowAccess
from share_actors.events.share.messages import DeleteShare
from share_actors.events.share.rules import same_client_of
from share_actors.values import AccessRule
from share_actors.values.checks.ids import is_uuid

LOOK_UPS = 8
"""How many shares are looked up at a time: the catalog drops what waits for too long."""
FindShare = Callable[[str], Awaitable[AsyncShare]]
"""Looks up a share by its id or name; raises `NotFound` or `Ambiguous`."""


class Operation(ABC):
    """One kind of request, for any number of items."""

    name: ClassVar[str]
    """Its permanent name: the ids of its requests follow from it."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._look_ups = asyncio.Semaphore(LOOK_UPS)

    @abstractmethod
    async def check(self, item: dict[str, Any], command_id: str) -> Command:
        """The command of *item*; raises `InvalidRequest` or `ConfigError` for what can never be one."""

    @abstractmethod
    async def prepare(self, item: dict[str, Any], command_id: str) -> tuple[str, Command]:
        """The address of the share that *item* is about, and its command; raises its refusal."""

    def rule(self, command: Command, receipt: Receipt) -> AccessRule | None:
        """The access rule that *command* has led to."""
        return None

    async def _recorded_share(self, command_id: str) -> str | None:
        """The id of the share that a request of an earlier run was about; None if none is recorded."""
        if isinstance(command_id, FreshId):
            return None
        found = await self._requests.catalog.ask("command_shares", command_id=command_id)
        return found[0] if found else None


class Creations(Operation):
    """Items are the arguments of `create_share`."""

    name = "create_shares"

    def __init__(self, requests: Requests, creator: ShareCreator) -> None:
        super().__init__(requests)
        self._creator = creator

    async def check(self, item: dict[str, Any], command_id: str) -> Command:
        """See `Operation.check`."""
        _, command = await self._creator.creation(item, command_id)
        return command

    async def prepare(self, item: dict[str, Any], command_id: str) -> tuple[str, Command]:
        """See `Operation.prepare`."""
        chosen = item.get("share_id")
        share_id, command = await self._creator.creation(item, command_id)
        async with self._look_ups:
            recorded = None if chosen is None else await self._recorded_share(command_id)
        if recorded not in (None, share_id):
            _refuse_changed("share_id", chosen, f"share {recorded}")
        return share_id, command


class OfOneShare(Operation):
    """Items name the `share` that they are about, by its id or name."""

    fields: ClassVar[Mapping[str, Any]]
    """The fields of an item with their default values; `share` and those without one are required."""
    noun: ClassVar[str]

    def __init__(self, requests: Requests, find_share: FindShare) -> None:
        super().__init__(requests)
        self._find_share = find_share

    @abstractmethod
    def command(self, fields: Mapping[str, Any], command_id: str) -> Command:
        """The command of an item with all *fields*."""

    async def check(self, item: dict[str, Any], command_id: str) -> Command:
        """See `Operation.check`."""
        return self.command(self._complete(item), command_id)

    async def prepare(self, item: dict[str, Any], command_id: str) -> tuple[str, Command]:
        """See `Operation.prepare`."""
        fields = self._complete(item)
        command = self.command(fields, command_id)
        async with self._look_ups:
            return await self._address(fields["share"], command_id), command

    def _complete(self, item: dict[str, Any]) -> dict[str, Any]:
        """*item* with the default values of what it lacks."""
        for name, value in item.items():
            if name not in self.fields:
                text = f"{shorten(name)}: not a field of {self.noun}; there are: "
                names = ", ".join(sorted({*self.fields, "key"}))
                raise InvalidRequest(text + names, field=name, value=showable(value))
        fields = {**self.fields, **item}
        for name, value in fields.items():
            if value is ...:
                raise InvalidRequest(f"{name}: missing", field=name, value=None)
        word("share", fields["share"])
        return fields

    async def _address(self, id_or_name: str, command_id: str) -> str:
        """The id of the share: of an earlier run, the one that its request was about."""
        recorded = await self._recorded_share(command_id)
        if recorded is None:
            if is_uuid(id_or_name):
                return id_or_name
            return (await self._find_share(id_or_name)).id
        if id_or_name != recorded and (await self._requests.view(recorded)).name != id_or_name:
            _refuse_changed("share", id_or_name, f"share {recorded}")
        return recorded


class Allowances(OfOneShare):
    """Items are access rules: `share`, `to`, `type` and `level`, as in `allow_access`."""

    name = "allow_access"
    fields = {"share": ..., "to": ..., "type": "user", "level": "rw"}
    noun = "an access rule"

    def command(self, fields: Mapping[str, Any], command_id: str) -> Command:
        """See `OfOneShare.command`."""
        access_id = created_id(command_id, self._requests.context.project_id)
        rule = {f"access_{name}": fields[name] for name in ("type", "to", "level")}
        try:
            return build(AllowAccess, {"access_id": access_id, **rule})
        except InvalidRequest as error:
            raise _with_item_field(error) from None

    def rule(self, command: Command, receipt: Receipt) -> AccessRule | None:
        """See `Operation.rule`."""
        assert isinstance(command, AllowAccess)
        rules = () if receipt.share is None else receipt.share.access_rules
        return same_client_of(rules, command.access_type, command.access_to)


class Deletions(OfOneShare):
    """Items are shares to delete: `share`, and `cascade` to delete its snapshots too."""

    name = "delete_shares"
    fields = {"share": ..., "cascade": False}
    noun = "a deletion"

    def command(self, fields: Mapping[str, Any], command_id: str) -> Command:
        """See `OfOneShare.command`."""
        return build(DeleteShare, {"cascade": flag("cascade", fields["cascade"])})


def _refuse_changed(field: str, value: object, before: str) -> NoReturn:
    """Raise `InvalidRequest`: with this id of the batch, the item was about another share before."""
    text = f"{field}: this item of the batch was about {before} before, and now is about"
    raise InvalidRequest(f"{text} {shown(value)}", field=field, value=showable(value))


def _with_item_field(error: InvalidRequest) -> InvalidRequest:
    """*error* of a field of the command, with the name of the item's field: `to` for `access_to`."""
    name = str(error.field).removeprefix("access_")
    message = error.message.replace(f"{error.field}:", f"{name}:", 1)
    return InvalidRequest(message, field=name, value=error.value)
