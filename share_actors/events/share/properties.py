"""What users call a share, and who sees it: `ChangeShare`. The backend is not concerned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from share_actors.events.decider import Command, Event, Rejected
from share_actors.events.share.state import ShareState
from share_actors.values import ShareSpec
from share_actors.values.checks.fields import Description, Name
from share_actors.values.checks.text import PartError, check_metadata

ENDED = ("deleted", "unmanaged")
Unset = Literal["name", "description"]


def _check_changes(metadata: dict[str, str | None]) -> dict[str, str | None]:
    check_metadata({key: "-" if value is None else value for key, value in metadata.items()})
    return metadata


# -- messages ------------------------------------------------------------------------------------
class ChangeShare(Command, topic="share.change"):
    """Manila's `share_update`, `share_metadata_update` and `share_metadata_delete` in one request.

    What is not given stays. In *metadata* None removes a key; *unset* names what is to have no value.
    """

    name: Name | None = None
    description: Description | None = None
    is_public: bool | None = None
    metadata: Annotated[dict[str, str | None], AfterValidator(_check_changes)] = Field(
        default_factory=dict
    )
    unset: tuple[Unset, ...] = ()

    @model_validator(mode="after")
    def _check_unset(self) -> ChangeShare:
        for part in self.unset:
            if (value := getattr(self, part)) is not None:
                raise PartError("is both set and unset", part=part, value=value)
        return self

    def operation(self) -> str:
        """Return the operation; to let every project read the share takes a greater role."""
        return "share.change_public" if self.is_public else self.topic


class ShareChanged(Event, topic="share.changed"):
    """The share has these properties now, all of them."""

    name: str | None
    description: str | None
    is_public: bool
    metadata: dict[str, str]


PropertiesCommand = ChangeShare
PropertiesEvent = ShareChanged


# -- decisions -----------------------------------------------------------------------------------
def decide(command: ChangeShare, state: ShareState) -> list[ShareChanged]:
    """The change, unless nothing differs; raises `Rejected` for a share that has ended."""
    share = state.share
    if share.status in ENDED:
        raise Rejected(f"the share is {share.status}")
    changed = ShareChanged(
        name=_text(command, "name", share),
        description=_text(command, "description", share),
        is_public=share.is_public if command.is_public is None else command.is_public,
        metadata=_merged(command, share),
    )
    return [] if share.replace(**_properties(changed)) == share else [changed]


def _text(command: ChangeShare, part: Unset, share: ShareSpec) -> str | None:
    given: str | None = getattr(command, part)
    present: str | None = getattr(share, part)
    return None if part in command.unset else present if given is None else given


def _merged(command: ChangeShare, share: ShareSpec) -> dict[str, str]:
    merged = {**share.metadata, **command.metadata}
    kept = {key: value for key, value in merged.items() if value is not None}
    try:
        return check_metadata(kept)
    except PartError as error:
        raise Rejected(str(error)) from None


def evolve(state: ShareState, event: ShareChanged) -> ShareState:
    """The state after *event*."""
    return state.replace(share=state.share.replace(**_properties(event)))


def _properties(event: ShareChanged) -> dict[str, Any]:
    return {part: getattr(event, part) for part in ("name", "description", "is_public", "metadata")}


# -- sentences -----------------------------------------------------------------------------------
def sentence(event: ShareChanged, who: str) -> str:
    """*event* in words; *who* requested it."""
    return f"{who} changed its properties: {', '.join(_words(event))}"


def _words(event: ShareChanged) -> Iterator[str]:
    yield "no name" if event.name is None else f"name {event.name!r}"
    yield "no description" if event.description is None else f"description {event.description!r}"
    yield "seen by all projects" if event.is_public else "seen by its project"
    yield f"metadata {event.metadata}" if event.metadata else "no metadata"
