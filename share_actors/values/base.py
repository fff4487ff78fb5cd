"""The base classes of all values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict

F = TypeVar("F", bound=BaseModel)


def utc_now() -> datetime:
    """Return the current time in UTC, as in every event and every due time."""
    return datetime.now(UTC)


# The setters of a model's slots, looked up once: each event that is replayed makes several copies.
_new = object.__new__
_set_fields = vars(BaseModel)["__dict__"].__set__
_set_fields_set = vars(BaseModel)["__pydantic_fields_set__"].__set__
_set_extra = vars(BaseModel)["__pydantic_extra__"].__set__
_set_private = vars(BaseModel)["__pydantic_private__"].__set__


def take_known_fields(received: BaseModel) -> None:
    """Have a value that another version of the program sent without its new fields, and with ours."""
    fields, values = type(received).model_fields, received.__dict__
    if values.keys() != fields.keys():
        known = {
            name: values[name] if name in values else field.get_default(call_default_factory=True)
            for name, field in fields.items()
            if name in values or not field.is_required()
        }
        _set_fields(received, known)


def made(kind: type[F], fields: dict[str, Any]) -> F:
    """Return a value of *kind* with exactly these *fields*: all of them, and not validated."""
    value = _new(kind)
    _set_fields(value, fields)
    _set_fields_set(value, set())  # not used
    _set_extra(value, None)
    _set_private(value, None)
    return value


class Frozen(BaseModel):
    """An immutable value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def replace(self, **changes: Any) -> Self:
        """Return a copy with *changes*, which are not validated.

        Equivalent to `model_copy(update=changes)` and eight times as fast; deciders build states with it.
        """
        copy = _new(type(self))
        _set_fields(copy, {**self.__dict__, **changes})
        _set_fields_set(copy, self.__pydantic_fields_set__)  # not used
        _set_extra(copy, None)
        _set_private(copy, None)
        return copy

    def __setstate__(self, state: dict[Any, Any]) -> None:
        """Take in a value, also of another version of the program; see `take_known_fields`."""
        super().__setstate__(state)
        take_known_fields(self)

    def json_bytes(self, fields: set[str] | None = None) -> bytes:
        """The same as `model_dump_json`, of all or some *fields*, in UTF-8 and in half of the time."""
        return self.__pydantic_serializer__.to_json(self, include=fields)


class Internal(Frozen):
    """A value that only this package makes, from parts that were validated where they came in.

    The constructor checks the names of the fields and not their values, which takes a fifth of the time.
    What is read, by `model_validate_json`, is validated in full.
    """

    checked: ClassVar[bool] = False
    """Whether constructors check the values too, and raise `TypeError` for wrong ones: so in the tests."""

    if not TYPE_CHECKING:

        def __init__(self, /, **fields: Any) -> None:
            kind = type(self)
            defaults, required, factories = _FIELDS.get(kind) or _fields_of(kind)
            values = {**defaults, **fields}
            if len(fields) < len(defaults):
                for name, factory in factories:
                    if name not in fields:
                        values[name] = factory()
            if len(values) != len(defaults) or not required <= fields.keys():
                kind.__pydantic_validator__.validate_python(fields)  # raises, naming the field
            _set_fields(self, values)
            _set_fields_set(self, set())
            _set_extra(self, None)
            _set_private(self, None)
            if Internal.checked:
                _check(self, fields)

        __init__.__pydantic_base_init__ = True  # reading does not call it


class _Fields(NamedTuple):
    """The fields of a type with their defaults, in order; those without one; and the makers of defaults."""

    defaults: dict[str, Any]
    required: frozenset[str]
    factories: tuple[tuple[str, Any], ...]


_FIELDS: dict[type[Internal], _Fields] = {}


def _fields_of(kind: type[Internal]) -> _Fields:
    fields = kind.model_fields.items()
    found = _FIELDS[kind] = _Fields(
        {name: field.get_default() for name, field in fields},
        frozenset(name for name, field in fields if field.is_required()),
        tuple((name, field.default_factory) for name, field in fields if field.default_factory),
    )
    return found


def _check(value: Internal, fields: Mapping[str, Any]) -> None:
    validated = type(value).__pydantic_validator__.validate_python(fields)
    for name, right in validated.__dict__.items():
        found = value.__dict__[name]
        if type(found) is not type(right) or found != right:
            raise TypeError(f"{type(value).__name__}.{name}: {found!r} should be {right!r}")


class Value(Frozen):
    """A frozen value that also reads as one of Manila's mappings: `share["size"]`, `share.get("host")`."""

    def __getitem__(self, key: str) -> Any:
        try:
            return getattr(self, key)
        except AttributeError:
            raise KeyError(key) from None

    def get(self, key: str, default: Any = None) -> Any:
        """Return the field *key*, or *default* when there is no such field."""
        return getattr(self, key, default)

    def __contains__(self, key: object) -> bool:
        return key in type(self).model_fields

    def keys(self) -> Iterator[str]:
        """Iterate over the names of the fields."""
        return iter(type(self).model_fields)
