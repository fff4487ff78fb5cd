"""Checks of texts from outside. Each returns the text, or raises ValueError with what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import isfinite
from typing import Any, TypeVar

from share_actors.values.checks.limits import (
    DESCRIPTION,
    METADATA_ITEMS,
    METADATA_KEY,
    METADATA_VALUE,
    OPTIONS,
    OPTIONS_DEPTH,
    Limit,
)

T = TypeVar("T")
MAX_NUMBER = 2**63


class PartError(ValueError):
    """What is wrong with one part of a value: *part* is its key, *value* the part itself."""

    def __init__(self, message: str, *, part: str, value: Any) -> None:
        super().__init__(message)
        self.part, self.value = part, value


def printable(text: str) -> str:
    """*text* without control characters, lone surrogates and others that are not printed."""
    if not text.isprintable():
        raise ValueError("holds a control or unprintable character")
    return text


def printable_lines(text: str) -> str:
    """*text* of several lines, each printable except for tabs; its line ends become single newlines."""
    text = text.replace("\r\n", "\n")
    for line in text.split("\n"):
        printable(line.replace("\t", " "))
    return text


def check(text: str, limit: Limit) -> str:
    """*text*, printable and within *limit*."""
    return printable(limit.check(text))


def check_bounded(text: str, limit: Limit) -> str:
    """*text* within *limit*, and without blanks at its ends, which would be invisible."""
    check(text, limit)
    if text != text.strip():
        raise ValueError("begins or ends with a blank")
    return text


def check_description(text: str) -> str:
    """A description, which may have several lines."""
    return printable_lines(DESCRIPTION.check(text))


def check_metadata(metadata: dict[str, str]) -> dict[str, str]:
    """Metadata within Manila's limits (`manila.api.common.check_metadata_properties`)."""
    if len(metadata) > METADATA_ITEMS.most:
        items = f"has {len(metadata)} items, and may have at most {METADATA_ITEMS.most}"
        raise PartError(items, part="metadata", value=f"({len(metadata)} items)")
    for key, value in metadata.items():
        check_part("metadata", key, METADATA_KEY, subject="a key ")
        check_part(f"metadata.{key}", value, METADATA_VALUE)
    return metadata


def check_part(part: str, text: str, limit: Limit, *, subject: str = "") -> None:
    """Check *text*, which is the *subject*, as `check` does; the error names the *part*."""
    _named(part, text, lambda value: check(value, limit), subject)


# -- options of drivers, which have a JSON form ----------------------------------------------------
def check_options(options: dict[str, Any]) -> dict[str, Any]:
    """Options of texts, finite numbers, truth values, and lists and mappings of these."""
    _check_option("driver_options", options, OPTIONS_DEPTH.most + 1)
    size = len(json.dumps(options))
    if size > OPTIONS.most:
        raise ValueError(f"has {size} characters as JSON, and may have at most {OPTIONS.most}")
    return options


def _check_option(part: str, value: Any, levels: int) -> None:
    if levels == 0:
        raise PartError(f"has more than {OPTIONS_DEPTH.most} levels", part=part, value=value)
    match value:
        case str():
            _named(part, value, _encodable)
        case int() | float():
            _named(part, value, _finite)
        case list() | tuple():
            for n, item in enumerate(value):
                _check_option(f"{part}.{n}", item, levels - 1)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise PartError("a key is not a text", part=part, value=key)
                check_part(part, key, METADATA_KEY, subject="a key ")
                _check_option(f"{part}.{key}", item, levels - 1)
        case None:
            pass
        case _:
            raise PartError(f"a {type(value).__name__} has no JSON form", part=part, value=value)


def _named(part: str, value: T, check_value: Callable[[T], object], subject: str = "") -> None:
    """Check *value*; the error names the *part*."""
    try:
        check_value(value)
    except ValueError as error:
        raise PartError(f"{subject}{error}", part=part, value=value) from None


def _encodable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half of a pair of surrogates") from None


def _finite(number: float) -> None:
    if abs(number) >= MAX_NUMBER or not isfinite(number):
        raise ValueError("is not a finite number below 2**63")
