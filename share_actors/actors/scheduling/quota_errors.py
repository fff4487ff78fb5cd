"""The error of a command for which a project has not enough quota left."""

from __future__ import annotations

from shlex import quote

from share_actors.actors.scheduling.quota_limits import Lack
from share_actors.errors import NOT_RECORDED, OverQuota

_GIB = ("gigabytes", "snapshot_gigabytes", "per_share_gigabytes")
_PER_SHARE = "per_share_gigabytes"


def exceeded(project_id: str, lack: Lack) -> OverQuota:
    """The error that names the quota, what is used, asked and allowed of it, and what to do."""
    user_id, share_type = lack.scope
    whose = f"project {project_id}"
    options = f"--project {quote(project_id)}"
    if user_id is not None:
        whose, options = f"user {user_id} in {whose}", f"{options} --user {quote(user_id)}"
    if share_type is not None:
        whose, options = f"share type {share_type} in {whose}", f"{options} --type {share_type}"
    return OverQuota(
        f"quota {lack.name}: {_told(lack, whose)}{NOT_RECORDED}",
        field=lack.name,
        value=lack.asked,
        quota=lack.name,
        used=lack.used,
        reserved=lack.reserved,
        asked=lack.asked,
        limit=lack.limit,
        project_id=project_id,
        user_id=user_id,
        share_type=share_type,
        next_step=_next_step(lack, options),
    )


def _told(lack: Lack, whose: str) -> str:
    unit = " GiB" if lack.name in _GIB else ""
    if lack.name == _PER_SHARE:
        return f"{whose} may have shares of at most {lack.limit}{unit}; this asks for {lack.asked}{unit}"
    reserved = (
        f", and {lack.reserved}{unit} are reserved by requests in flight" if lack.reserved else ""
    )
    used = f"{whose} has used {lack.used} of {lack.limit}{unit}{reserved}"
    return f"{used}; this asks for {lack.asked}{unit} more"


def _next_step(lack: Lack, options: str) -> str:
    needed = lack.asked if lack.name == _PER_SHARE else lack.used + lack.reserved + lack.asked
    option = lack.name.replace("_", "-")
    raised = f"have an administrator run `share-actors quota set {options} --{option} {needed}`"
    if lack.name == _PER_SHARE:
        return _literal(f"Ask for a smaller share, or {raised}.")
    return _literal(f"Delete what is not needed (what is in error counts too), or {raised}.")


def _literal(text: str) -> str:
    """*text* as a template without parameters."""
    return text.replace("{", "{{").replace("}", "}}")
