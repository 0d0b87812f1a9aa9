"""Reading pickles in time and memory that the size of the file bounds: what they share may stand for far more."""

import pickle
from collections.abc import Callable
from typing import Any, ClassVar

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
