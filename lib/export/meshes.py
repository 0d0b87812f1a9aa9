"""Mesh files of one or several people."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lib.export.obj import save_obj
from lib.files import atomic_write

MESH_FORMATS = ("obj", "glb", "ply")
_GLTF_AXES = np.array([1.0, -1.0, -1.0])
SURFACE = {"metallicFactor": 0.0, "roughnessFactor": 0.6}  # of glTF's materials
_GREY = (0.75, 0.75, 0.75)


def save_mesh(
    path: str | Path,
    vertices: np.ndarray | Sequence[np.ndarray],
    faces: np.ndarray | Sequence[np.ndarray],
    colours: Sequence[tuple[float, float, float] | np.ndarray] | None = None,
    names: Sequence[str] | None = None,
) -> None:
    """Write meshes in metres; the suffix chooses the format.

    ``.obj`` and ``.ply`` keep the frame of the network (x right, y down, z forward), ``.glb`` is y up, z towards the
    viewer, as its format wants: a half turn about x, so that faces keep their orientation. One person in ``.obj`` is
    written exactly as the original release did (``lib.export.obj.save_obj``); several are groups ``g``. ``.glb`` has
    one node with a name per person, ``.ply`` one mesh with vertex colours.

    Args:
        path: ``.obj``, ``.glb`` or ``.ply``; missing folders are created.
        vertices: (V, 3) of one person, (N, V, 3), or N times (V, 3), metres. Place several with
            ``lib.export.place_people`` first:
            the network's meshes are all around the origin.
        faces: (F, 3) vertex indices from 0, the same for all; or one such array for each person.
        colours: (r, g, b) in 0..1 for each person; None: grey. Wavefront files have none. ``.ply`` also takes (V, 3) of
            each vertex.
        names: of each person; None: ``person_0``, ``person_1``, ...

    Raises:
        ValueError: unknown suffix, wrong shapes, values that are not finite.
    """
    path = Path(path)
    kind = path.suffix.lower().lstrip(".")
    if kind not in MESH_FORMATS:
        raise ValueError(f"{path}: unknown mesh format {path.suffix!r}; choose one of {', '.join(MESH_FORMATS)}")
    people, each = check_meshes(path, vertices, faces)
    colours = [_GREY] * len(people) if colours is None else list(colours)
    names = [f"person_{index}" for index in range(len(people))] if names is None else list(names)
    if len(colours) != len(people) or len(names) != len(people) or len(set(names)) != len(names):
        raise ValueError(f"{path}: {len(people)} meshes need as many colours and different names")
    for colour, mesh in zip(colours, people):
        if np.ndim(colour) == 2 and (kind != "ply" or np.shape(colour) != mesh.shape):
            raise ValueError(f"{path}: colours of vertices are (V, 3) like the vertices, and only .ply files have them")
    if kind == "obj":
        _save_obj(path, people, each, names)
        return
    data = (_glb if kind == "glb" else _ply)(people, each, colours, names)
    with atomic_write(path, "wb") as stream:
        stream.write(data)


def check_meshes(path: str | Path, vertices, faces) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Meshes as N times (V, 3) and faces as N int64 (F, 3).

    Raises:
        ValueError: wrong shapes, no mesh, faces that name vertices that do not exist, values that are not finite.
    """
    if not len(vertices):
        raise ValueError(f"{path}: no vertices of anybody")
    people = [np.asarray(mesh) for mesh in ([vertices] if np.ndim(vertices[0]) == 1 else vertices)]
    for mesh in people:
        if mesh.ndim != 2 or mesh.shape[1] != 3 or mesh.dtype.kind != "f":
            raise ValueError(
                f"{path}: vertices must be real numbers (V, 3), (N, V, 3) or N times (V, 3), got {mesh.dtype} "
                f"{mesh.shape} as one person's"
            )
        if not np.isfinite(mesh).all():
            raise ValueError(f"{path}: vertices hold NaN or infinite values")
    if not isinstance(faces, list | tuple) or np.ndim(faces[0]) != 2:
        faces = [faces] * len(people)
    if len(faces) != len(people):
        raise ValueError(f"{path}: {len(people)} meshes, but faces of {len(faces)}")
    return people, [_checked_faces(path, own, len(mesh)) for own, mesh in zip(faces, people)]


def _checked_faces(path: str | Path, faces, vertex_num: int) -> np.ndarray:
    faces = np.asarray(faces)
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu" or not faces.size:
        raise ValueError(f"{path}: faces must be integers (F, 3), got {faces.dtype} {faces.shape}")
    if faces.min() < 0 or faces.max() >= vertex_num:
        raise ValueError(f"{path}: faces use indices {faces.min()}..{faces.max()} of {vertex_num} vertices")
    return faces.astype(np.int64)


def _save_obj(path: Path, people: list[np.ndarray], faces: list[np.ndarray], names: list[str]) -> None:
    if len(people) == 1:
        save_obj(people[0], faces[0], path)
        return
    with atomic_write(path) as stream:
        for vertices, own, first, name in zip(people, faces, _starts(people), names):
            numbers = [str(x) for x in vertices.ravel()]
            stream.write(f"g {name}\n")
            stream.writelines(f"v {x} {y} {z}\n" for x, y, z in zip(numbers[::3], numbers[1::3], numbers[2::3]))
            shifted = (own + 1 + first).tolist()
            stream.writelines(f"f {a} {b} {c}\n" for a, b, c in shifted)


def _glb(people: list[np.ndarray], faces: list[np.ndarray], colours: list, names: list[str]) -> bytes:
    import trimesh

    scene = trimesh.Scene()
    for vertices, own, colour, name in zip(people, faces, colours, names):
        material = trimesh.visual.material.PBRMaterial(name=name, baseColorFactor=_bytes(colour), **SURFACE)
        visual = trimesh.visual.TextureVisuals(material=material)
        mesh = trimesh.Trimesh(vertices * _GLTF_AXES, own, visual=visual, process=False)
        mesh.vertex_normals  # noqa: B018  (computed on access; exported only then, for smooth shading)
        scene.add_geometry(mesh, node_name=name, geom_name=name)
    return scene.export(file_type="glb")


def _ply(people: list[np.ndarray], faces: list[np.ndarray], colours: list, names: list[str]) -> bytes:
    import trimesh

    all_faces = np.concatenate([own + first for own, first in zip(faces, _starts(people))])
    each = [np.broadcast_to(colour, vertices.shape) for colour, vertices in zip(colours, people)]
    vertex_colours = np.array([_bytes(colour) for colour in np.concatenate(each)], dtype=np.uint8)
    mesh = trimesh.Trimesh(np.concatenate(people), all_faces, vertex_colors=vertex_colours, process=False)
    content = mesh.export(file_type="ply", encoding="binary_little_endian")
    assert isinstance(content, bytes)  # text is another encoding, a dict another file type
    return content


def _starts(people: list[np.ndarray]) -> list[int]:
    """Numbers of the meshes' first vertices in a list of all."""
    return np.cumsum([0, *(len(vertices) for vertices in people[:-1])]).tolist()


def _bytes(colour) -> list[int]:
    """(r, g, b) in 0..1 as red, green, blue, alpha in 0..255."""
    return [*(round(255 * min(max(float(c), 0.0), 1.0)) for c in colour), 255]
