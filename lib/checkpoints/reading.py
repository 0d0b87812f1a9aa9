"""The content of a file of ``torch.save``, read without executing anything, in time and memory that its size bounds.

Why not ``torch.load(weights_only=True)``: it does not look at the checksums of an archive, believes what a pickle says
about the sizes of tensors, makes keys of tuples in tuples, which may take for ever, and lets a pickle call what
reserves memory. Here a pickle may ask for tensors, ordered dicts and plain numbers alone, and the parts of an archive
are taken with their CRC-32, so that no flipped bit of a tensor goes unnoticed.
"""

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

import torch
from torch import Tensor

from lib.checkpoints.safe_types import SAFE_NAMES, StoredDtype
from lib.files.bounded_pickle import BoundedUnpickler
from lib.messages import shown, shown_name

_ARCHIVE = b"PK\x03\x04"
_SEQUENCE = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # torch's number in a pickle: form of torch 1.5 and before
_MOST_PICKLE = 4 << 20  # bytes; those of our largest networks with optimisers have 0.1 MB, and reading takes 1 s per MB
_MOST_AXES = 8  # of a tensor
_BLOCK = 1 << 20  # bytes


class Damaged(ValueError):
    """Bytes that are not those that were written."""


@dataclass(frozen=True, eq=False)
class _Storage:
    """Numbers that tensors are views of: (n,) uint8 ``memory``, which holds ``count`` numbers of ``dtype``."""

    memory: Tensor
    dtype: torch.dtype
    count: int


def read_content(path: Path) -> Any:
    """What was given to ``torch.save``: nested dicts, lists and tuples of tensors on the CPU, numbers and texts.

    Counters come as dicts, parameters as tensors.

    Raises:
        OSError: the file cannot be read.
        Damaged: its checksums say so.
        Exception: whatever a file of another kind, or one that is cut short, leads to.
    """
    size = path.stat().st_size
    with open(path, "rb") as stream:
        start = stream.read(len(_SEQUENCE))
        stream.seek(0)
        if start.startswith(_ARCHIVE):
            return _read_archive(stream, size)
        if start == _SEQUENCE:
            return _read_sequence(stream, size)
    raise ValueError("it does not begin as files of torch.save do; nothing was executed")


def _read_archive(stream: IO[bytes], size: int) -> Any:
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if unpacked > size:
            raise ValueError(f"it would unpack to {unpacked} bytes")
        if not any(member.CRC for member in members):  # torch.serialization.set_crc32_options(False)
            for member in members:
                member.CRC = None  # type: ignore[assignment]  # this is how zipfile says that nothing is known
        folder = members[0].filename.partition("/")[0]

        def open_storage(key: str, byte_count: int) -> Tensor:
            member = archive.getinfo(f"{folder}/data/{key}")
            if member.file_size < byte_count:
                raise Damaged(f"{member.filename} has {member.file_size} bytes, its tensors need {byte_count}")
            with archive.open(member) as part:
                return _filled(part, torch.empty(member.file_size, dtype=torch.uint8))

        try:
            if f"{folder}/byteorder" in archive.namelist() and archive.read(f"{folder}/byteorder") != b"little":
                raise ValueError("it was written on a machine with another order of bytes")
            member = archive.getinfo(f"{folder}/data.pkl")
            if member.file_size > _MOST_PICKLE:
                raise ValueError(f"its pickle has {member.file_size} bytes, at most {_MOST_PICKLE} are read")
            return _Unpickler(io.BytesIO(archive.read(member)), open_storage).load()
        except zipfile.BadZipFile as error:
            raise Damaged(str(error)) from error


def _read_sequence(stream: IO[bytes], size: int) -> Any:
    """Five pickles (a number, a version, the system, the content, keys of storages), then the storages."""
    left, waiting = size, {}

    def reserve_storage(key: str, byte_count: int) -> Tensor:
        nonlocal left
        left -= byte_count
        if left < 0:
            raise Damaged(f"its tensors need more than the {size} bytes that it has")
        waiting[key] = torch.empty(byte_count, dtype=torch.uint8)
        return waiting[key]

    pickles = io.BytesIO(stream.read(_MOST_PICKLE))
    *_, content, keys = (_Unpickler(pickles, reserve_storage).load() for _ in range(5))
    stream.seek(pickles.tell())
    for key in keys:
        stream.seek(8, io.SEEK_CUR)  # the number of numbers, which the pickle has too
        _filled(stream, waiting.pop(key))
    if waiting:
        raise Damaged("some of its tensors are not there")
    return content


