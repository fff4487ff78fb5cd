"""The public methods with their parameters, from their signatures, so that new ones are covered."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, get_args, is_typeddict

from share_actors.errors import (
    Ambiguous,
    Busy,
    ConfigError,
    InvalidRequest,
    NotFound,
    Refused,
    ShareActorsError,
)

NOTHING_RECORDED = (Ambiguous, Busy, ConfigError, InvalidRequest, NotFound, Refused)


class Argument(NamedTuple):
    """One parameter of one public method; *required* are the others that it needs."""

    owner: str
    method: str
    parameter: str
    required: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.owner}.{self.method}({self.parameter})"


def arguments(
    owner: str, kind: type, *, without: tuple[str, ...] = (), more: tuple[str, ...] = ()
) -> Iterator[Argument]:
    """The parameters of the public methods of *kind*; *more* are those behind an untyped `**keywords`."""
    for name, method in inspect.getmembers(kind, inspect.isfunction):
        if not name.startswith("_") and name not in without:
            yield from _arguments_of(owner, name, method, more)


def _arguments_of(
    owner: str, name: str, method: Callable[..., Any], more: tuple[str, ...]
) -> Iterator[Argument]:
    parameters = list(inspect.signature(method, eval_str=True).parameters.values())[1:]
    required = tuple(
        p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD
    )
    names = [key for parameter in parameters for key in _names(parameter, more)]
    return (Argument(owner, name, key, required) for key in names)


def _names(parameter: inspect.Parameter, more: tuple[str, ...]) -> list[str]:
    if parameter.kind is not parameter.VAR_KEYWORD:
        return [parameter.name]
    [keywords] = get_args(parameter.annotation) or [None]
    return [*keywords.__annotations__] if is_typeddict(keywords) else list(more)


def answer(call: Callable[[], Any]) -> ShareActorsError | None:
    """The error that *call* is refused with; None if it is accepted. Anything else is a defect."""
    try:
        call()
    except ShareActorsError as error:
        refusal = error
    else:
        return None
    assert type(refusal) is not ShareActorsError, refusal
    assert "internal error" not in str(refusal), refusal
    assert refusal.field is not None or not isinstance(refusal, InvalidRequest), refusal
    return refusal
