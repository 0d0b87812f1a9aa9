"""ONNX files of constant outputs, written without the ``onnx`` package: stand-ins for a detector's models.

Protocol Buffers' wire format is a row of fields: number and kind, then a number or a length and bytes.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

_FLOAT, _INT64 = 1, 7  # of TensorProto
_IR_VERSION, _OPSET = 8, 13


def write_model(
    path: Path, outputs: Mapping[str, np.ndarray], size: tuple = (64, 48), fixed: bool = True, channels: int = 3
) -> Path:
    """A model that takes an image and gives the same outputs for every one.

    Args:
        path: of the file.
        outputs: float32 or int64, by name, in order.
        size: height and width of the input; texts for sizes that are not fixed.
        fixed: the shapes of the outputs are in the file.
        channels: of the input.
    """
    nodes, constants, infos = b"", b"", b""
    for name, value in outputs.items():
        nodes += _bytes(1, _bytes(1, f"{name}_value") + _bytes(2, name) + _bytes(4, "Identity"))
        kind = _INT64 if value.dtype == np.int64 else _FLOAT
        dims = b"".join(_number(1, side) for side in value.shape)
        constants += _bytes(5, dims + _number(2, kind) + _bytes(8, f"{name}_value") + _bytes(9, value.tobytes()))
        shape = value.shape if fixed else [f"{name}_{axis}" for axis in range(value.ndim)]
        infos += _bytes(12, _info(name, kind, shape))
    image = _bytes(11, _info("input", _FLOAT, (1, channels, *size)))
    graph = nodes + _bytes(2, "constant") + constants + image + infos
    opset = _bytes(8, _number(2, _OPSET))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_number(1, _IR_VERSION) + _bytes(7, graph) + opset)
    return path


def _info(name: str, kind: int, shape) -> bytes:
    dims = b"".join(_bytes(1, _bytes(2, side) if isinstance(side, str) else _number(1, side)) for side in shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, dims)))


def _varint(value: int) -> bytes:
    parts = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    value = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def boxes_model(path: Path, boxes, labels=None, size: tuple = (64, 64), **settings) -> Path:
    """Always these boxes (left, top, right, bottom, score) in pixels of its input; all people without labels."""
    values = np.asarray(boxes, np.float32).reshape(1, -1, 5)
    numbers = np.zeros(values.shape[:2], np.int64) if labels is None else np.asarray(labels, np.int64).reshape(1, -1)
    return write_model(path, {"dets": values, "labels": numbers}, size, **settings)


def pose_model(path: Path, places, scores, size: tuple = (64, 48), shown_size: tuple | None = None, **settings) -> Path:
    """Always these joints: places (K, 2) as shares of the box's width and height, and scores (K,)."""
    height, width = size
    bins = (np.asarray(places) * [2 * width, 2 * height]).astype(int)
    outputs = {}
    for axis, (name, count) in enumerate((("simcc_x", 2 * width), ("simcc_y", 2 * height))):
        outputs[name] = np.zeros((1, len(bins), count), np.float32)
        outputs[name][0, np.arange(len(bins)), bins[:, axis]] = scores
    return write_model(path, outputs, shown_size or size, **settings)


def one_stage_model(path: Path, boxes, people, size: tuple = (64, 64), **settings) -> Path:
    """Always these boxes, as ``boxes_model``, and people (N, K, 3): x, y in pixels of its input and score."""
    values = np.asarray(boxes, np.float32).reshape(1, -1, 5)
    return write_model(path, {"dets": values, "keypoints": np.asarray(people, np.float32)[None]}, size, **settings)
