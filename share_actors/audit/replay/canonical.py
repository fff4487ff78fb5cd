"""The canonical form of states: how an event changed one, as paths and JSON that no release changes.

The form of a value is its JSON, with these rules, so that a state has the same form in every version whose
code comes to the same state:

- A field of a model that has its default value is left out.
- A field that the earlier version did not have is left out too: it had no opinion about it.
- The fields of models and the elements of sets are sorted. Mappings and sequences keep their order.
- Only changed values count: assigning an equal value anew is no change.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from datetime import datetime
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_json

from share_actors.values.persistent import PersistentMap, PersistentSequence, PersistentSet

T = TypeVar("T")
Changes = list[tuple[str, str]]
"""The path of each value that changed, such as `share.status`, and the new value's canonical JSON."""
GONE = ""
"""In place of the JSON of an entry that a mapping has no more."""
_REQUIRED = object()
_Comparer = Callable[[str, Any, Any, Changes], None]


class _ByType(dict[type[Any], T]):
    """What *make* made of a type when it was first looked up: a fold looks up several for each event."""

    def __init__(self, make: Callable[[type[Any]], T], known: Mapping[type[Any], T] = {}) -> None:
        super().__init__(known)
        self._make = make

    def __missing__(self, kind: type[Any]) -> T:
        self[kind] = made = self._make(kind)
        return made


class _Field(NamedTuple):
    """A field of a model that counts; *head* is what stands before its value in JSON."""

    name: str
    default: Any
    head: str


class _Plan(NamedTuple):
    """The fields of a model that count, sorted, and the names of the others."""

    fields: tuple[_Field, ...]
    ignored: frozenset[str]


