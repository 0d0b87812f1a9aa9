"""Stand-ins for the few numpy objects that checkpoints of the original release hold.

The original stored test errors as numpy scalars. Their pickles name numpy internals whose place and behaviour change
between numpy versions, and whose state setters accept arbitrary bytes. These readers take their place: they accept
plain numbers only, return Python numbers and do not touch numpy's internals.
"""

import numpy as np


class StoredDtype:
    """What is left of a pickled ``numpy.dtype``: kind, size and byte order of a plain number."""

    def __init__(self, code: str, *_):
        if code not in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"):
            raise ValueError(f"numpy type {code!r} is not a plain number")
        self.code = code
        self.order = "<"

    def __setstate__(self, state: tuple) -> None:
        order = state[1]
        if order not in ("<", ">", "|", "="):
            raise ValueError(f"byte order {order!r}")
        self.order = "<" if order == "=" else order


def read_scalar(dtype: StoredDtype, data: bytes | str) -> float | int | bool:
    """The number in a pickled numpy scalar."""
    if not isinstance(dtype, StoredDtype):
        raise ValueError("numpy scalar without a plain number type")
    if not isinstance(data, (str, bytes)):
        raise ValueError("numpy scalar without bytes")
    raw = data.encode("latin1") if isinstance(data, str) else data
    (value,) = np.frombuffer(raw, dtype=np.dtype(dtype.order + dtype.code))
    return value.item()


def _encoded(text: str, encoding: str) -> bytes:
    """The bytes of a number, which Python 3 writes as text into pickles that Python 2 reads."""
    if not isinstance(text, str) or len(text) > 8 or encoding != "latin1":
        raise ValueError("more than the bytes of a number")
    return text.encode("latin1")


SAFE_NAMES = {
    ("numpy", "dtype"): StoredDtype,
    ("numpy.core.multiarray", "scalar"): read_scalar,  # numpy 1 writes this name,
    ("numpy._core.multiarray", "scalar"): read_scalar,  # numpy 2 this one
    ("_codecs", "encode"): _encoded,
}
