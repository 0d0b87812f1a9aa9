"""What predictions have in common, whatever their arrays are made of."""

from collections.abc import Iterator
from typing import Any


class OfPeople:
    """B people with arrays whose first axis they are; loops and ``len`` are people. One person lacks that axis."""

    mesh: Any

    def __len__(self) -> int:
        if self.mesh.ndim == 2:
            raise TypeError("the prediction of one person has no length")
        return len(self.mesh)

    def __getitem__(self, people) -> Any:
        if self.mesh.ndim == 2:
            raise TypeError("the prediction of one person cannot be indexed; index the one of all people")
        return self._chosen(people)

    def __iter__(self) -> Iterator[Any]:
        return (self[person] for person in range(len(self)))

    def _chosen(self, people) -> Any:
        """Some people, or the one of a number."""
        raise NotImplementedError
