"""Field types: identifiers, names and other texts, checked where they enter the system.

Limits are in `limits.py`, the checks in `text.py`, `ids.py` and `addresses.py`.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from share_actors.values.checks import addresses, limits, text
from share_actors.values.checks.ids import ID_PATTERN, check_uuid
from share_actors.values.checks.limits import Limit
from share_actors.values.checks.text import printable

__all__ = [
    "Address",
    "Cidr",
    "Description",
    "DriverOptions",
    "Hints",
    "Id",
    "Location",
    "Metadata",
    "Name",
    "Project",
    "Reason",
    "Uuid",
    "printable",
    "text_field",
]


def text_field(limit: Limit) -> Any:
    """The validator of a printable text within *limit*."""
    return AfterValidator(lambda value: text.check(value, limit))


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("is blank")
    return value


Id = Annotated[str, Field(pattern=ID_PATTERN)]
Uuid = Annotated[str, AfterValidator(check_uuid)]
Name = Annotated[str, Field(max_length=limits.NAME.most), AfterValidator(printable)]
Description = Annotated[
    str, Field(max_length=limits.DESCRIPTION.most), AfterValidator(text.printable_lines)
]
Reason = Annotated[
    str,
    Field(max_length=limits.REASON.most),
    AfterValidator(printable),
    AfterValidator(_not_blank),
]
"""Why something was done, in the words of whoever asked for it."""
Metadata = Annotated[dict[str, str], AfterValidator(text.check_metadata)]
DriverOptions = Annotated[dict[str, Any], AfterValidator(text.check_options)]
Hints = Annotated[
    tuple[Annotated[str, text_field(limits.WORD)], ...], Field(max_length=limits.HINTS.most)
]
Location = Annotated[str, text_field(limits.LOCATION)]
Project = Annotated[str, text_field(limits.PROJECT)]
Cidr = Annotated[str, AfterValidator(lambda value: str(addresses.network(value)))]
Address = Annotated[str, AfterValidator(lambda value: str(addresses.address(value)))]
