"""The open body's meshes: the source's skin without its cavities, closed, and decimated symmetrically."""

from dataclasses import dataclass

import numpy as np

from asset.open_body.build.decimate import Decimator
from asset.open_body.build.mesh_ops import boundary_loops, compact, components, triangulate, zip_chains
from asset.open_body.build.source import AnnySource, Phenotypes

FULL, LIGHT = 6890, 1723  # vertices of the two bodies

# The mean adult and four extremes; the decimation keeps all five
VARIANTS = [
    {},
    {"gender": 0.0, "muscle": 0.9, "weight": 0.5, "height": 0.6},
    {"gender": 1.0, "weight": 0.2, "height": 0.3},
    {"gender": 1.0, "weight": 0.95},
    {"gender": 0.0, "weight": 1.0},
]

# Factor on the cost of removing a vertex, by the start of its main bone's name; faces are a few centimetres of relief
DETAIL = ((("head", "eye"), 4.0), (("finger", "metacarpal", "wrist"), 5.0), (("toe", "foot"), 0.8))
FACE_DETAIL, FACE_FRONT = 8.0, 0.06  # for head vertices in front of this z


@dataclass
class BodyMesh:
    """Both bodies. Vertices of the full one are in the source's order; the light one's are a subset of them.

    ``faces`` (13776, 3) and ``source_ids`` (6890,) index of each vertex in the source; ``flip`` (6890,) mirror
    images; ``light`` (1723,) vertices of the light body and ``light_faces`` (3442, 3) over them.
    """

    faces: np.ndarray
    source_ids: np.ndarray
    flip: np.ndarray
    light: np.ndarray
    light_faces: np.ndarray


def closed_half(source: AnnySource, reference: np.ndarray) -> np.ndarray:
    """(F, 3) triangles of the left half (x >= 0) in the source's vertex indices; only its mid line is open.

    The source has an eyeball in each socket and a mouth cavity. Faces inside the cavities are dropped; each eye hole
    is fanned to the front of the eyeball, and the lips are zipped.

    Args:
        reference: (n, 3) symmetric T-posed vertices, which decide diagonals.
    """
    quads, template, x = source.quads, source.template, source.template[:, 0]
    part = components(quads, len(template))
    skin = part == np.bincount(part).argmax()
    outside = quads[skin[quads[:, 0]] & ~source.inner_vertices()[quads].all(axis=1)]
    *eyes, mouth = sorted(boundary_loops(outside), key=len)
    if [len(loop) for loop in (*eyes, mouth)] != [28, 28, 38]:
        raise ValueError(f"expected holes of 28, 28 and 38 vertices, found {[len(loop) for loop in (*eyes, mouth)]}")
    triangles = triangulate(outside[(x[outside] > -1e-9).all(axis=1)], reference).tolist()

    eye = next(loop for loop in eyes if x[loop].mean() > 0)
    distance = np.linalg.norm(template - template[eye].mean(axis=0), axis=1)
    eyeball = np.flatnonzero(part == part[np.argmin(np.where(skin, np.inf, distance))])
    front = int(eyeball[np.argmax(reference[eyeball, 2])])
    triangles += [(b, a, front) for a, b in zip(eye, eye[1:] + eye[:1])]

    first, second = (i for i, v in enumerate(mouth) if abs(x[v]) < 1e-9)
    halves = mouth[first : second + 1], mouth[second:] + mouth[: first + 1]
    lips = next(half for half in halves if x[half].mean() > 0)
    corner = int(np.argmax(x[lips]))
    triangles += zip_chains(lips[corner:], lips[corner::-1], reference)
    return np.array(triangles)


def _detail_weights(source: AnnySource, ids: np.ndarray, z: np.ndarray) -> np.ndarray:
    """(len(ids),) cost factors of source vertices with forward coordinate z."""
    bones = [source.labels[i] for i in source.weights[ids].argmax(axis=1)]
    weights = np.ones(len(ids))
    for i, bone in enumerate(bones):
        weights[i] = next((factor for names, factor in DETAIL if bone.startswith(names)), 1.0)
        if bone.startswith(("head", "eye")) and z[i] > FACE_FRONT:
            weights[i] = FACE_DETAIL
    return weights


def build_body_mesh(source: AnnySource, turn: np.ndarray, mean: Phenotypes) -> BodyMesh:
    """Close and decimate the source's skin; ``turn`` as of ``t_pose_turns``."""
    shapes, _ = source.variants(turn, mean, VARIANTS)
    shapes = (shapes + shapes[:, source.flip] * [-1, 1, 1]) / 2
    half, ids = compact(closed_half(source, shapes[0]))
    plane = np.abs(source.template[ids, 0]) < 1e-9
    weight = _detail_weights(source, ids, shapes[0, ids, 2])
    decimator = Decimator(shapes[:, ids], half, plane=plane, weight=weight)

    def both_halves(target):
        decimator.run(target)
        left = ids[decimator.faces()]
        return np.concatenate([left, source.flip[left][:, ::-1]])

    faces, source_ids = compact(both_halves(FULL))
    light_faces, light_ids = compact(both_halves(LIGHT))
    flip = np.searchsorted(source_ids, source.flip[source_ids])
    return BodyMesh(faces, source_ids, flip, np.searchsorted(source_ids, light_ids), light_faces)
