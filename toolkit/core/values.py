"""Frozen keyword-only values, the little of `dataclasses` that a tracked build needs without paying for its import.

Defining twenty dataclasses costs a starting process as much again as Python itself; a subclass of `Value` costs nothing
measurable, compares, prints and copies the same way, and type checkers know its constructor.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, ClassVar, NoReturn, Self, dataclass_transform

NOTHING: MappingProxyType[Any, Any] = MappingProxyType({})
"""The default of fields that hold a mapping."""


@dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=True)
class Value:
    """Base of immutable values: annotate the fields, give defaults, construct by keyword."""

    fields: ClassVar[tuple[str, ...]] = ()
    defaults: ClassVar[dict[str, Any]] = {}
    required: ClassVar[frozenset[str]] = frozenset()
    _known: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls) -> None:
        """Collect the fields of the class from its annotations, after those it inherits."""
        own = [
            name
            for name, kind in cls.__dict__.get("__annotations__", {}).items()  # noqa: RUF063 - inspect is heavy
            if not str(kind).startswith("ClassVar")
        ]
        cls.fields = (*(name for name in cls.fields if name not in own), *own)
        cls.defaults = {**cls.defaults, **{name: cls.__dict__[name] for name in own if name in cls.__dict__}}
        cls._known = frozenset(cls.fields)
        cls.required = cls._known - cls.defaults.keys()

    def __init__(self, **values: Any) -> None:  # noqa: ANN401 - the fields' own types are what the type checker sees
        """Take every field by name; TypeError for one that is missing or unknown."""
        if not (self.required <= values.keys() and self._known >= values.keys()):
            missing = ", ".join(sorted(self.required - values.keys()))
            unknown = ", ".join(sorted(values.keys() - self._known))
            raise TypeError(f"{type(self).__name__}: missing [{missing}], unknown [{unknown}]")
        self.__dict__.update(self.defaults)
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse: values never change."""
        raise AttributeError(f"{type(self).__name__} is frozen: use .but({name}=…)")

    def but(self, **changes: Any) -> Self:  # noqa: ANN401 - as above
        """Give a copy with some fields changed; TypeError for one that is unknown."""
        if not self._known >= changes.keys():
            raise TypeError(f"{type(self).__name__}: unknown [{', '.join(sorted(changes.keys() - self._known))}]")
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy.__dict__.update(changes)
        return copy

    def __eq__(self, other: object) -> bool:
        """Two values are equal when they are of one class and all their fields are."""
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        """Hash by the fields; TypeError when one of them is a mapping."""
        return hash((type(self), *(self.__dict__[name] for name in self.fields)))

    def __repr__(self) -> str:
        """Write the value as the call that makes it, without the fields that say nothing."""
        told = (
            f"{name}={self.__dict__[name]!r}"
            for name in self.fields
            if name in self.required or self.__dict__[name] != self.defaults.get(name)
        )
        return f"{type(self).__name__}({', '.join(told)})"
