"""Arrays out of pickles, without running anything that is in them.

Published body models are Python 2 pickles that hold numpy arrays, scipy sparse matrices and chumpy objects. A pickle is
a program, so none of its names is looked up: every name that those files need stands for an inert class of this module
that only collects data, and any other name is refused.
"""

import io
import math
import pickle
from typing import Any, BinaryIO

import numpy as np

from lib.body.budget import ENTRY, Budget
from lib.files.bounded_pickle import BoundedUnpickler
from lib.messages import one_line, shown

_MOST_BYTES = 1 << 30  # of a file


class _NotNumbers(ValueError):
    """An entry that is no array of plain numbers; a model file may hold some beside the ones it needs."""


class _RefusedName(pickle.UnpicklingError):
    """A name that is not on the list."""


class _Inert:
    """Collects what a pickle hands to an object: constructor arguments and state."""

    args: tuple = ()
    state: Any = None

    def __init__(self, *args):
        self.args = args

    def __setstate__(self, state):
        self.state = state

    def attribute(self, *names):
        """The first of ``names`` in the object's state; a damaged file raises ValueError."""
        for name in names:
            if isinstance(self.state, dict) and name in self.state:
                return self.state[name]
        raise ValueError(f"{type(self).__name__.lstrip('_')} without {names[0]!r}")

    def array(self, budget: "Budget") -> np.ndarray:
        raise _NotNumbers(type(self).__name__)


class _Ignored(_Inert):
    """``object`` and ``set``: named by model files, but no part of a model."""


class _DType(_Inert):
    def dtype(self) -> np.dtype:
        name = self.args[0] if self.args else None
        order: Any = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "="
        if not isinstance(name, str) or order not in ("<", ">", "=", "|"):
            raise ValueError("damaged array type")
        # object arrays would need the unpickler to make objects
        if np.dtype(name).kind not in "biuf":
            raise _NotNumbers(name)
        return np.dtype(name).newbyteorder(order)


def _to_bytes(data) -> bytes:
    if isinstance(data, _Encoded):
        data = data.args[0]
    if isinstance(data, (bytes, bytearray)):
        return bytes(data)
    # Python 2 strings arrive as text decoded with latin1; bytes() of a number would make as many zeros
    return data.encode("latin1")


def _from_buffer(data, kind, shape, order) -> np.ndarray:
    if not isinstance(kind, _DType):
        raise ValueError("damaged array type")
    dtype = kind.dtype()
    if not isinstance(data, (str, bytes, bytearray, _Encoded)):
        raise ValueError("damaged array")
    shape = (shape,) if isinstance(shape, int) else shape
    array = np.frombuffer(_to_bytes(data), dtype=dtype).reshape(shape, order=order)
    return array.astype(dtype.newbyteorder("="))


class _Encoded(_Inert):
    """``_codecs.encode(text, "latin1")``: how Python 3 writes bytes in protocol 2."""


class _Array(_Inert):
    """``_reconstruct`` (array in state) or ``_frombuffer`` (array in arguments) of numpy."""

    def array(self, budget: "Budget") -> np.ndarray:
        if self.state is None:
            data, dtype, shape, order = self.args
        else:
            _, shape, dtype, fortran, data = self.state
            order = "F" if fortran else "C"
        return budget.spent(_from_buffer(data, dtype, shape, order))


class _Scalar(_Inert):
    def array(self, budget: "Budget") -> np.ndarray:
        dtype, data = self.args
        return _from_buffer(data, dtype, (), "C")


class _Sparse(_Inert):
    def array(self, budget: "Budget") -> np.ndarray:
        from scipy import sparse

        kind = _SPARSE[type(self)]
        shape = tuple(int(size) for size in self.attribute("_shape", "shape"))
        budget.spend(math.prod(shape))
        data = to_array(self.attribute("data"), budget)
        if kind == "coo":
            index = self.attribute("coords") if "coords" in self.state else (self.state["row"], self.state["col"])
            matrix = sparse.coo_matrix((data, tuple(to_array(i, budget) for i in index)), shape=shape)
        else:
            parts = (data, *(to_array(self.attribute(name), budget) for name in ("indices", "indptr")))
            matrix = (sparse.csc_matrix if kind == "csc" else sparse.csr_matrix)(parts, shape=shape)
            matrix.check_format(full_check=True)
        return matrix.toarray()


class _Csc(_Sparse):
    pass


class _Csr(_Sparse):
    pass


class _Coo(_Sparse):
    pass


_SPARSE = {_Csc: "csc", _Csr: "csr", _Coo: "coo"}


class _Ch(_Inert):
    """A chumpy variable: its value is ``x``."""

    def array(self, budget: "Budget") -> np.ndarray:
        return to_array(self.attribute("x"), budget)


class _Select(_Inert):
    """A chumpy selection: elements ``idxs`` of the flattened ``a``, in the shape ``preferred_shape``."""

    def array(self, budget: "Budget") -> np.ndarray:
        selected = to_array(self.attribute("a"), budget).ravel()[to_array(self.attribute("idxs"), budget)]
        shape = self.state.get("preferred_shape")
        return selected if shape is None else selected.reshape(tuple(int(n) for n in shape))


