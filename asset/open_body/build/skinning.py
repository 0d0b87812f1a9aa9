"""Skinning in numpy: kinematic chains, linear and dual-quaternion blending, delta mush, and the blend of all three.

Transforms are (B, K, 3, 4) matrices from rest to posed space, metres.
"""

import numpy as np
import scipy.sparse as sp
from scipy.spatial.transform import Rotation

from asset.open_body.build.mesh_ops import undirected_edges


def rotation_matrices(axis_angle: np.ndarray) -> np.ndarray:
    """(..., 3) axis-angle -> (..., 3, 3)."""
    axis_angle = np.asarray(axis_angle, dtype=np.float64)
    return Rotation.from_rotvec(axis_angle.reshape(-1, 3)).as_matrix().reshape(*axis_angle.shape, 3)


def bone_transforms(world: np.ndarray, heads: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Transforms of bones that turn by given world rotations and stay joined.

    Args:
        world: (B, K, 3, 3) rotation of each bone from its rest orientation.
        heads: (B, K, 3) rest heads; the first bone's head stays in place.
        parents: (K,) parents come before their children.

    Returns:
        transforms (B, K, 3, 4) and posed heads (B, K, 3).
    """
    posed = heads.copy()
    for bone in range(1, len(parents)):
        parent = parents[bone]
        offset = heads[:, bone] - heads[:, parent]
        posed[:, bone] = posed[:, parent] + np.einsum("bij,bj->bi", world[:, parent], offset)
    shift = posed - np.einsum("bkij,bkj->bki", world, heads)
    return np.concatenate([world, shift[..., None]], axis=-1), posed


def chain(rotations: np.ndarray, joints: np.ndarray, parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``bone_transforms`` of local joint rotations (B, K, 3, 3) about rest joints (B, K, 3)."""
    world = rotations.copy()
    for joint in range(1, len(parents)):
        world[:, joint] = world[:, parents[joint]] @ rotations[:, joint]
    return bone_transforms(world, joints, parents)


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """``outer`` after ``inner``, both (B or 1, K, 3, 4)."""
    rotation = outer[..., :3] @ inner[..., :3]
    return np.concatenate([rotation, outer[..., :3] @ inner[..., 3:] + outer[..., 3:]], axis=-1)


def linear_skin(vertices: np.ndarray, weights: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    """Linear blend skinning of (B or 1, V, 3) vertices by (V, K) weights -> (B, V, 3)."""
    blend = np.einsum("vk,bkrc->bvrc", weights, transforms, optimize=True)
    vertices = np.broadcast_to(vertices, (len(transforms), *vertices.shape[1:]))
    return np.einsum("bvij,bvj->bvi", blend[..., :3], vertices) + blend[..., 3]


def _multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Product of quaternions (..., 4) as x, y, z, w."""
    av, aw, bv, bw = a[..., :3], a[..., 3:], b[..., :3], b[..., 3:]
    return np.concatenate([aw * bv + bw * av + np.cross(av, bv), aw * bw - (av * bv).sum(-1, keepdims=True)], axis=-1)


def dual_quaternion_skin(vertices: np.ndarray, weights: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    """Dual-quaternion skinning (Kavan et al. 2007), arguments as for ``linear_skin``."""
    real = Rotation.from_matrix(transforms[..., :3].reshape(-1, 3, 3)).as_quat().reshape(*transforms.shape[:2], 4)
    shift = np.concatenate([transforms[..., 3], np.zeros((*transforms.shape[:2], 1))], axis=-1)
    dual = 0.5 * _multiply(shift, real)
    pivot = weights.argmax(axis=1)
    conjugate = np.array([-1, -1, -1, 1])
    out = np.empty((len(transforms), vertices.shape[1], 3))
    for b in range(len(transforms)):
        # q and -q are one rotation: take the sign that is nearer to the vertex's main bone
        sign = np.where(real[b, pivot] @ real[b].T < 0, -1.0, 1.0)
        signed = weights * sign
        r, d = signed @ real[b], signed @ dual[b]
        length = np.linalg.norm(r, axis=1, keepdims=True)
        r, d = r / length, d / length
        rest = vertices[min(b, len(vertices) - 1)]
        t = 2 * np.cross(r[:, :3], rest)
        out[b] = rest + r[:, 3:] * t + np.cross(r[:, :3], t) + 2 * _multiply(d, r * conjugate)[:, :3]
    return out


class DeltaMush:
    """Delta mush (Mancewicz et al. 2014): smooth the posed mesh, then put back the detail the rest mesh lost by it.

    Args:
        faces: (F, 3) of ``vertex_num`` vertices.
        iterations: smoothing steps, each half way to the mean of the neighbours.
        pinned: (vertex_num,) vertices that smoothing leaves in place (an open rim).
    """

    def __init__(self, faces: np.ndarray, vertex_num: int, iterations: int, pinned: np.ndarray | None = None):
        a, b = undirected_edges(faces)[0].T
        pairs = (np.r_[a, b], np.r_[b, a])
        adjacency = sp.coo_matrix((np.ones(2 * len(a)), pairs), shape=(vertex_num, vertex_num)).tocsr()
        mean = sp.diags(1 / np.asarray(adjacency.sum(1)).ravel()) @ adjacency
        smoother = 0.5 * sp.identity(vertex_num, format="csr") + 0.5 * mean
        if pinned is not None:
            smoother = sp.diags((~pinned).astype(float)) @ smoother + sp.diags(pinned.astype(float))
        self.smoother, self.faces, self.iterations = smoother.tocsr(), faces, iterations
        self.tangent_to = adjacency.indices[adjacency.indptr[:-1]]

    def smooth(self, values: np.ndarray, iterations: int | None = None) -> np.ndarray:
        """Smoothed (V, C) values."""
        for _ in range(self.iterations if iterations is None else iterations):
            values = self.smoother @ values
        return values

    def _frames(self, vertices: np.ndarray) -> np.ndarray:
        """(V, 3, 3) frame at each vertex: columns normal, direction to one neighbour, their cross product."""
        a, b, c = (vertices[self.faces[:, i]] for i in range(3))
        face_normal = np.cross(b - a, c - a)
        normal = np.zeros_like(vertices)
        for i in range(3):
            np.add.at(normal, self.faces[:, i], face_normal)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
        tangent = vertices[self.tangent_to] - vertices
        tangent -= normal * (tangent * normal).sum(1, keepdims=True)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-12
        return np.stack([normal, tangent, np.cross(normal, tangent)], axis=-1)

    def detail(self, rest: np.ndarray) -> np.ndarray:
        """(V, 3) what smoothing takes from the rest mesh, in local frames."""
        smooth = self.smooth(rest)
        return np.einsum("vji,vj->vi", self._frames(smooth), rest - smooth)

    def apply(self, posed: np.ndarray, detail: np.ndarray) -> np.ndarray:
        """Smoothed (V, 3) posed mesh with the rest mesh's detail."""
        smooth = self.smooth(posed)
        return smooth + np.einsum("vij,vj->vi", self._frames(smooth), detail)


def target_skin(vertices: np.ndarray, weights: np.ndarray, transforms: np.ndarray, mush: DeltaMush) -> np.ndarray:
    """The skinning that pose correctives imitate: half linear, half dual-quaternion, then half way to its delta mush.

    Linear blending collapses twisted joints, dual quaternions bulge at bent ones; halves of both avoid either.
    Arguments as for ``linear_skin``.
    """
    out = 0.5 * linear_skin(vertices, weights, transforms) + 0.5 * dual_quaternion_skin(vertices, weights, transforms)
    details = [mush.detail(rest) for rest in vertices]
    for b in range(len(out)):
        out[b] = 0.5 * out[b] + 0.5 * mush.apply(out[b], details[min(b, len(details) - 1)])
    return out


def quantise_weights(weights: np.ndarray, most: int = 4, levels: int = 256) -> np.ndarray:
    """Skin weights with at most ``most`` bones per vertex, as multiples of 1/levels whose rows sum to exactly 1."""
    weights = weights.copy()
    np.put_along_axis(weights, np.argsort(-weights, axis=1)[:, most:], 0.0, axis=1)
    weights /= weights.sum(axis=1, keepdims=True)
    counts = np.floor(weights * levels)
    missing = levels - counts.sum(axis=1, keepdims=True)
    remainder = np.where(weights == 0, -1, weights * levels - counts)
    rank = np.argsort(np.argsort(-remainder, axis=1), axis=1)
    return (counts + (rank < missing)) / levels
