"""The canonical form of states: how an event changed one, as paths and JSON that no release changes.

The form of a value is its JSON, with these rules, so that a state has the same form in every version whose
code comes to the same state:

- A field of a model that has its default value is left out.
- A field that the earlier version did not have is left out too: it had no opinion about it.
- The fields of models and the elements of sets are sorted. Mappings and sequences keep their order.
- Only changed values count: assigning an equal value anew is no change.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from itertools import compress
from json.encoder import encode_basestring_ascii
from operator import is_not
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic_core import to_json

Changes = list[tuple[str, str]]
"""The path of each value that changed, such as `share.status`, and the new value's canonical JSON."""
GONE = ""
"""In place of the JSON of an entry that a mapping has no more."""
_REQUIRED = object()
_LEAVES = frozenset((str, int, bool, type(None), tuple, frozenset))


class _Plan(NamedTuple):
    """The fields of a model that count, by name, with their defaults, and the names of the others."""

    defaults: tuple[tuple[str, Any], ...]
    ignored: frozenset[str]


class Form:
    """Writes values in the canonical form; *known* are the fields of an earlier version, by model's name.

    It remembers the models that it met (`fields`), for a later version to know.
    """

    def __init__(self, known: Mapping[str, Collection[str]] | None = None) -> None:
        self._known = known or {}
        self._plans: dict[type[BaseModel], _Plan] = {}
        self._writers: dict[type, Callable[[Any], str]] = {
            str: encode_basestring_ascii,
            type(None): lambda _: "null",
            bool: lambda value: "true" if value else "false",
            int: repr,
            list: self._sequence,
            tuple: self._sequence,
            set: self._set,
            frozenset: self._set,
            dict: self._mapping,
            datetime: lambda value: f'"{value.isoformat()}"',
        }

    def fields(self) -> dict[str, list[str]]:
        """The names of the fields of each model that it met, by the model's name."""
        return {model.__name__: sorted(model.model_fields) for model in self._plans}

    # -- what an event changed -------------------------------------------------------------------
    def changes(self, before: Any, after: Any) -> Changes:
        """What *after* has that *before*, a state of the same kind, has not; sorted by path.

        Parts that both share are not looked at, so the time is that of what an event changed.
        """
        found: Changes = []
        if before is not after:
            self._compare_models("", before, after, found)
            if len(found) > 1:
                found.sort()
        return found

    def _compare_models(
        self, path: str, before: BaseModel, after: BaseModel, found: Changes
    ) -> None:
        old, new = before.__dict__, after.__dict__
        if [*old] != [*new]:  # the same fields in another order
            old = {name: old[name] for name in new}
        ignored = self._plan(type(after)).ignored
        for name in compress(new, map(is_not, old.values(), new.values())):
            if name in ignored:
                continue
            value = new[name]
            kind = type(value)
            if kind not in _LEAVES:
                self._compare(path + name, old[name], value, found)
            elif old[name] != value or type(old[name]) is not kind:
                found.append((path + name, self._writers[kind](value)))

    def _compare(self, path: str, before: Any, after: Any, found: Changes) -> None:
        kind = type(after)
        if type(before) is kind:
            if kind is dict:
                self._compare_mappings(path, before, after, found)
                return
            if isinstance(after, BaseModel):
                self._compare_models(path + ".", before, after, found)
                return
            if before == after:
                return
        found.append((path, self.write(after)))

    def _compare_mappings(
        self, path: str, before: dict[str, Any], after: dict[str, Any], found: Changes
    ) -> None:
        for key, value in after.items():
            if key not in before:
                found.append((f"{path}/{key}", self.write(value)))
            elif before[key] is not value:
                self._compare(f"{path}/{key}", before[key], value, found)
        kept = [key for key in before if key in after]
        if len(kept) < len(before):
            found.extend((f"{path}/{key}", GONE) for key in before if key not in after)
        if kept != [*after][: len(kept)]:
            found.append((f"{path}/", self.write([*after])))

    # -- JSON ------------------------------------------------------------------------------------
    def write(self, value: Any) -> str:
        """The canonical JSON of *value*."""
        writer = self._writers.get(type(value))
        if writer is not None:
            return writer(value)
        if isinstance(value, BaseModel):
            return self._model(value)
        if isinstance(value, str):
            return encode_basestring_ascii(value)
        if isinstance(value, Mapping):
            return self._mapping(value)
        return to_json(value, inf_nan_mode="constants").decode()

    def _model(self, value: BaseModel) -> str:
        fields = value.__dict__
        texts = [
            f'"{name}":{self.write(fields[name])}'
            for name, default in self._plan(type(value)).defaults
            if fields[name] is not default and fields[name] != default
        ]
        return f"{{{','.join(texts)}}}"

    def _plan(self, model: type[BaseModel]) -> _Plan:
        plan = self._plans.get(model)
        if plan is None:
            known = self._known.get(model.__name__, model.model_fields)
            ignored = frozenset(name for name in model.model_fields if name not in known)
            self._plans[model] = plan = _Plan(_defaults(model, ignored), ignored)
        return plan

    def _mapping(self, value: Mapping[Any, Any]) -> str:
        texts = [
            f"{encode_basestring_ascii(str(key))}:{self.write(item)}" for key, item in value.items()
        ]
        return f"{{{','.join(texts)}}}"

    def _sequence(self, value: list[Any] | tuple[Any, ...]) -> str:
        return f"[{','.join([self.write(item) for item in value])}]"

    def _set(self, value: frozenset[Any] | set[Any]) -> str:
        return f"[{','.join(sorted([self.write(item) for item in value]))}]"

    # -- initial states --------------------------------------------------------------------------
    def initial_values(self, state: BaseModel) -> dict[str, str]:
        """The canonical JSON of each value of an initial state, by path, defaults included.

        The form leaves out defaults, so a release that changed one would not be noticed by `changes`.
        """
        found: dict[str, str] = {}
        self._collect("", state, found)
        return found

    def _collect(self, path: str, model: BaseModel, found: dict[str, str]) -> None:
        for name, value in model.__dict__.items():
            if isinstance(value, BaseModel):
                self._collect(f"{path}{name}.", value, found)
            else:
                found[f"{path}{name}"] = self.write(value)


def _defaults(model: type[BaseModel], ignored: Collection[str]) -> tuple[tuple[str, Any], ...]:
    return tuple(
        (
            name,
            _REQUIRED
            if field.is_required()
            else field.get_default(call_default_factory=True, validated_data={}),
        )
        for name, field in sorted(model.model_fields.items())
        if name not in ignored
    )
