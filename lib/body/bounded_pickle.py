"""Reading pickles in time and memory that the size of the file bounds: what they share may stand for far more."""

import pickle
from collections.abc import Callable
from typing import Any, ClassVar

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


# what an opcode is about to make keys of, on the stack
_KEYS = {
    pickle.SETITEM: slice(-2, -1),
    pickle.SETITEMS: slice(0, None, 2),
    pickle.DICT: slice(0, None, 2),
    pickle.ADDITEMS: slice(None),
    pickle.FROZENSET: slice(None),
}


class BoundedUnpickler(pickle._Unpickler):
    """Python's own reader in Python: it keeps what a pickle numbers in a dict, whatever the numbers.

    It reads from memory, so that no length in a pickle makes it reserve more than is there.
    """

    dispatch: ClassVar[dict[int, Any]] = pickle._Unpickler.dispatch.copy()

    def load_bytearray8(self: Any) -> None:
        self.append(bytearray(self.read(int.from_bytes(self.read(8), "little"))))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


def _with_plain_keys(load: Callable[[Any], None], keys: slice) -> Callable[[Any], None]:
    """An opcode that refuses tuples in tuples as keys: hashing goes through all that they stand for."""

    def checked(self) -> None:
        for key in self.stack[keys]:
            parts = key if isinstance(key, (tuple, frozenset)) else ()
            if any(isinstance(part, (tuple, frozenset)) for part in parts):
                raise pickle.UnpicklingError("a key of tuples in tuples")
        load(self)

    return checked


for _opcode, _keys in _KEYS.items():
    BoundedUnpickler.dispatch[_opcode[0]] = _with_plain_keys(BoundedUnpickler.dispatch[_opcode[0]], _keys)
