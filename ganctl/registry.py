"""The closed tables from a name in YAML to a class, and the base of every class in them."""

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from typing import Annotated, Any, Generic, TypeVar, Union, get_args

from pydantic import BaseModel, ConfigDict, Field


class Spec(BaseModel):
    """A piece of configuration: typed, finite, in range, without unknown keys, and immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Component(Spec):
    """A piece that YAML chooses by name."""

    name: str


C = TypeVar("C", bound=Component)


class Family(Generic[C]):
    """One family of components, such as losses: the only way from a name to a class.

    A member is a `Component` whose field `name` is a `Literal` of one string; `register` adds it. No config and no
    checkpoint can reach other code.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self._classes: dict[str, type[C]] = {}

    def register(self, cls: type[C]) -> type[C]:
        """Add the decorated class under the name that its `name` field states."""
        (name,) = get_args(cls.model_fields["name"].annotation)
        assert self._classes.get(name, cls).__qualname__ == cls.__qualname__, f"two of {self.key} named {name}"
        self._classes[name] = cls
        return cls

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __getitem__(self, name: str) -> type[C]:
        return self._classes[name]

    def union(self) -> Any:
        """Return the union of all members, told apart by their names, as an annotation for pydantic."""
        union: Any = Union[tuple(self._classes.values())]  # noqa: UP007
        return union if len(self._classes) == 1 else Annotated[union, Field(discriminator="name")]


def import_members(package: str) -> None:
    """Import every module of a package of ganctl's own, so that its components register."""
    for module in pkgutil.iter_modules(sys.modules[package].__path__):
        importlib.import_module(f"{package}.{module.name}")
