"""Surface errors that the mean vertex error hides: shape of each part, edge lengths, triangles that face elsewhere.

Few vertices are on a hand, and a hand at the right place with crumpled fingers costs the mean over the mesh less than a
slightly bent knee. Here every part of the body (a hand, a forearm, the trunk, ...) is first moved onto the true one as
a rigid body, by rotation and translation without scale: what is left is the error of its shape.

Parts follow from the skinning weights, so they are the same pieces of the body on every mesh. Inside, meshes are
(V, 3, B), the samples innermost: vertices of a part, ends of edges and corners of triangles are then long rows.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lib.body.hand import order_hand_joints
from lib.geometry.procrustes import rotation_and_stretch
from lib.joints.tables import MANO, SMPL
from lib.mesh.mesh_model import MeshModel

# Region -> its parts, each as the joints that move it; SMPL names a bone by the joint at its upper end (hip: thigh).
# The neck goes with the head: as a part of its own it would be a narrow ring that hardly shows its rotation.
BODY_REGIONS = {
    "Hands": (("L_Wrist", "L_Hand"), ("R_Wrist", "R_Hand")),
    "Feet": (("L_Ankle", "L_Toe"), ("R_Ankle", "R_Toe")),
    "Head": (("Neck", "Head"),),
    "Trunk": (("Pelvis", "Torso", "Spine", "Chest", "L_Thorax", "R_Thorax"),),
    "Limbs": tuple((f"{side}_{joint}",) for joint in ("Shoulder", "Elbow", "Hip", "Knee") for side in "LR"),
}
HAND_REGIONS = {
    "Palm": (("Wrist",),),
    "Fingers": tuple(
        tuple(f"{finger}_{bone}" for bone in (1, 2, 3)) for finger in ("Thumb", "Index", "Middle", "Ring", "Pinky")
    ),
}
REGIONS = {"body": BODY_REGIONS, "hand": HAND_REGIONS}
WHOLE = "Mesh"  # all parts together
TURNED = 60  # degrees from which on a triangle counts as turned
_LEAST_COSINE_SQUARED = 0.25  # of that angle


class SurfaceErrors(NamedTuple):
    """Errors of one region, (B,) each.

    Attributes:
        distance: mean vertex error in mm after rigid alignment of each part.
        edges: mean relative error of edge lengths, |predicted - true| / true, percent.
        turned: triangles whose normal is more than ``TURNED`` degrees off after that alignment, percent.
    """

    distance: Tensor
    edges: Tensor
    turned: Tensor


@dataclass(frozen=True)
class Part:
    """A piece of the surface that is aligned as one rigid body.

    Attributes:
        joints: those that move it.
        vertices: (n,) int64 numbers in the mesh: the vertices with their largest skinning weight at one of the joints.
        edges: (E, 2) int64 edges of which it has both ends, as positions in ``vertices``, each edge once.
        faces: (F, 3) int64 triangles of which it has all corners, likewise.
    """

    joints: tuple[str, ...]
    vertices: Tensor
    edges: Tensor
    faces: Tensor

    @property
    def counts(self) -> tuple[int, int, int]:
        """Vertices, edges, triangles."""
        return len(self.vertices), len(self.edges), len(self.faces)

    def to(self, device: torch.device | str) -> "Part":
        """A copy on a device."""
        return Part(self.joints, self.vertices.to(device), self.edges.to(device), self.faces.to(device))


class SurfaceRegions:
    """Parts of a mesh by region. A part without a whole triangle is no surface and left out; so is an empty region.

    Args:
        weights: (V, K) skinning weights, columns in the order of SMPL's (24) or MANO's (16) joints.
        faces: (F, 3) triangles of the mesh.
        kind: ``body`` or ``hand``.

    Attributes:
        parts: region -> its parts; no vertex is in two parts.
        between: (E, 2) int64 vertex numbers of the edges that belong to no part.
        vertex_num: V.

    Raises:
        ValueError: the weights are of another skeleton.
    """

    def __init__(self, weights: np.ndarray, faces: np.ndarray, kind: str):
        columns = _columns(kind)
        if weights.shape[1] != len(columns):
            raise ValueError(f"skinning weights of {weights.shape[1]} joints, a {kind} has {len(columns)}")
        leading, faces = weights.argmax(axis=1), np.asarray(faces, dtype=np.int64)
        edges = np.unique(np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)
        inside = np.zeros(len(edges), dtype=bool)
        self.vertex_num = len(weights)
        self.parts: dict[str, tuple[Part, ...]] = {}
        for region, parts in REGIONS[kind].items():
            found = []
            for joints in parts:
                member = np.isin(leading, [columns[joint] for joint in joints])
                own_edges, own_faces = member[edges].all(axis=1), member[faces].all(axis=1)
                if own_faces.any():
                    position = np.cumsum(member) - 1
                    arrays = np.flatnonzero(member), position[edges[own_edges]], position[faces[own_faces]]
                    found.append(Part(joints, *map(torch.from_numpy, arrays)))
                    inside |= own_edges
            if found:
                self.parts[region] = tuple(found)
        self.between = torch.from_numpy(edges[~inside])

    @classmethod
    def of(cls, mesh_model: MeshModel) -> "SurfaceRegions":
        """The regions of a mesh model; of SMPL those of the neutral body."""
        return cls(mesh_model.arrays()["weights"], mesh_model.faces, mesh_model.kind)

    def to(self, device: torch.device | str) -> "SurfaceRegions":
        """Move to a device, in place."""
        if self.between.device != torch.device(device):
            self.between = self.between.to(device)
            self.parts = {region: tuple(part.to(device) for part in parts) for region, parts in self.parts.items()}
        return self


def _columns(kind: str) -> dict[str, int]:
    """Joint name -> column of the skinning weights."""
    if kind == "body":
        return {joint: column for column, joint in enumerate(SMPL.joints)}
    # MANO's kinematic joints are in another order than joint set mano, which has the fingertips too
    order = order_hand_joints(np.arange(MANO.joint_num), axis=0).tolist()
    tips = {f"{finger}_4" for finger in ("Thumb", "Index", "Middle", "Ring", "Pinky")}
    return {joint: column for joint, column in zip(MANO.joints, order) if joint not in tips}


def surface_errors(pred: Tensor, target: Tensor, regions: SurfaceRegions) -> dict[str, SurfaceErrors]:
    """Errors of each region, its parts aligned one by one. Results carry no gradients.

    A region's distance is the mean over all vertices of its parts, and so on: large parts count more. Edges and
    triangles that reach from one part to another are left out, except that ``WHOLE`` has the lengths of all edges.
    A predicted triangle without area counts as turned. True edges have a length, true triangles an area.

    Args:
        pred, target: (B, V, 3) mm; where the meshes are does not matter.
        regions: of that mesh; moved to its device.

    Returns:
        region -> errors; last ``WHOLE``.

    Raises:
        ValueError: meshes of another number of vertices.
        torch.linalg.LinAlgError: a vertex is not finite.
    """
    if pred.shape[1] != regions.vertex_num:
        raise ValueError(f"regions of {regions.vertex_num} vertices got meshes of {pred.shape[1]}")
    regions.to(pred.device)
    meshes = _samples_last(pred), _samples_last(target)
    parts = [part for parts in regions.parts.values() for part in parts]
    centred = [[_centred(mesh.index_select(0, part.vertices)) for mesh in meshes] for part in parts]
    measured = zip(parts, centred, _rotations(centred))
    # (3, B) sums of each part over vertices, edges and triangles
    sums = iter([_sums(_rotated(rotation, p), t, part) for part, (p, t), rotation in measured])
    found, number = {}, np.array([0, len(regions.between), 0])
    total = zero = pred.new_zeros(())
    for region, members in regions.parts.items():
        own, count = sum((next(sums) for _ in members), zero), np.sum([part.counts for part in members], axis=0)
        found[region] = _means(own, count)
        total, number = total + own, number + count
    total[1] += _edge_errors(*meshes, regions.between)
    found[WHOLE] = _means(total, number)
    return found


def _samples_last(mesh: Tensor) -> Tensor:
    """(B, V, 3) -> (V, 3, B), contiguous."""
    return mesh.detach().reshape(len(mesh), -1).t().contiguous().unflatten(0, (-1, 3))


def _centred(points: Tensor) -> Tensor:
    return points - points.mean(0)


def _rotations(centred: list[list[Tensor]]) -> Tensor:
    """Best rotations of the predicted parts to the true ones (Kabsch), (parts, 3, 3, B).

    Args:
        centred: predicted and true points (n, 3, B) of each part, about their means.
    """
    covariances = torch.stack([(p[:, :, None] * t[:, None]).sum(0) for p, t in centred])
    rotations, _ = rotation_and_stretch(covariances.permute(0, 3, 1, 2).double())
    return rotations.to(covariances.dtype).permute(0, 2, 3, 1).contiguous()


def _rotated(rotation: Tensor, points: Tensor) -> Tensor:
    """Points (n, 3, B) turned by the rotation (3, 3, B) of each sample."""
    turned = rotation[:, 0] * points[:, :1]
    for axis in (1, 2):
        turned.addcmul_(rotation[:, axis], points[:, axis, None])
    return turned


def _sums(pred: Tensor, target: Tensor, part: Part) -> Tensor:
    """Sums over an aligned part (n, 3, B): distances, relative edge errors, number of turned triangles; (3, B)."""
    turned = (~_facing_alike(_normals(pred, part.faces), _normals(target, part.faces))).sum(0)
    distances = _lengths(pred - target).sum(0)
    return torch.stack([distances, _edge_errors(pred, target, part.edges), turned.to(distances.dtype)])


def _edge_errors(pred: Tensor, target: Tensor, edges: Tensor) -> Tensor:
    """Sum of relative errors of edge lengths, (B,)."""
    found, true = (
        _lengths(points.index_select(0, edges[:, 0]) - points.index_select(0, edges[:, 1])) for points in (pred, target)
    )
    return ((found - true).abs_() / true).sum(0)


def _normals(points: Tensor, faces: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Normals of triangles, as long as twice their area: x, y and z, (F, B) each."""
    corner = points.index_select(0, faces[:, 0])
    first, second = (points.index_select(0, faces[:, other]).sub_(corner).unbind(1) for other in (1, 2))
    # torch.linalg.cross takes ten times as long along an axis that is not the last
    x, y, z = (first[a] * second[b] - first[b] * second[a] for a, b in ((1, 2), (2, 0), (0, 1)))
    return x, y, z


def _facing_alike(pred: tuple[Tensor, ...], target: tuple[Tensor, ...]) -> Tensor:
    """Whether normals are at most ``TURNED`` degrees apart, (F, B); False where one has no length."""
    dot = _dot(pred, target)
    return (dot > 0) & (dot.square() >= _LEAST_COSINE_SQUARED * _dot(pred, pred) * _dot(target, target))


def _lengths(vectors: Tensor) -> Tensor:
    """(n, 3, B) -> (n, B)."""
    planes = vectors.unbind(1)
    return _dot(planes, planes).sqrt_()


def _dot(first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> Tensor:
    dot = first[0] * second[0]
    for a, b in zip(first[1:], second[1:]):
        dot.addcmul_(a, b)
    return dot


def _means(sums: Tensor, counts: np.ndarray) -> SurfaceErrors:
    distance, edges, turned = sums
    vertices, lines, triangles = counts.tolist()
    return SurfaceErrors(distance / vertices, 100 * edges / lines, 100 * turned / triangles)
