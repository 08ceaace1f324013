"""Read large tables a batch at a time, and follow references that are text."""

import itertools
import uuid
from collections.abc import Iterable, Iterator
from typing import TypeVar

Row = TypeVar("Row")
SIZE = 500


def in_batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    remaining = iter(rows)
    while batch := list(itertools.islice(remaining, SIZE)):
        yield batch


def ids_in(references: Iterable[str], kind: str) -> list[uuid.UUID]:
    """The ids of all references of this kind ("session:<id>") that are well formed."""
    found = []
    for reference in references:
        prefix, _, text = reference.partition(":")
        if prefix == kind:
            try:
                found.append(uuid.UUID(text))
            except ValueError:
                continue
    return found
