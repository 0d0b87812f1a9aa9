"""Damage of arrays: ``.npy``, ``.npz`` and pickles of arrays."""

import io
import pickle
import random
import struct
import zipfile
from pathlib import Path

import numpy as np

from tests.support.made_inputs import write_models
from tests.support.malformed.trees import damage_tree


def damaged_array(draw: random.Random, array: np.ndarray) -> tuple[np.ndarray, str]:
    """An array of another kind, shape or content, and what it is."""
    array = np.asarray(array)
    numbers = array if array.dtype.kind in "fiub" else np.zeros(3)

    def holes(value: float):
        changed = numbers.astype(np.float64)
        if changed.size:
            changed.reshape(-1)[draw.randrange(changed.size)] = value
        return changed

    def records():
        return np.zeros(numbers.shape[:1] or 1, [("x", "f4"), ("y", "f4")])

    changes = {
        "objects": lambda: np.array([{"a": 1}, None], dtype=object), "complex": lambda: numbers.astype(np.complex128),
        "text": lambda: numbers.astype("U8"), "bytes": lambda: numbers.astype("S8"),
        "bool": lambda: numbers.astype(bool),
        "dates": lambda: numbers.astype("M8[D]"), "half": lambda: numbers.astype(np.float16),
        "uint8": lambda: numbers.astype(np.uint8), "int64": lambda: numbers.astype(np.int64), "records": records,
        "transposed": lambda: numbers.T, "flat": lambda: numbers.reshape(-1), "axis": lambda: numbers[None],
        "empty": lambda: numbers[:0], "none": lambda: np.zeros((0, 0)), "shorter": lambda: numbers[:-1],
        "narrower": lambda: numbers[..., :-1], "number": lambda: np.array(7.0),
        "fortran": lambda: np.asfortranarray(numbers),
        "big endian": lambda: numbers.astype(numbers.dtype.newbyteorder(">")), "nan": lambda: holes(np.nan),
        "inf": lambda: holes(np.inf), "huge": lambda: holes(1e300), "all nan": lambda: numbers * np.nan,
        "all huge": lambda: numbers + 1e30, "negative": lambda: -numbers.astype(np.int64) - 1,
        "zeros": lambda: numbers * 0, "large": lambda: numbers.astype(np.float64) * 1e9,
        "float128": lambda: numbers.astype("g"),
        "long": lambda: np.concatenate([np.atleast_1d(numbers)] * draw.choice((2, 50))),
        "int min": lambda: holes(-(2.0**63)),
        "uint64": lambda: np.full(numbers.shape, 2**64 - 1, np.uint64),
        "deep": lambda: numbers.reshape((1,) * 25 + numbers.shape),
    }  # fmt: skip
    name = draw.choice(list(changes))
    with np.errstate(all="ignore"):
        try:
            return changes[name](), name
        except (ValueError, TypeError, OverflowError, IndexError):
            return holes(np.nan), "nan"


_SHAPES = ("(1000000000000000,)", "(-1, 17, 2)", "(10, 17, 2, )", "(" + "1, " * 40 + ")", "(4294967296, 4294967296)",
           "17", "(1e3,)", "(True,)", "()", "(0, 99999999999999999999)", "__import__('os')", "(2**62,)")  # fmt: skip
_TYPES = (
    "'<f8'",
    "'|O'",
    "'<U1000000000'",
    "'V8'",
    "'<f99'",
    "[('a', '<f8', (100000, 100000))]",
    "'<M8[D]'",
    "None",
    "'|S0'",
    "'g'",
)


def claiming(draw: random.Random) -> bytes:
    """A ``.npy`` file whose header claims something."""
    version = draw.choice(((1, 0), (2, 0), (3, 0), (9, 9), (1, 0)))
    kind, order, shape = draw.choice(_TYPES), draw.choice(("False", "True", "5")), draw.choice(_SHAPES)
    head = f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}"
    head = draw.choice((head, head, head, head[:-3], "{'x': 1}", "[" * 5000, "'" + "x" * 60_000)) + "\n"
    size = struct.pack("<H" if version[0] == 1 else "<I", draw.choice((len(head), len(head), len(head), 60_000, 1)))
    return b"\x93NUMPY" + bytes(version) + size + head.encode() + bytes(draw.choice((0, 64, 5000)))


def _saved(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=True)
    return content.getvalue()


def damage_npy(draw: random.Random, path: Path) -> str:
    """Another array, or a header that claims one."""
    if draw.random() < 0.3:
        path.write_bytes(claiming(draw))
        return "header"
    array, done = damaged_array(draw, np.load(path))
    path.write_bytes(_saved(array))
    return done


