"""Secrets as types: `Secret` is one in plain text, `Sealed` one that is encrypted, as the log holds it.

The two differ in JSON too: a sealed one is an object of its own, which no plain value can imitate.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, SerializationInfo, ValidationInfo

from share_actors.values.checks.urls import MASK

SHOWN = {"secrets": "masked"}
"""The serialisation context in which secrets are masked, for display."""


class Secret(str):
    """A secret in plain text, for drivers and their commands; its `repr` hides it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Secret('{MASK}')"


class Sealed(str):
    """An encrypted secret, which opens only in the field that it was sealed for (`actors.sealing.Sealer`)."""

    __slots__ = ()


def _read_text(value: Any, info: ValidationInfo) -> str:
    sealed = _sealed_in(value, info)
    if sealed is None and not isinstance(value, str):
        raise ValueError("is not a text")
    return value if sealed is None else sealed


def _write_text(value: str, info: SerializationInfo) -> Any:
    sealed = _written(value, info)
    return str(value) if sealed is None else sealed


def _read_option(value: Any, info: ValidationInfo) -> Any:
    sealed = _sealed_in(value, info)
    if sealed is not None or info.mode != "json":
        return value if sealed is None else sealed
    if not isinstance(value, dict) or value.keys() != {"plain"}:
        raise ValueError("is neither a plain nor a sealed value")
    return value["plain"]


def _write_option(value: Any, info: SerializationInfo) -> Any:
    sealed = _written(value, info)
    if info.context == SHOWN:
        return value if sealed is None else sealed
    return {"plain": value} if sealed is None else sealed


def _sealed_in(value: Any, info: ValidationInfo) -> Sealed | None:
    """The sealed secret that *value* is, in JSON an object with one key; None if it is anything else."""
    is_object = info.mode == "json" and isinstance(value, dict) and value.keys() == {"sealed"}
    if is_object and isinstance(value["sealed"], str):
        return Sealed(value["sealed"])
    return value if isinstance(value, Sealed) else None


def _written(value: Any, info: SerializationInfo) -> Any:
    """The JSON of a secret; None if *value* is none."""
    if info.context == SHOWN and isinstance(value, Sealed | Secret):
        return MASK
    return {"sealed": str(value)} if isinstance(value, Sealed) else None


SecretText = Annotated[
    str, PlainValidator(_read_text), PlainSerializer(_write_text, return_type=Any, when_used="json")
]
"""A text that may be a secret: in JSON a text, or an object if it is sealed."""
OptionValue = Annotated[
    Any,
    PlainValidator(_read_option),
    PlainSerializer(_write_option, return_type=Any, when_used="json"),
]
"""A value of any type, or a sealed one: in JSON an object that says which it is."""


def require_plain(field: str, value: Any) -> None:
    """Raise ValueError for a sealed secret in a request: only the entity that keeps a secret seals it."""
    if isinstance(value, Sealed | dict):
        text = f"{field}: is not a text; give the secret itself"
        raise ValueError(text)  # noqa: TRY004 - pydantic reports a ValueError
