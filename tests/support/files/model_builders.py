"""Small body and hand models of random numbers, and a writer of pickles as Python 2 made them."""

import struct

import numpy as np
from scipy import sparse

NEUTRAL = "basicModel_neutral_lbs_10_207_0_v1.0.0.pkl"


def small_body(vertex_num: int = 40, joint_num: int = 24, shape_num: int = 10, seed: int = 0) -> dict:
    """A body-shaped dict of random numbers with a chain of joints; faces make a closed strip."""
    rng = np.random.default_rng(seed)
    regressor = rng.random((joint_num, vertex_num)) * (rng.random((joint_num, vertex_num)) < 0.3)
    weights = rng.random((vertex_num, joint_num))
    ring = np.arange(vertex_num)
    parents = np.concatenate([[4294967295], np.arange(joint_num - 1)])
    return {
        "v_template": rng.normal(size=(vertex_num, 3)),
        "shapedirs": rng.normal(size=(vertex_num, 3, shape_num)),
        "posedirs": rng.standard_normal((vertex_num, 3, 9 * (joint_num - 1)), dtype=np.float32),
        "J_regressor": regressor,
        "weights": weights / weights.sum(axis=1, keepdims=True),
        "f": np.stack([ring, np.roll(ring, 1), np.roll(ring, 2)], axis=1).astype(np.uint32),
        "kintree_table": np.stack([parents, np.arange(joint_num)]).astype(np.uint32),
    }


def small_hand(seed: int = 0) -> dict:
    rng = np.random.default_rng(seed)
    model = small_body(778, 16, seed=seed)
    return {**model, "hands_mean": rng.normal(size=45), "hands_components": rng.normal(size=(45, 45))}


class Python2:
    """Writes values as Python 2's pickle module did, protocol 0 (text) or 2 (binary)."""

    def __init__(self, protocol: int):
        self.binary = protocol == 2
        self.out = [b"\x80\x02"] if self.binary else []

    def dump(self, value) -> bytes:
        self.write(value)
        return b"".join(self.out) + b"."

    def add(self, *parts: bytes):
        self.out.extend(parts)

    def text(self, value: bytes):
        if not self.binary:
            self.add(b"S" + repr(value)[1:].encode() + b"\n")
        elif len(value) < 256:
            self.add(b"U", bytes([len(value)]), value)
        else:
            self.add(b"T", struct.pack("<i", len(value)), value)

    def write(self, value):
        if isinstance(value, dict):
            self.add(b"(d" if not self.binary else b"}")
            for key, item in value.items():
                self.write(key)
                self.write(item)
                self.add(b"s")
        elif isinstance(value, str):
            self.text(value.encode())
        elif isinstance(value, int):
            self.add(f"I{value}\n".encode())
        elif isinstance(value, tuple):
            self.add(b"(")
            for item in value:
                self.write(item)
            self.add(b"t")
        elif sparse.issparse(value):
            self.object("scipy.sparse.csc", "csc_matrix")
            self.write({"_shape": value.shape, "data": value.data, "indices": value.indices, "indptr": value.indptr})
            self.add(b"b")
        elif isinstance(value, Chumpy):
            self.object(*value.name)
            self.write(value.state)
            self.add(b"b")
        else:
            self.array(value)

    def object(self, module: str, name: str):
        self.add(f"ccopy_reg\n_reconstructor\n(c{module}\n{name}\nc__builtin__\nobject\nNtR".encode())

    def array(self, array: np.ndarray):
        self.add(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\nt")
        self.text(b"b")
        self.add(b"tR(I1\n")
        self.write(tuple(array.shape))
        self.add(b"cnumpy\ndtype\n(")
        self.text(array.dtype.str[1:].encode())
        self.add(b"I0\nI1\ntR(I3\n")
        self.text(array.dtype.str[:1].encode())
        self.add(b"NNNI-1\nI-1\nI0\ntbI00\n")
        self.text(array.tobytes())
        self.add(b"tb")


class Chumpy:
    """A chumpy object for ``Python2``: module and class name, state."""

    def __init__(self, module: str, name: str, **state):
        self.name = ("chumpy." + module, name)
        self.state = state


def same(model: dict, arrays: dict):
    for key, array in model.items():
        np.testing.assert_array_equal(arrays[key], array, err_msg=key)