def damage_npz(draw: random.Random, path: Path) -> str:
    """Other arrays, and archives with traps."""
    with np.load(path) as stored:
        members = {name: _saved(stored[name]) for name in stored.files}
        key = draw.choice(stored.files)
        array, done = damaged_array(draw, stored[key])
    kind = draw.choice(
        ("array", "array", "array", "header", "gone", "bomb", "raw", "twice", "names", "many", "none", "crypt")
    )
    method, extra = draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)), {}
    if kind == "array":
        members[key], kind = _saved(array), done
    elif kind == "header":
        members[key] = claiming(draw)
    elif kind == "gone":
        del members[key]
    elif kind == "raw":
        members[key] = draw.randbytes(500)
    elif kind == "bomb":
        members[key], method = _saved(np.zeros((draw.choice((10, 300)) * 10**6 // 8,))), zipfile.ZIP_DEFLATED
    elif kind == "names":
        extra = {"../../up.npy": b"x", "\x1b[31m.npy": b"x", "x" * 5000: b"x", "a\nb.npy": b"x"}
    elif kind == "many":
        extra = {f"{number}.npy": members[key] if len(members[key]) < 1000 else b"" for number in range(5000)}
    elif kind == "none":
        members = {}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in ({f"{name}.npy": data for name, data in members.items()} | extra).items():
            entry = zipfile.ZipInfo(name)  # of no date, so that the bytes are the same every time
            entry.compress_type = method
            archive.writestr(entry, data)
        if kind == "twice" and members:
            import warnings

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                archive.writestr(f"{key}.npy", _saved(array))
    if kind == "crypt":
        data = bytearray(path.read_bytes())
        for mark, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
            start = data.find(mark)
            if start >= 0:
                data[start + place] |= 1
        path.write_bytes(data)
    return f"{key}: {kind}"


_OPS = (
    b"cos\nsystem\nX\x05\x00\x00\x00touch\x85R.", b"cbuiltins\nexec\nX\x01\x00\x00\x001\x85R.", b"\x80\xff.",
    b"}(K\x01K\x02u.",
    b"\x80\x02]\x8c\x01ah\x00\x00.", b"I" + b"9" * 10_000 + b"\n.", b"F" + b"1e999\n.", b"\x8b\xff\xff\xff\x7f.",
    b"\x8a\xff" + b"\xff" * 255 + b".",
    b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b".", b"Pperson\n.", b"\x82\x01.", b"}]K\x01s.",
    b"N" * 200_000 + b".", b"(" * 200_000 + b".",
    b"cnumpy\nndarray\n(K\xffttR.",
    b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(J\xff\xff\xff\x7ftU\x01btR.", b"\x80\x05\x97.",
    b"ccopyreg\n_reconstructor\n(cbuiltins\nobject\ncbuiltins\nobject\nNtR}b.", b"]q\x00h\x00a.", b"2.", b"0.",
    b"1.", b".", b"}b.", b"",
    b"cscipy.sparse.csc\ncsc_matrix\n)\x81}b.",
    b"cnumpy\ndtype\n(X\x10\x00\x00\x00" + b"f8," * 5 + b"f" + b"K\x00K\x01tR.",
    b"}X\x0a\x00\x00\x00v_template" + b"(" + b"K\x01" * 300_000 + b"ls.",
    b"\x80\x02}(" + b"K\x01K\x02" * 200_000 + b"u.",
)  # fmt: skip


def damage_pickle(draw: random.Random, path: Path) -> str:
    """Other arrays, opcodes that execute or allocate."""
    kind = draw.choice(("array", "array", "gone", "value", "opcode", "made", "tail"))
    if kind in ("array", "gone", "value"):
        content = pickle.loads(path.read_bytes(), encoding="latin1")  # ours
        key = draw.choice(list(content))
        if kind == "value" and draw.random() < 0.5:
            content, _, done = damage_tree(draw, content)
            path.write_bytes(pickle.dumps(content, protocol=draw.choice((2, 4, 5))))
            return done
        value = content[key]
        if isinstance(value, list) and value:
            value[0], done = damaged_array(draw, value[0])
            array = value
        else:
            array, done = damaged_array(draw, value.toarray() if hasattr(value, "toarray") else value)
        if kind == "gone":
            del content[key]
        else:
            content[key] = (
                array if kind == "array" else draw.choice((None, "x" * 100_000, [[1], [2, 3]], {}, 10**400, -1, ("a",)))
            )
        path.write_bytes(pickle.dumps(content, protocol=draw.choice((0, 2, 4, 5))))
        return f"{key}: {done if kind == 'array' else kind}"
    if kind == "opcode":
        data = draw.choice(_OPS)
        path.write_bytes(data)
        return f"opcodes {data[:24]!r}"
    if kind == "made":
        folder = path.parent / "made"
        folder.mkdir()
        write_models(folder)
        chosen = draw.choice(sorted(folder.iterdir()))
        path.write_bytes(chosen.read_bytes())
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        return chosen.stem
    data = path.read_bytes()
    path.write_bytes(data[:-1] + draw.choice(_OPS))
    return "tail"
