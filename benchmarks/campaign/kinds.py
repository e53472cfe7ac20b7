"""What a kind of input is: of which files it is made, how it is changed, what is done with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

OUTSIDE = "outside"
"""Beside the sound inputs: a folder that no input may reach."""
VALUE = "a value became another value of its kind; no format here keeps a check of its values"


@dataclass(frozen=True)
class Change:
    """One way to change an input.

    Attributes
    ----------
    name
        As the page lists it.
    apply
        Changes the files below the folder of an input and says what it did.
    other
        Why another result than that of the sound input is right; None where it never is.
    """

    name: str
    apply: Callable[[Path, Random], str]
    other: str | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes
    ----------
    name
        Also that of the folder of the sound input, whose copy is changed.
    door
        What a user does with it, called with the folder of the input and one for results; returns what is
        compared with that of the sound input.
    changes
        The ways to change it.
    weight
        How many of the inputs are of this kind, beside the others.
    source
        Of ``dataset.yaml``, where it is a reader's kind.
    heavy
        Whether torch is needed: such kinds come after the others.
    writes
        Names of files and folders of the input into which the command writes by its nature.
    ready
        Done with the sound input, in a process of its own, before it is changed.
    """

    name: str
    door: Callable[[Path, Path], object]
    changes: Sequence[Change]
    weight: float = 1.0
    source: str | None = None
    heavy: bool = False
    writes: tuple[str, ...] = ()
    ready: Callable[[Path, Path], object] | None = None


@dataclass
class Mutant:
    """A changed input that lies in a folder."""

    kind: Kind
    seed: int
    names: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    @property
    def other(self) -> str | None:
        """Why another result is right; None where it is not."""
        reasons = [change.other for change in self.kind.changes if change.name in self.names]
        return next((reason for reason in reasons if reason is not None), None)


def copied(kind: Kind, sound: Path, folder: Path) -> Path:
    """Copy the sound input of a kind into a new folder."""
    return Path(shutil.copytree(sound / kind.name, folder, symlinks=True))


def changed(kind: Kind, seed: int, folder: Path) -> Mutant:
    """Change the sound input in a folder: all follows from the kind and the seed."""
    rng = Random(f"{kind.name}-{seed}")
    made = Mutant(kind, seed)
    wanted = rng.choice((1, 1, 1, 1, 2, 3))
    for _ in range(20):
        change = rng.choice(kind.changes)
        try:
            made.words.append(change.apply(folder, rng))
            made.names.append(change.name)
        except Exception as error:  # noqa: BLE001 - an earlier change may have left nothing
            made.words.append(f"{change.name} not applied: {type(error).__name__}")
        if len(made.words) >= wanted and made.names:
            break
    return made
