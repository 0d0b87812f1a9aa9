"""Bad inputs that are made when they are needed: checkpoints, arrays, images, settings and pickles."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from lib import ROOT
from tests.support.files.checkpoint_files import write_content

_WEIGHTS = ROOT / "experiment" / "pose2mesh_cocoJ_open" / "final.pth.tar"


def laugh(levels: int = 9) -> list:
    """Lists in lists that hold a few objects and have ``10 ** levels`` leaves."""
    value: list = [1] * 10
    for _ in range(levels - 1):
        value = [value] * 10
    return value


def _changed(**entries) -> Callable[[dict], None]:
    """Replaces entries of a checkpoint; ``graph__x`` and ``config__SECTION__x`` are nested ones."""

    def change(content: dict) -> None:
        for name, value in entries.items():
            *keys, last = name.split("__")
            place = content
            for key in keys:
                place = place[key]
            place[last.replace("_dot_", ".")] = value(place.get(last)) if callable(value) else value

    return change


def _first_weight(value) -> Callable[[dict], None]:
    def change(content: dict) -> None:
        state = content["model_state_dict"]
        key = next(key for key, tensor in state.items() if tensor.ndim == 2)
        state[key] = value(state[key]) if callable(value) else value

    return change


def _without_a_weight(content: dict) -> None:
    del content["model_state_dict"]["pose_lifter.w1.weight"]


def _graph(name: str, value) -> Callable[[dict], None]:
    return lambda content: content["graph"].__setitem__(
        name, value(content["graph"][name]) if callable(value) else value
    )


CHECKPOINTS: dict[str, Callable[[dict], None]] = {
    "cfg_laugh": _changed(config__TRAIN__lr=laugh()),
    "cfg_joints_laugh": _changed(config__DATASET__input_joint_set={"name": "x", "joints": {"a": {"mean": laugh()}}}),
    "cfg_body_passwd": _changed(config__MODEL__body="/etc/passwd"),
    "cfg_body_zero": _changed(config__MODEL__body="/dev/zero"),
    "cfg_channels": _changed(config__MODEL__mesh_channels=[[5, 3]]),
    "cfg_channels_1e9": _changed(config__MODEL__mesh_channels=lambda plan: [[*plan[0][:-1], 10**9], *plan[1:]]),
    "cfg_channels_neg": _changed(config__MODEL__mesh_channels=[[-5, -3]]),
    "cfg_joint_yml": _changed(config__DATASET__input_joint_set="x.yml"),
    "cfg_stages_1e8": _changed(config__MODEL__posenet_stages=10**8),
    "cfg_width_1e5": _changed(config__MODEL__posenet_width=10**5),
    "cfg_width_1e9": _changed(config__MODEL__posenet_width=10**9),
    "sparse": _first_weight(lambda value: value.to_sparse()),
    "none_t": _first_weight(None),
    "str": _first_weight("x"),
    "stride0": _first_weight(torch.zeros(1).expand(10**11, 1)),
    "quantized": _first_weight(lambda value: torch.quantize_per_tensor(value.float(), 0.1, 0, torch.qint8)),
    "missing_key": _without_a_weight,
    "graph_diag_stride0": _graph("laplacian.0.diagonal", torch.zeros(1).expand(10**11)),
    "graph_diag_nan": _graph("laplacian.0.diagonal", lambda value: value * float("nan")),
    "graph_diag_int": _graph("laplacian.0.diagonal", 5),
    "graph_levels_none": _graph("levels", None),
    "graph_levels_1e9": _graph("levels", 10**9),
    "graph_reverse_str": _graph("reverse", "x"),
    "graph_reverse_float": _graph("reverse", lambda value: value.float() * 0 + 0.5),
    "graph_starts_1e15": _graph("laplacian.0.starts", lambda value: value.long() * 10**12),
    "graph_starts_neg": _graph("laplacian.0.starts", lambda value: -value.long()),
    "graph_cols_neg": _graph("laplacian.0.columns", lambda value: -value.long()),
    "graph_version": _graph("version", 99),
    "graph_vertexnum": _graph("vertex_num", 5),
    "graph_scaling_list": _graph("scaling", ["legacy"]),
    "graph_list": _changed(graph=[1, 2]),
}


def write_checkpoint(path: Path, name: str, source: Path = _WEIGHTS) -> Path:
    """A checkpoint like ``source`` with the damage that has this name."""
    content = torch.load(source, weights_only=True)
    CHECKPOINTS[name](content)
    write_content(path, content)
    return path


def _write_checkpoints(folder: Path) -> None:
    for name in CHECKPOINTS:
        write_checkpoint(folder / f"{name}.pth.tar", name)


def _write_arrays(folder: Path) -> None:
    bomb = zipfile.ZipFile(folder / "bomb_500MB.npz", "w", zipfile.ZIP_DEFLATED)
    with bomb, bomb.open("poses.npy", "w", force_zip64=True) as entry:
        header = {"descr": "<f8", "fortran_order": False, "shape": (1_840_000, 17, 2)}
        np.lib.format.write_array_header_1_0(entry, header)
        for _ in range(500):
            entry.write(bytes(1_000_960))
    np.save(folder / "people_1e6.npy", np.random.default_rng(0).uniform(10, 500, (1_000_000, 17, 2)).astype(np.float16))
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 17, 2)})
    (folder / "claims_1e12.npy").write_bytes(content.getvalue() + bytes(1000))


def png(width: int, height: int, rows: int) -> bytes:
    """A grey PNG of this size of which only some rows are there."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = zlib.compressobj(9)
    data = b"".join(pixels.compress(bytes(width + 1)) for _ in range(rows)) + pixels.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _write_images(folder: Path) -> None:
    np.save(folder / "pose.npy", np.load(ROOT / "demo" / "sample_pose_coco.npy"))
    with open(folder / "sparse20G.jpg", "wb") as stream:
        stream.truncate(20 << 30)
    (folder / "bomb_30000.png").write_bytes(png(30000, 30000, 30000))