class _Reconstructor(_Inert):
    """``copy_reg._reconstructor(cls, base, state)``: how protocols 0 and 1 make an object."""

    def __new__(cls, kind, base, state):
        if not (isinstance(kind, type) and issubclass(kind, _Inert)):
            raise ValueError("damaged object")
        return kind()


class _Name(_Inert):
    """A class that only appears as an argument."""


_ALLOWED = {
    ("numpy", "dtype"): _DType,
    ("numpy", "ndarray"): _Name,
    ("_codecs", "encode"): _Encoded,
    ("chumpy.ch", "Ch"): _Ch,
    ("chumpy.reordering", "Select"): _Select,
}
for _core in ("numpy.core", "numpy._core"):
    _ALLOWED[_core + ".multiarray", "_reconstruct"] = _Array
    _ALLOWED[_core + ".multiarray", "scalar"] = _Scalar
    _ALLOWED[_core + ".numeric", "_frombuffer"] = _Array
for _kind, _class in (("csc", _Csc), ("csr", _Csr), ("coo", _Coo)):
    for _module in (f"scipy.sparse.{_kind}", f"scipy.sparse._{_kind}"):
        _ALLOWED[_module, _kind + "_matrix"] = _class
        _ALLOWED[_module, _kind + "_array"] = _class
for _builtins in ("__builtin__", "builtins"):
    _ALLOWED[_builtins, "object"] = _Ignored
    _ALLOWED[_builtins, "set"] = _Ignored
for _copyreg in ("copy_reg", "copyreg"):
    _ALLOWED[_copyreg, "_reconstructor"] = _Reconstructor


class _Unpickler(BoundedUnpickler):
    def find_class(self, module: str, name: str):
        if (module, name) not in _ALLOWED:
            raise _RefusedName(
                f"it asks for {shown(module)[1:-1]}.{shown(name)[1:-1]}, which no body model needs; the file was not "
                "executed"
            )
        return _ALLOWED[module, name]


def to_array(value, budget: Budget | None = None) -> np.ndarray:
    """An entry of ``load_entries`` as an array.

    Args:
        value: the entry.
        budget: shared by the entries of a file.

    Raises:
        ValueError (and what else a damaged pickle's values raise): it holds something but numbers, texts and arrays.
    """
    budget = budget or Budget()
    budget.spend(ENTRY)
    if isinstance(value, _Inert):
        return value.array(budget)
    if isinstance(value, (list, tuple)):
        return np.array([to_array(item, budget) for item in value])
    if isinstance(value, (bool, int, float, str)):
        return np.asarray(value)
    raise _NotNumbers(type(value).__name__)


# what values of a damaged pickle raise
_DAMAGE = (
    EOFError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)


def load_value(file: BinaryIO):
    """What a pickle holds, inert: dicts, lists, numbers and texts as they are, arrays to be made by ``to_array``.

    Args:
        file: pickle of any protocol, from Python 2 or 3; read from its beginning.

    Raises:
        ValueError: a name outside the allow-list, truncated or damaged data. One line.
    """
    if file.seek(0, io.SEEK_END) > _MOST_BYTES:
        raise ValueError(f"larger than {_MOST_BYTES >> 20} MB, which no body model is")
    try:
        file.seek(0)
        return _Unpickler(io.BytesIO(file.read()), encoding="latin1").load()
    except _RefusedName as error:
        raise ValueError(str(error)) from error
    except Exception as error:  # it depends on the byte that was hit
        raise ValueError(f"truncated or damaged pickle ({type(error).__name__})") from error


def load_entries(file: BinaryIO) -> dict:
    """The entries of a pickled dict, see ``load_value``.

    Raises:
        ValueError: see ``load_value``; not a dict. One line.
    """
    content = load_value(file)
    if not isinstance(content, dict):
        raise ValueError("the pickle does not hold a dict of arrays")
    return content


def array_objects(value) -> list | None:
    """The entries of an array of objects, in order; None for anything else."""
    held = value.state[4] if isinstance(value, _Array) and isinstance(value.state, tuple) and value.state[4:] else None
    return held if isinstance(held, list) else None


def load_arrays(file: BinaryIO) -> dict[str, np.ndarray]:
    """The arrays, sparse matrices (as dense arrays), numbers and texts of a pickled dict; other entries are left out.

    Args:
        file: see ``load_entries``.

    Raises:
        ValueError: see ``load_entries``; or an entry that cannot be made an array. One line.
    """
    arrays, budget = {}, Budget()
    for key, value in load_entries(file).items():
        if not isinstance(key, str):
            continue
        try:
            arrays[key] = to_array(value, budget)
        except _NotNumbers:
            continue
        except _DAMAGE as error:
            raise ValueError(f"entry {shown(key)}: {one_line(error, 200)}") from error
    return arrays
