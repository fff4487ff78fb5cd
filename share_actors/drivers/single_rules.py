"""Access rules of drivers that apply one at a time, by `allow_access` and `deny_access`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from share_actors.drivers.errors import DriverError, TransientError, UnsupportedAccess
from share_actors.values import AccessRule, RequestContext, Share

if TYPE_CHECKING:
    from share_actors.drivers.base import ShareDriver

Change = tuple[Callable[[AccessRule], None], AccessRule]


def apply_one_by_one(
    driver: ShareDriver,
    context: RequestContext,
    share: Share,
    rules: Sequence[AccessRule],
    changed: Sequence[AccessRule],
    denied: Sequence[AccessRule],
    share_server: Any,
) -> dict[str, str]:
    """Deny, then allow; returns the rules that failed, with reasons.

    A rule of *rules* that stays is allowed again if another one for the same client is denied. A rule of a
    type or level that the driver does not declare fails without a call.
    """

    def allow(rule: AccessRule) -> None:
        _check_supported(driver, share, rule)
        driver.allow_access(context, share, rule, share_server)

    def deny(rule: AccessRule) -> None:
        driver.deny_access(context, share, rule, share_server)

    clients = {(rule.access_type, rule.access_to) for rule in denied}
    new = {rule.id for rule in changed}
    stay = [rule for rule in rules if rule.id not in new]
    again = [rule for rule in stay if (rule.access_type, rule.access_to) in clients]
    return _failures(
        [*((deny, rule) for rule in denied), *((allow, r) for r in (*again, *changed))]
    )


def _failures(calls: Iterable[Change]) -> dict[str, str]:
    failed: dict[str, str] = {}
    for call, rule in calls:
        try:
            call(rule)
        except TransientError:
            raise
        except DriverError as error:
            failed[rule.id] = str(error)
    return failed


def _check_supported(driver: ShareDriver, share: Share, rule: AccessRule) -> None:
    types = driver.supported_access(share.share_proto)
    levels = types.get(rule.access_type)
    if levels is None:
        known = ", ".join(types) or "none"
        raise UnsupportedAccess(f"access_type {rule.access_type!r} is not supported: {known}")
    if rule.access_level not in levels:
        known = ", ".join(levels) or "none"
        raise UnsupportedAccess(f"access_level {rule.access_level!r} is not supported: {known}")
