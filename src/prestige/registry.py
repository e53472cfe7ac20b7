"""Name -> builder: refuses duplicates, suggests neighbours for an unknown name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from prestige.errors import unknown

T = TypeVar("T")


class Registry(Generic[T]):
    """An ordered mapping from a name to whatever builds the thing of that name.

    Parameters
    ----------
    kind
        What is registered ("encoder", "reader", "loss"), for the error messages.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that files its argument under ``name``.

        Raises
        ------
        ValueError
            When the name is taken: two builders of one name are a mistake in the code.
        """
        if name in self._entries:
            raise ValueError(f"{self.kind} '{name}' is registered twice")

        def add(entry: T) -> T:
            self._entries[name] = entry
            return entry

        return add

    def get(self, name: str) -> T:
        """Return the entry of that name.

        Raises
        ------
        ConfigError
            When there is none; the message names the nearest one.
        """
        if name not in self._entries:
            raise unknown(self.kind, name, self._entries)
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)