def _write_settings(folder: Path) -> None:
    (folder / "long_text.yml").write_text(f"MODEL:\n  name: '{'x' * 100_000}'\n")
    (folder / "deepmap.yml").write_text("{a: " * 2000 + "1" + "}" * 2000)
    (folder / "merge_laugh.yml").write_text(
        "x0: &x0 {a: 1, b: 2}\n"
        + "".join(f"x{i + 1}: &x{i + 1} {{<<: [{', '.join([f'*x{i}'] * 10)}]}}\n" for i in range(9))
    )
    (folder / "control.yml").write_text('MODEL:\n  name: "a\\e[31mred\\a"\n')


def write_models(folder: Path) -> None:
    dict_of = b"\x80\x02}X\x0a\x00\x00\x00v_template"
    call = b"c_codecs\nencode\nJ\xff\xff\xff\x7f\x85R"  # encode(2 ** 31 - 1): as bytes() two gigabytes of zeros
    dtype = b"cnumpy\ndtype\nX\x02\x00\x00\x00u1\x85R"
    array = b"cnumpy._core.numeric\n_frombuffer\n(" + call + dtype + b"J\xff\xff\xff\x7fX\x01\x00\x00\x00Ct" + b"R"
    (folder / "encode_number.pkl").write_bytes(dict_of + array + b"s.")
    (folder / "memo_4e9.pkl").write_bytes(b"\x80\x02}r\xff\xff\xff\xff.")
    (folder / "bytes_1e12.pkl").write_bytes(b"\x80\x05}X\x01\x00\x00\x00a\x96" + struct.pack("<Q", 10**10) + b"s.")
    (folder / "frame_1e12.pkl").write_bytes(b"\x80\x04\x95" + struct.pack("<Q", 10**12) + b"}.")
    tuples = b"K\x01q\x000" + b"".join(b"(" + b"h%c" % i * 10 + b"tq%c0" % (i + 1) for i in range(30))
    (folder / "key_laugh.pkl").write_bytes(b"\x80\x02}" + tuples + b"h\x1eK\x01s.")
    lists = b"K\x01q\x000" + b"".join(b"(" + b"h%c" % i * 10 + b"lq%c0" % (i + 1) for i in range(10))
    (folder / "laugh.pkl").write_bytes(dict_of[:2] + lists + dict_of[2:] + b"h\x0as.")
    (folder / "deep.pkl").write_bytes(b"\x80\x02}X\x01\x00\x00\x00a" + b"]" * 50_000 + b"a" * 49_999 + b"s.")


WRITERS = {
    "ckpt": _write_checkpoints,
    "npy": _write_arrays,
    "img": _write_images,
    "yaml": _write_settings,
    "body": write_models,
}


def make_inputs(folder: Path) -> Path:
    """Write all of them, in folders by what they are."""
    for kind, write in WRITERS.items():
        (folder / kind).mkdir(parents=True)
        write(folder / kind)
    return folder
