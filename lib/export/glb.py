"""Binary glTF 2.0 (.glb) of meshes in one colour each.

Written here and not by trimesh, whose import takes longer than everything else that the demo does after PyTorch's.
Layout: https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html, sections 3 and 4.
"""

import json
import struct
from collections.abc import Sequence

import numpy as np

_FLOAT, _UINT32 = 5126, 5125  # component types
_VERTICES, _INDICES = 34962, 34963  # buffer targets
_ROUGHNESS = 0.6


def glb_bytes(
    meshes: Sequence[np.ndarray],
    normals: Sequence[np.ndarray],
    faces: np.ndarray,
    colours: Sequence[tuple[float, float, float]],
    names: Sequence[str],
) -> bytes:
    """The file's content: one node, mesh and material per person; the faces are stored once.

    Args:
        meshes: N times (V, 3) metres, x right, y up, z towards the viewer.
        normals: N times (V, 3) unit vectors.
        faces: (F, 3) vertex indices, counter-clockwise seen from outside.
        colours: N times (r, g, b) in 0..1.
        names: of the N.
    """
    data, views, accessors = bytearray(), [], []

    def add(array: np.ndarray, target: int, **accessor) -> int:
        """Index of the accessor of an array; all have four-byte entries, so that everything is aligned."""
        views.append({"buffer": 0, "byteOffset": len(data), "byteLength": array.nbytes, "target": target})
        data.extend(array.tobytes())
        accessors.append({"bufferView": len(views) - 1, "count": len(array), **accessor})
        return len(accessors) - 1

    indices = np.ascontiguousarray(faces, dtype="<u4").reshape(-1)
    shared = add(indices, _INDICES, componentType=_UINT32, type="SCALAR")
    primitives = []
    for number, (vertices, directions) in enumerate(zip(meshes, normals)):
        vertices = np.ascontiguousarray(vertices, dtype="<f4")
        bounds = {"min": vertices.min(axis=0).tolist(), "max": vertices.max(axis=0).tolist()}
        position = add(vertices, _VERTICES, componentType=_FLOAT, type="VEC3", **bounds)
        normal = add(np.ascontiguousarray(directions, dtype="<f4"), _VERTICES, componentType=_FLOAT, type="VEC3")
        attributes = {"POSITION": position, "NORMAL": normal}
        primitives.append({"attributes": attributes, "indices": shared, "material": number, "mode": 4})
    content = {
        "asset": {"version": "2.0", "generator": "Pose2Mesh"},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(meshes)))}],
        "nodes": [{"name": name, "mesh": number} for number, name in enumerate(names)],
        "meshes": [{"name": name, "primitives": [primitive]} for name, primitive in zip(names, primitives)],
        "materials": [_material(name, colour) for name, colour in zip(names, colours)],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(data)}],
    }
    text = json.dumps(content, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(data), b"BIN\0") + bytes(data)
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _material(name: str, colour: tuple[float, float, float]) -> dict:
    values = [min(max(float(value), 0.0), 1.0) for value in colour]
    surface = {"baseColorFactor": [*values, 1.0], "metallicFactor": 0.0, "roughnessFactor": _ROUGHNESS}
    return {"name": name, "pbrMetallicRoughness": surface}
