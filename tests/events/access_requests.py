"""Short names for the requests, outcomes and states of access rules."""

from __future__ import annotations

from typing import Any

from share_actors.events import share
from share_actors.events.share import ShareState
from share_actors.events.share.access import (
    AccessAllowed,
    AccessDenied,
    AccessRulesApplied,
    AllowAccess,
)
from share_actors.testing import Spec
from share_actors.values import AccessRule
from tests.events.share_events import began, created, requested


def allow(access_id: str, access_to: str = "alice", access_type: Any = "user") -> AllowAccess:
    return AllowAccess(access_id=access_id, access_type=access_type, access_to=access_to)


def allowed(access_id: str, access_to: str = "alice", access_type: Any = "user") -> AccessAllowed:
    return AccessAllowed(**dict(allow(access_id, access_to, access_type)))


def denied(access_id: str) -> AccessDenied:
    return AccessDenied(access_id=access_id)


def applied(*ids: str) -> AccessRulesApplied:
    return AccessRulesApplied(applied=ids)


def rule(access_id: str, access_to: str, state: Any) -> AccessRule:
    return AccessRule(id=access_id, access_type="user", access_to=access_to, state=state)


def states(state: ShareState) -> dict[str, str]:
    return {i: r.state for i, r in state.rules.rules.items()}


available = Spec(share).given(requested(size=2), began("create"), created())
applying = available.given(allowed("a"), began("access"))
active = applying.given(applied("a"))
broken = AccessRulesApplied(failed={"a": "no such user"})
