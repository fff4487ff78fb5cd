"""The clients of access rules, each in one spelling."""

from __future__ import annotations

from typing import assert_never

from share_actors.values import AccessType
from share_actors.values.checks.addresses import normal_client
from share_actors.values.checks.limits import CLIENT, COMMON_NAME
from share_actors.values.checks.text import check_bounded


def normal_access_to(access_type: AccessType, access_to: str) -> str:
    """The client *access_to* in its one spelling.

    Raises ValueError unless it is a client of *access_type* (`manila.api.common.validate_*`). Blanks are
    part of names in Active Directory, such as `Domain Users`.
    """
    match access_type:
        case "ip":
            return _ip_client(access_to)
        case "user":
            name = check_bounded(access_to.removeprefix("@"), CLIENT)
            if any(c in ":/" for c in name) or not name.strip("."):
                raise ValueError("is not a user or group name: it has ':' or '/', or only periods")
        case "cert":
            check_bounded(access_to, COMMON_NAME)
        case "cephx":
            check_bounded(access_to, CLIENT)
            if not access_to.isascii() or "." in access_to:
                raise ValueError("is not a ceph id: it must be ASCII without '.'")
        case _:
            assert_never(access_type)
    return access_to


def _ip_client(access_to: str) -> str:
    try:
        return normal_client(access_to)
    except ValueError as error:
        raise ValueError(f"is not an IP address or CIDR: {error}") from None