def _filled(stream: IO[bytes], memory: Tensor) -> Tensor:
    numbers: Any = memory.numpy()
    # in blocks, as zipfile makes a copy of what it is asked for: of all at once it would cost more than reading
    for start in range(0, len(numbers), _BLOCK):
        block = numbers[start : start + _BLOCK]
        if stream.readinto(block) != len(block):  # type: ignore[attr-defined]
            raise Damaged("it ends within its tensors")
    return memory


class _Unpickler(BoundedUnpickler):
    """Makes tensors from storages, which ``open_storage(key, number of bytes)`` gives."""

    dispatch: ClassVar[dict[int, Any]] = BoundedUnpickler.dispatch.copy()

    def __init__(self, stream: IO[bytes], open_storage: Callable[[str, int], Tensor]):
        super().__init__(stream)
        self._open_storage = open_storage
        self._storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _NAMES:
            place = "" if module in ("builtins", "__builtin__") else f"{shown_name(module)}."
            raise pickle.UnpicklingError(f"GLOBAL {place}{shown_name(name)} was not allowed")
        return _NAMES[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, count, *view = pid
        sound = kind == "storage" and isinstance(dtype, torch.dtype) and isinstance(key, str) and type(count) is int
        if not sound or count < 0 or any(part is not None for part in view):
            raise Damaged(f"a tensor is of {shown(pid)}, which is no storage")
        if key not in self._storages:
            self._storages[key] = _Storage(self._open_storage(key, count * dtype.itemsize), dtype, count)
        found = self._storages[key]
        if (found.dtype, found.count) != (dtype, count):
            raise Damaged(f"two tensors say that storage {shown_name(key)} is of other sizes")
        return found

    def load_build(self: Any) -> None:
        """Of all objects only types of numbers have a state that counts; ordered dicts come with notes of torch's."""
        state = self.stack.pop()
        if isinstance(self.stack[-1], StoredDtype):
            self.stack[-1].__setstate__(state)
        elif not isinstance(self.stack[-1], OrderedDict):
            raise pickle.UnpicklingError("a state for something that has none")

    dispatch[pickle.BUILD[0]] = load_build


def _into_dicts(load: Callable[[Any], None], place: Callable[[Any], Any]) -> Callable[[Any], None]:
    """An opcode that sets entries of dicts only: what an entry of a tensor means may be far larger than the tensor."""

    def checked(self) -> None:
        if not isinstance(place(self), dict):
            raise pickle.UnpicklingError("entries for something that is no dict")
        load(self)

    return checked


for _opcode, _place in {
    pickle.SETITEM: lambda reader: reader.stack[-3],
    pickle.SETITEMS: lambda reader: reader.metastack[-1][-1],
}.items():
    _Unpickler.dispatch[_opcode[0]] = _into_dicts(_Unpickler.dispatch[_opcode[0]], _place)


def _tensor(storage: _Storage, offset: int, size: tuple, stride: tuple, *_) -> Tensor:
    numbers = (offset, *size, *stride) if len(size) == len(stride) <= _MOST_AXES else ()
    if not numbers or not all(type(number) is int and number >= 0 for number in numbers):
        raise Damaged(f"a tensor has the size {shown(size)} with the strides {shown(stride)}")
    last = offset + sum((length - 1) * step for length, step in zip(size, stride))
    if math.prod(size) and last >= storage.count:
        raise Damaged(f"a tensor {shown(size)} has numbers outside the {storage.count} that were stored for it")
    # torch would let the storage grow where it is too small
    return torch.empty(0, dtype=storage.dtype).set_(storage.memory.untyped_storage(), offset, size, stride)


def _counter(counts: dict) -> dict:
    if not isinstance(counts, dict):
        raise pickle.UnpicklingError("a Counter of something that is no dict")
    return counts


_DTYPES = {
    "Float": torch.float32,
    "Double": torch.float64,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
    "ComplexFloat": torch.complex64,  # complex ones are refused later, by the name of the tensor
    "ComplexDouble": torch.complex128,
}
_NAMES: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): lambda: OrderedDict(),
    ("collections", "Counter"): _counter,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    **{("torch", f"{name}Storage"): dtype for name, dtype in _DTYPES.items()},
    **SAFE_NAMES,
}
