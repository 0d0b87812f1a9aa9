"""Skinned, animated meshes as binary glTF 2.0.

Written here: trimesh writes no skins, and a further dependency would save little, as files are JSON and a block of
numbers.
"""

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from lib.body.rotation import matrix_to_quaternion
from lib.export.animation.motion import Motion
from lib.export.animation.skeleton import INFLUENCES, Skeleton
from lib.export.meshes import SURFACE
from lib.files import atomic_write

_COMPONENTS = {"u1": 5121, "u2": 5123, "u4": 5125, "f4": 5126}  # by NumPy's name
_VERTICES, _INDICES = 34962, 34963  # what a view of the buffer is for


def save_skinned_glb(
    path: str | Path,
    motions: Sequence[Motion],
    colours: Sequence[tuple[float, float, float]],
    fps: float,
    frame_num: int | None = None,
) -> None:
    """Write people as skeletons with skinned meshes and one animation each.

    Metres, y up, z towards the viewer. A person is the mesh ``person_0`` at rest in the person's shape, the skin of the
    same name and a node ``person_0_skeleton`` above the joints, which stand as in the person's first frame. The
    animation ``person_0`` has a rotation of each joint (linear between frames) and the path of the first one, from
    time 0 to the film's last frame: where the person is unseen, the pose before stays, as in ``save_bvh``.

    A vertex follows at most four joints, and its pose-dependent shape (pose blend shapes) is not in the file:
    ``plainly_skinned`` gives what a reader shows.

    Args:
        path: ``.glb``; missing folders are created.
        motions: of different names.
        colours: (r, g, b) in 0..1 of each.
        fps: frames per second.
        frame_num: of the film; None: up to the motions' last frame.

    Raises:
        ValueError: another suffix, nobody, as many colours as there are not people, a name that comes twice.
    """
    path = Path(path)
    if path.suffix.lower() != ".glb":
        raise ValueError(f"{path}: skinned meshes are written as .glb, not {path.suffix!r}")
    names = {motion.name for motion in motions}
    if not motions or len(colours) != len(motions) or len(names) != len(motions):
        raise ValueError(f"{path}: {len(motions)} people need different names and as many colours")
    count = max(int(motion.frames[-1]) + 1 for motion in motions) if frame_num is None else frame_num
    document = _Document()
    for motion, colour in zip(motions, colours):
        document.add_person(motion, colour, fps, count)
    with atomic_write(path, "wb") as stream:
        document.write(stream)