class Form:
    """Writes values in the canonical form; *known* are the fields of an earlier version, by model's name.

    It remembers the models that it met (`fields`), for a later version to know.
    """

    def __init__(self, known: Mapping[str, Collection[str]] | None = None) -> None:
        self._known = known or {}
        self._plans: _ByType[_Plan] = _ByType(self._plan)
        self._comparers: _ByType[_Comparer] = _ByType(
            self._comparer,
            {
                dict: self._compare_dicts,
                PersistentMap: self._compare_persistent_maps,
                PersistentSet: self._compare_persistent_sets,
                PersistentSequence: self._compare_persistent_sets,
            },
        )
        self._writers: _ByType[Callable[[Any], str]] = _ByType(
            self._writer,
            {
                str: encode_basestring_ascii,
                type(None): lambda _: "null",
                bool: lambda value: "true" if value else "false",
                int: repr,
                list: self._sequence,
                tuple: self._sequence,
                set: self._set,
                frozenset: self._set,
                PersistentSet: self._set,
                PersistentSequence: self._sequence,
                datetime: lambda value: f'"{value.isoformat()}"',
            },
        )

    def fields(self) -> dict[str, list[str]]:
        """The names of the fields of each model that it met, by the model's name."""
        return {model.__name__: sorted(model.model_fields) for model in self._plans}

    def _plan(self, model: type[BaseModel]) -> _Plan:
        known = self._known.get(model.__name__, model.model_fields)
        ignored = frozenset(name for name in model.model_fields if name not in known)
        return _Plan(_fields(model, ignored), ignored)

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

    def _comparer(self, kind: type[Any]) -> _Comparer:
        """How values of a type are compared with an earlier value, which may be of another type."""
        return self._compare_models if issubclass(kind, BaseModel) else self._compare_whole

    def _compare_whole(self, path: str, before: Any, after: Any, found: Changes) -> None:
        if type(before) is not type(after) or before != after:
            found.append((path, self._writers[type(after)](after)))

    def _compare_models(self, path: str, before: Any, after: BaseModel, found: Changes) -> None:
        if type(before) is not type(after):
            found.append((path, self._model(after)))
            return
        old, ignored = before.__dict__, self._plans[type(after)].ignored
        prefix = path and f"{path}."
        for name, value in after.__dict__.items():
            if value is not old[name] and name not in ignored:
                self._comparers[type(value)](prefix + name, old[name], value, found)

    def _compare_dicts(self, path: str, before: Any, after: dict[str, Any], found: Changes) -> None:
        if type(before) is dict:
            self._compare_mappings(path, before, after, found)
        else:
            found.append((path, self._mapping(after)))

    def _compare_persistent_maps(
        self, path: str, before: Any, after: PersistentMap[str, Any], found: Changes
    ) -> None:
        if type(before) is PersistentMap:
            self._compare_mappings(path, before.as_dict(), after.as_dict(), found)
        else:
            found.append((path, self._mapping(after)))

    def _compare_persistent_sets(
        self, path: str, before: Any, after: PersistentSet[str], found: Changes
    ) -> None:
        kind = type(after)
        if type(before) is kind:
            old, new = before.as_dict(), after.as_dict()
            if [*old] == [*new] or (kind is PersistentSet and old.keys() == new.keys()):
                return
        found.append((path, self._writers[kind](after)))

    def _compare_mappings(
        self, path: str, before: dict[str, Any], after: dict[str, Any], found: Changes
    ) -> None:
        if [*before] == [*after]:
            for key, value in after.items():
                if value is not before[key]:
                    self._comparers[type(value)](f"{path}/{key}", before[key], value, found)
        else:
            self._compare_other_keys(path, before, after, found)

    def _compare_other_keys(
        self, path: str, before: dict[str, Any], after: dict[str, Any], found: Changes
    ) -> None:
        for key, value in after.items():
            if key not in before:
                found.append((f"{path}/{key}", self.write(value)))
            elif before[key] is not value:
                self._comparers[type(value)](f"{path}/{key}", before[key], value, found)
        kept = [key for key in before if key in after]
        found.extend((f"{path}/{key}", GONE) for key in before if key not in after)
        if kept != [*after][: len(kept)]:
            found.append((f"{path}/", self.write([*after])))

    # -- JSON ------------------------------------------------------------------------------------
    def write(self, value: Any) -> str:
        """The canonical JSON of *value*."""
        return self._writers[type(value)](value)

    def _writer(self, kind: type[Any]) -> Callable[[Any], str]:
        if issubclass(kind, BaseModel):
            return self._model
        if issubclass(kind, str):
            return encode_basestring_ascii
        if issubclass(kind, Mapping):
            return self._mapping
        return lambda value: to_json(value, inf_nan_mode="constants").decode()

    def _model(self, value: BaseModel) -> str:
        values, writers, texts = value.__dict__, self._writers, []
        for name, default, head in self._plans[type(value)].fields:
            field = values[name]
            if field is not default and field != default:
                texts.append(head + writers[type(field)](field))
        return f"{{{','.join(texts)}}}"

    def _mapping(self, value: Mapping[Any, Any]) -> str:
        texts = [
            f"{encode_basestring_ascii(str(key))}:{self.write(item)}" for key, item in value.items()
        ]
        return f"{{{','.join(texts)}}}"

    def _sequence(self, value: Iterable[Any]) -> str:
        return f"[{','.join(self._items(value))}]"

    def _set(self, value: Set[Any]) -> str:
        return f"[{','.join(sorted(self._items(value)))}]"

    def _items(self, values: Iterable[Any]) -> list[str]:
        writers = self._writers
        return [writers[type(value)](value) for value in values]

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


def _fields(model: type[BaseModel], ignored: Collection[str]) -> tuple[_Field, ...]:
    return tuple(
        _Field(name, _default(field), f'"{name}":')
        for name, field in sorted(model.model_fields.items())
        if name not in ignored
    )


def _default(field: FieldInfo) -> Any:
    if field.is_required():
        return _REQUIRED
    return field.get_default(call_default_factory=True, validated_data={})
