"""Mappings and sets that never change: a copy with few changes costs little, however many entries there are.

A version is a large dictionary that many versions share, and the few changes since it was made. Once the
changes are more than about twice the square root of the entries, the next version begins a new dictionary.
So 10,000 entries cost a change about 200 steps, and two versions are compared by their changes alone.
A version with few entries is a dictionary of its own, which costs less than changes beside one.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping, Set, ValuesView
from math import isqrt
from typing import Any, Final, Generic, Self, TypeVar, get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

K = TypeVar("K")
V = TypeVar("V")
FEW = 16
"""A version of at most so many entries is copied as a whole."""
MIN_CHANGES = 16
"""So many changes a version may have, however few entries there are."""
_GONE: Final[Any] = object()
"""In place of the value of an entry that was removed."""
_NONE: Final[Any] = object()
_NO_CHANGES: Final[dict[Any, Any]] = {}
"""Shared, as the changes of a version are never edited."""
_new = object.__new__


class _Entries(Generic[K, V]):
    """The entries of a mapping or a set, in the order in which they were added."""

    __slots__ = ("_base", "_changes", "_length")

    def __init__(self, entries: dict[K, V]) -> None:
        self._base = entries
        self._changes: dict[K, Any] = _NO_CHANGES
        self._length = len(entries)

    def __contains__(self, key: object) -> bool:
        if key in self._changes:
            return self._changes[key] is not _GONE
        return key in self._base

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[K]:
        return iter(self.as_dict())

    def __getstate__(self) -> dict[K, V]:
        return self.as_dict()

    def __setstate__(self, entries: dict[K, V]) -> None:
        self._base, self._changes, self._length = entries, _NO_CHANGES, len(entries)

    def as_dict(self) -> dict[K, V]:
        """The entries, in a dictionary that must not be changed."""
        if not self._changes:
            return self._base
        entries = {**self._base, **self._changes}
        if len(entries) == self._length:
            return entries
        return {key: value for key, value in entries.items() if value is not _GONE}

    # -- other versions --------------------------------------------------------------------------
    def _with(self, entries: Mapping[K, V]) -> Self:
        changes = self._changes
        if self._length <= FEW or any(changes.get(key) is _GONE for key in entries):
            return self._whole({**self.as_dict(), **entries})  # a key that comes back is the last
        added = sum(key not in self for key in entries)
        return self._version({**changes, **entries}, self._length + added)

    def remove(self, keys: Iterable[K]) -> Self:
        """The version without those of *keys* that it has."""
        gone = {key: _GONE for key in keys if key in self}
        if not gone:
            return self
        if self._length <= FEW:
            return self._whole({k: v for k, v in self.as_dict().items() if k not in gone})
        return self._version({**self._changes, **gone}, self._length - len(gone))

    def _whole(self, entries: dict[K, V]) -> Self:
        version = _new(type(self))
        version._base, version._changes, version._length = entries, _NO_CHANGES, len(entries)
        return version

    def _version(self, changes: dict[K, Any], length: int) -> Self:
        version = _new(type(self))
        version._base, version._changes, version._length = self._base, changes, length
        if len(changes) > max(MIN_CHANGES, 2 * isqrt(length)):
            version._base, version._changes = version.as_dict(), _NO_CHANGES
        return version

    def _since(self, before: _Entries[K, V]) -> tuple[dict[K, V], list[K]]:
        if self is before:
            return {}, []
        now, then = self._changes, before._changes
        if self._base is not before._base or not then.keys() <= now.keys():
            return _difference(self.as_dict(), before.as_dict())
        differ = {key: value for key, value in now.items() if then.get(key, _NONE) is not value}
        changed = {
            key: value
            for key, value in differ.items()
            if value is not _GONE and before._found(key) is not value
        }
        return changed, [key for key, v in differ.items() if v is _GONE and key in before]

    def _found(self, key: K) -> Any:
        found = self._changes.get(key, _NONE)
        return self._base.get(key, _NONE) if found is _NONE else found


class PersistentMap(_Entries[K, V], Mapping[K, V]):
    """An immutable mapping; its entries keep the order in which their keys were added."""

    __slots__ = ()

    def __init__(self, items: Mapping[K, V] | Iterable[tuple[K, V]] = ()) -> None:
        super().__init__(dict(items))

    def __getitem__(self, key: K) -> V:
        found = self._changes.get(key, _NONE)
        if found is _NONE:
            return self._base[key]
        if found is _GONE:
            raise KeyError(key)
        return found  # type: ignore[no-any-return]

    def get(self, key: K, default: Any = None) -> Any:
        """The value of *key*, or *default* if it has none."""
        found = self._changes.get(key, _NONE)
        if found is _NONE:
            return self._base.get(key, default)
        return default if found is _GONE else found

    def values(self) -> ValuesView[V]:
        """The values, in the order of their keys."""
        return self.as_dict().values()

    def items(self) -> ItemsView[K, V]:
        """The entries, in the order of their keys."""
        return self.as_dict().items()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.as_dict()!r})"

    def put(self, entries: Mapping[K, V]) -> Self:
        """The mapping with *entries* added or replaced."""
        return self._with(entries) if entries else self

    def since(self, before: PersistentMap[K, V]) -> tuple[dict[K, V], list[K]]:
        """What is new or another object than in *before*, an earlier version, and the keys that it lacks."""
        return self._since(before)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        key, value = (handler.generate_schema(kind) for kind in get_args(source) or (Any, Any))
        return _schema(cls, core_schema.dict_schema(key, value), PersistentMap.as_dict)


class PersistentSet(_Entries[K, None], Set[K]):
    """An immutable set; its elements keep the order in which they were added."""

    __slots__ = ()

    def __init__(self, elements: Iterable[K] = ()) -> None:
        super().__init__(dict.fromkeys(elements))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self)!r})"

    def put(self, elements: Iterable[K]) -> Self:
        """The set with *elements*."""
        new = {element: None for element in elements if element not in self}
        return self._with(new) if new else self

    def since(self, before: PersistentSet[K]) -> list[K]:
        """The elements that only one of this set and *before*, an earlier version, has."""
        added, gone = self._since(before)
        return [*added, *gone]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        (element,) = (handler.generate_schema(kind) for kind in get_args(source) or (Any,))
        return _schema(cls, core_schema.tuple_variable_schema(element), tuple)


class PersistentSequence(PersistentSet[K]):
    """A set whose order counts: two of them are equal if they have the same elements in the same order."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PersistentSequence | tuple) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment]


def _difference(now: dict[K, V], then: dict[K, V]) -> tuple[dict[K, V], list[K]]:
    changed = {key: value for key, value in now.items() if then.get(key, _NONE) is not value}
    return changed, [key for key in then if key not in now]


def _schema(kind: type[Any], plain: CoreSchema, to_plain: Any) -> CoreSchema:
    """*kind* is read from, and written as, a value of the schema *plain*."""
    return core_schema.union_schema(
        [
            core_schema.is_instance_schema(kind),
            core_schema.no_info_after_validator_function(kind, plain),
        ],
        serialization=core_schema.plain_serializer_function_ser_schema(
            to_plain, return_schema=plain
        ),
    )