class _Document:
    """The parts of a file, as they come."""

    def __init__(self) -> None:
        self._content: dict[str, list] = {
            key: [] for key in ("nodes", "meshes", "materials", "skins", "animations", "accessors", "bufferViews")
        }
        self._roots: list[int] = []
        self._blocks: list[bytes] = []
        self._length = 0
        self._shared: dict[bytes, int] = {}

    def _add(self, kind: str, **values) -> int:
        self._content[kind].append(values)
        return len(self._content[kind]) - 1

    def _accessor(self, array: np.ndarray, kind: str, target: int | None = None, bounds: bool = False) -> int:
        """Number of the accessor of an array, one row an element; the same array of several people is one."""
        block = np.ascontiguousarray(array).tobytes()
        key = kind.encode() + array.dtype.str.encode() + block
        if key in self._shared:
            return self._shared[key]
        view = {"buffer": 0, "byteOffset": self._length, "byteLength": len(block)}
        views = self._add("bufferViews", **view, **({} if target is None else {"target": target}))
        values: dict = {"bufferView": views, "componentType": _COMPONENTS[array.dtype.str[1:]]}
        values |= {"count": len(array), "type": kind}
        if bounds:
            rows = array.reshape(len(array), -1)
            values |= {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        block += bytes(-len(block) % 4)
        self._blocks.append(block)
        self._length += len(block)
        number = self._add("accessors", **values)
        if target is not None:
            self._shared[key] = number
        return number

    def add_person(self, motion: Motion, colour: tuple[float, float, float], fps: float, count: int) -> None:
        skeleton, name = motion.skeleton, motion.name
        turns = _quaternions(motion.rotations)
        places = np.concatenate([motion.root[:1], skeleton.offsets[1:]])
        first = len(self._content["nodes"])
        armature, joints = first, list(range(first + 1, first + 1 + len(skeleton.joints)))
        self._add("nodes", name=f"{name}_skeleton", children=[joints[0]])
        for joint, called in enumerate(skeleton.joints):
            below = [joints[child] for child, parent in enumerate(skeleton.parents) if parent == joint]
            node = {"name": called, "translation": _floats(places[joint]), "rotation": _floats(turns[0, joint])}
            self._add("nodes", **node, **({"children": below} if below else {}))
        binding = np.tile(np.eye(4, dtype="<f4"), (len(joints), 1, 1))
        binding[:, 3, :3] = -skeleton.rest  # matrices lie column by column
        skin = self._add(
            "skins",
            name=name,
            skeleton=armature,
            joints=joints,
            inverseBindMatrices=self._accessor(binding, "MAT4"),
        )
        mesh = self._node_of_mesh(skeleton, name, colour, skin)
        self._roots += [armature, mesh]
        self._add_animation(motion, turns, joints, fps, count)

    def _node_of_mesh(self, skeleton: Skeleton, name: str, colour: tuple[float, float, float], skin: int) -> int:
        # at the top of the scene: where a skinned mesh is follows from the joints alone
        joints, weights = _influences(skeleton.weights)
        indices = skeleton.faces.ravel().astype("<u2" if len(skeleton.vertices) < 65535 else "<u4")
        surface = {"baseColorFactor": [*(min(max(float(c), 0.0), 1.0) for c in colour), 1.0], **SURFACE}
        material = self._add("materials", name=name, pbrMetallicRoughness=surface)
        attributes = {
            "POSITION": self._accessor(skeleton.vertices.astype("<f4"), "VEC3", _VERTICES, bounds=True),
            "NORMAL": self._accessor(_normals(skeleton), "VEC3", _VERTICES),
            "JOINTS_0": self._accessor(joints, "VEC4", _VERTICES),
            "WEIGHTS_0": self._accessor(weights, "VEC4", _VERTICES),
        }
        primitive = {
            "attributes": attributes,
            "indices": self._accessor(indices, "SCALAR", _INDICES),
            "material": material,
        }
        return self._add("nodes", name=name, mesh=self._add("meshes", name=name, primitives=[primitive]), skin=skin)

    def _add_animation(self, motion: Motion, turns: np.ndarray, joints: list[int], fps: float, count: int) -> None:
        keys = _key_frames(motion.frames, count)
        rows = motion.at(keys)
        turns = turns[np.searchsorted(motion.frames, keys, side="right").clip(1) - 1]
        times = self._accessor((keys / fps).astype("<f4"), "SCALAR", bounds=True)
        values = [("translation", 0, self._accessor(rows.root.astype("<f4"), "VEC3"))]
        values += [
            ("rotation", joint, self._accessor(turns[:, joint].astype("<f4"), "VEC4")) for joint in range(len(joints))
        ]
        self._add(
            "animations",
            name=motion.name,
            samplers=[{"input": times, "interpolation": "LINEAR", "output": output} for _, _, output in values],
            channels=[
                {"sampler": number, "target": {"node": joints[joint], "path": path}}
                for number, (path, joint, _) in enumerate(values)
            ],
        )

    def write(self, stream) -> None:
        content = {
            "asset": {"version": "2.0", "generator": "Pose2Mesh"},
            "scene": 0,
            "scenes": [{"nodes": self._roots}],
            **self._content,
            "buffers": [{"byteLength": self._length}],
        }
        text = json.dumps(content, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        size = 12 + 8 + len(text) + 8 + self._length
        stream.write(struct.pack("<4sII", b"glTF", 2, size))
        stream.write(struct.pack("<I4s", len(text), b"JSON") + text)
        stream.write(struct.pack("<I4s", self._length, b"BIN\0"))
        stream.writelines(self._blocks)


def _key_frames(frames: np.ndarray, count: int) -> np.ndarray:
    """Frames of a motion with those between which an unseen person stays: the film's ends, and a gap's last frame."""
    gaps = frames[1:][np.diff(frames) > 1] - 1
    return np.unique(np.concatenate([frames, gaps, [0, count - 1]]))


def _quaternions(rotations: np.ndarray) -> np.ndarray:
    """(T, K, 4) as x, y, z, w, each on the side of the one before, so that interpolation takes the short way."""
    turns = matrix_to_quaternion(torch.from_numpy(rotations)).numpy()[..., [1, 2, 3, 0]]
    same_side = (turns[1:] * turns[:-1]).sum(axis=-1, keepdims=True) >= 0
    turns[1:] *= np.cumprod(np.where(same_side, 1.0, -1.0), axis=0)
    return turns


def _influences(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joints (V, 4) and their weights (V, 4) that are not zero, the largest first; the others 0."""
    width = weights.shape[1]
    padded = np.pad(weights, ((0, 0), (0, max(INFLUENCES - width, 0))))
    joints = np.argsort(-padded, axis=1, kind="stable")[:, :INFLUENCES]
    chosen = np.take_along_axis(padded, joints, axis=1).astype("<f4")
    return np.where(chosen > 0, joints, 0).astype("<u1" if width <= 256 else "<u2"), chosen


def _normals(skeleton: Skeleton) -> np.ndarray:
    """(V, 3) unit vectors; up where a vertex has no face."""
    import trimesh

    mesh = trimesh.Trimesh(skeleton.vertices, skeleton.faces, process=False)
    normals = np.array(mesh.vertex_normals)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(length > 0.5, normals / np.maximum(length, 0.5), [0.0, 1.0, 0.0]).astype("<f4")


def _floats(values: np.ndarray) -> list[float]:
    return [float(value) for value in values.astype(np.float32)]
