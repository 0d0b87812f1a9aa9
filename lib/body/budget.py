"""How many numbers the entries of a model file may stand for: what they share may stand for far more than the file."""

import numpy as np

ENTRY = 64  # numbers in an array that take as long as an entry on its own
_MOST_VALUES = 1 << 26  # of one file's arrays together; SMPL-X, with 400 shape components, has 40 million


class TooMuch(ValueError):
    """Few entries that stand for more than a body model can hold."""


class Budget:
    """Counts the values that arrays are made of: entries may be shared, so that few stand for very many."""

    def __init__(self):
        self.left = _MOST_VALUES

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise TooMuch(f"its entries stand for more than {_MOST_VALUES} numbers, no body model has as many")

    def spent(self, array: np.ndarray) -> np.ndarray:
        self.spend(array.size)
        return array
