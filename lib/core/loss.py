"""Training losses of both stages (Pose2Mesh, ECCV 2020, section 5.2 and 6.2)."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from lib.core.loss_terms import FurtherTerms
from lib.core.part_loss import PartLoss
from lib.core.surface_loss import SHORTEST, SurfaceLoss
from lib.settings.config import ModelConfig, TrainConfig
from lib.units import MM_PER_M

LOSS_NAMES = ("vertice loss", "normal loss", "edge loss", "mesh->3d joint loss", "2d->3d joint loss")
PART_LOSS = "part loss"


def coord_loss(pred: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean absolute coordinate difference.

    Invalid entries add nothing to the sum but stay in the denominator, as published: a half-masked batch weighs half.

    Args:
        pred, target: (B, N, 3), any unit; the loss has the same unit.
        valid: (B, N, 1) of 0 and 1; None means all valid.

    Returns:
        scalar.
    """
    difference = pred - target
    if valid is not None:
        difference = difference * valid
    return difference.abs().mean()


def distance_loss(pred: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean distance of points; arguments and masking as in ``coord_loss``. Coincident points have a zero gradient."""
    difference = pred - target
    if valid is not None:
        difference = difference * valid
    return difference.square().sum(-1).clamp_min(1e-12).sqrt().mean()


# Geometry below is laid out (F, 3, B), batch last: one gather and one scatter of long contiguous rows serve all three
# corners, and sums over coordinates run over whole vectors. On a CPU this is several times faster than (B, F, 3).


def _edges(points: Tensor, faces: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Edge vectors f0f1, f0f2, f1f2 of all faces: (B, V, 3) -> three (F, 3, B)."""
    rows = points.permute(1, 2, 0).contiguous()
    a, b, c = rows.index_select(0, faces.t().reshape(-1)).view(3, len(faces), *rows.shape[1:]).unbind(0)
    return b - a, c - a, c - b


def _length(vectors: Tensor) -> Tensor:
    """Norm over the coordinates, (F, 3, B) -> (F, 1, B), at least 1e-12.

    The floor only matters for coincident points: their gradient becomes zero, where a bare square root gives NaN.
    """
    return vectors.square().sum(1, keepdim=True).clamp_min(1e-24).sqrt()


def _face_normals(edges: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Unit normals (F, 3, B); zero where a face has no area."""
    first, second = (edge / _length(edge) for edge in edges[:2])
    (ax, ay, az), (bx, by, bz) = first.unbind(1), second.unbind(1)
    normals = torch.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx), dim=1)
    return normals / _length(normals)


def _mean(errors: Tensor, weights: Tensor | None) -> Tensor:
    """Mean of (F, 1, B), weighted by (B,) or (F, 1, B); weights stay out of the denominator, as in ``coord_loss``."""
    return (errors if weights is None else errors * weights).mean()


def _normal_term(
    edges: tuple[Tensor, ...], lengths: tuple[Tensor, ...], normals: Tensor, weights: Tensor | None = None
) -> Tensor:
    cosines = (((edge * normals).sum(1, keepdim=True) / length).abs() for edge, length in zip(edges, lengths))
    first, second, third = (_mean(cosine, weights) for cosine in cosines)
    return (first + second + third) / 3


def _edge_term(
    lengths: tuple[Tensor, ...],
    true_lengths: tuple[Tensor, ...],
    weights: Tensor | None = None,
    relative: bool = False,
) -> Tensor:
    errors = ((length - true).abs() for length, true in zip(lengths, true_lengths))
    if relative:
        errors = (error / true.clamp_min(SHORTEST) for error, true in zip(errors, true_lengths))
    first, second, third = (_mean(error, weights) for error in errors)
    return (first + second + third) / 3


def normal_vector_loss(pred: Tensor, gt: Tensor, faces: Tensor) -> Tensor:
    """Mean |cos| between predicted edges and the true face normals; no mask, as published.

    Args:
        pred, gt: (B, V, 3) meshes in the same frame, any unit.
        faces: (F, 3) int64 on the same device.

    Returns:
        scalar in [0, 1], mean over batch, faces and the three edges of each face.
    """
    edges = _edges(pred, faces)
    with torch.no_grad():
        normals = _face_normals(_edges(gt, faces))
    return _normal_term(edges, tuple(map(_length, edges)), normals)


def edge_length_loss(pred: Tensor, gt: Tensor, faces: Tensor) -> Tensor:
    """Mean absolute difference of edge lengths; no mask, as published.

    Coincident predicted vertices give a zero gradient (the published square root gave NaN).

    Args:
        pred, gt: (B, V, 3) meshes, any unit; the loss has the same unit.
        faces: (F, 3) int64 on the same device.

    Returns:
        scalar, mean over batch, faces and the three edges of each face (inner edges count twice).
    """
    with torch.no_grad():
        true_lengths = tuple(map(_length, _edges(gt, faces)))
    return _edge_term(tuple(map(_length, _edges(pred, faces))), true_lengths)


def get_loss(faces: np.ndarray | Tensor) -> tuple:
    """The five losses in the original's order: vertex, normal, edge, joints of the mesh, lifted joints.

    Args:
        faces: (F, 3) vertex indices; a tensor decides the device of losses 1 and 2.
    """
    faces = torch.as_tensor(faces, dtype=torch.int64)
    mesh_losses = partial(normal_vector_loss, faces=faces), partial(edge_length_loss, faces=faces)
    return coord_loss, *mesh_losses, coord_loss, coord_loss


class Pose2MeshLoss(nn.Module):
    """Weighted sum of the five losses of the mesh stage.

    A module only so that faces and regressor follow ``.to(device)``; it has no parameters and an empty state dict.

    Args:
        model: weights of the losses.
        train: edge_loss, edge_loss_start and mask_mesh_losses. As published, rejected fits (``mesh_valid`` 0) still act
            on normals and edges.
        faces: (F, 3) vertex indices.
        joint_regressor: (Jt, V) weights that turn mesh vertices into the target joints.
        vertex_weights: (V,) how much each vertex counts, 1 on average; a face counts as the mean of its corners. None:
            all the same, as published.
        parts: vertex numbers of the parts of MODEL.part_loss_weight; none, as published, without that loss.
        further: terms of MODEL.loss_terms; None, as published: there are none.
    """

    faces: Tensor
    joint_regressor: Tensor
    vertex_weights: Tensor | None
    face_weights: Tensor | None

    def __init__(
        self,
        model: ModelConfig,
        train: TrainConfig,
        faces: np.ndarray | Tensor,
        joint_regressor: np.ndarray | Tensor,
        vertex_weights: Tensor | None = None,
        parts: Sequence[Tensor] = (),
        further: FurtherTerms | None = None,
    ):
        super().__init__()
        self.normal_weight = model.normal_loss_weight
        self.edge_weight = model.edge_loss_weight
        self.joint_weight = model.joint_loss_weight
        self.edge_loss_start = train.edge_loss_start
        self.part_weight = model.part_loss_weight
        self.part_loss = PartLoss(parts) if parts else None
        self.further = further
        self.relative_edges = train.edge_loss == "relative"
        self.mask_mesh_losses = train.mask_mesh_losses
        self.register_buffer("faces", torch.as_tensor(faces, dtype=torch.int64).clone(), persistent=False)
        regressor = torch.as_tensor(joint_regressor, dtype=torch.float32).clone()
        self.register_buffer("joint_regressor", regressor, persistent=False)
        self.surface_loss = SurfaceLoss(self.faces.cpu().numpy(), regressor.shape[1])
        self.register_buffer("vertex_weights", vertex_weights, persistent=False)
        face_weights = None if vertex_weights is None else vertex_weights[self.faces].mean(1)[:, None, None]
        self.register_buffer("face_weights", face_weights, persistent=False)

    def forward(
        self, outputs: tuple[Tensor, Tensor], targets: dict[str, Tensor], meta: dict[str, Tensor], epoch: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Total loss and its weighted parts.

        Args:
            outputs: mesh (B, V, 3) metres and pose3d (B, J, 3) mm, both relative to the root.
            targets, meta: of a ``lib.datasets.batch.Batch``.
            epoch: counted from 1; the edge loss acts in epochs after TRAIN.edge_loss_start.

        Returns:
            total (scalar with gradient) and a dict name -> weighted value (detached scalar) in the order of
            ``LOSS_NAMES``, then ``PART_LOSS`` where there are parts, then the further ones. The values stay on the
            device: reading them costs a synchronisation.
        """
        mesh, pose3d = outputs
        # a fit is rejected as a whole, so one vertex tells
        samples = meta["mesh_valid"][:, 0, 0] if self.mask_mesh_losses else None
        counted = meta["mesh_valid"]
        if self.vertex_weights is not None:
            counted = counted * self.vertex_weights[:, None]

        vertex = coord_loss(mesh, targets["mesh"], counted)
        normal, edge = self._surface(mesh, targets["mesh"], samples, epoch)
        joints = torch.matmul(self.joint_regressor, mesh * MM_PER_M)
        mesh_joint = self.joint_weight * coord_loss(joints, targets["reg_pose3d"], meta["reg_pose3d_valid"])
        lift_joint = self.joint_weight * coord_loss(pose3d, targets["lift_pose3d"], meta["lift_pose3d_valid"])

        terms = dict(zip(LOSS_NAMES, (vertex, normal, edge, mesh_joint, lift_joint)))
        if self.part_loss is not None:
            terms[PART_LOSS] = self.part_weight * self.part_loss(mesh, targets["mesh"], meta["mesh_valid"][:, 0, 0])
        if self.further is not None:
            true = {"mesh": targets["mesh"], "joints": targets["lift_pose3d"]}
            valid = {"mesh": meta["mesh_valid"], "joints": meta["lift_pose3d_valid"]}
            terms |= self.further({"mesh": mesh, "joints": pose3d}, true, valid)
        first, *others = terms.values()
        return sum(others, start=first), {name: term.detach() for name, term in terms.items()}

    def _surface(self, mesh: Tensor, target: Tensor, samples: Tensor | None, epoch: int) -> tuple[Tensor, Tensor]:
        """Weighted normal and edge loss, of samples that count so much; what has no weight is not computed."""
        normal, edge = mesh.new_zeros(()), mesh.new_zeros(())
        with_edges = bool(self.edge_weight) and epoch > self.edge_loss_start
        if not (self.normal_weight or with_edges):
            return normal, edge
        if self.surface_loss.takes(mesh):
            factors = self.normal_weight, self.edge_weight if with_edges else 0.0
            return self.surface_loss(mesh, target, self.face_weights, samples, *factors, self.relative_edges)
        weights = samples if self.face_weights is None else self.face_weights
        if self.face_weights is not None and samples is not None:
            weights = self.face_weights * samples
        edges = _edges(mesh, self.faces)
        lengths = tuple(map(_length, edges))
        with torch.no_grad():
            true_edges = _edges(target, self.faces)
            normals = _face_normals(true_edges) if self.normal_weight else None
            true_lengths = tuple(map(_length, true_edges)) if with_edges else ()
        if normals is not None:
            normal = self.normal_weight * _normal_term(edges, lengths, normals, weights)
        if with_edges:
            edge = self.edge_weight * _edge_term(lengths, true_lengths, weights, self.relative_edges)
        return normal, edge


class PoseNetLoss(nn.Module):
    """Loss of the lifting stage in mm, weight 1.

    Args:
        kind: ``coordinate``, the published mean absolute coordinate difference, or ``distance``, the mean joint
            distance (TRAIN.lift_loss).
        further: terms of MODEL.loss_terms; None, as published: there are none.
    """

    def __init__(self, kind: str = "coordinate", further: FurtherTerms | None = None):
        super().__init__()
        self.further = further
        self.loss = {"coordinate": coord_loss, "distance": distance_loss}[kind]

    def forward(self, pred: Tensor, target: Tensor, valid: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Total loss and ``{"total loss": value}``; with further terms instead the weighted values that it is made of.

        Args:
            pred, target: (B, J, 3) mm, relative to the root.
            valid: (B, J, 1) of 0 and 1.
        """
        total = self.loss(pred, target, valid)
        if self.further is None:
            return total, {"total loss": total.detach()}
        terms = {LOSS_NAMES[-1]: total, **self.further({"joints": pred}, {"joints": target}, {"joints": valid})}
        first, *others = terms.values()
        return sum(others, start=first), {name: term.detach() for name, term in terms.items()}
