"""Normal and edge loss on a CPU: values and gradient of some samples at a time, while they are in the cache.

Of a whole batch each of the forty steps of these losses reads and writes main memory, forwards and backwards. Edges are
sparse sums of vertices, and so is the gradient of the vertices. Everything in between is in planes (edges, F, b).
"""

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from lib.models.cpu.chebyshev_mixer import RowSums
from lib.models.cpu.switch import takes_fast_path

SAMPLES = 16  # whose edges, 2 MB each of a body of 1,723 vertices, are worked on together
SHORTEST = 1e-4  # metres; relative errors of shorter edges say nothing


def edge_matrix(faces: np.ndarray, vertex_num: int) -> sparse.csr_matrix:
    """(9F, 3V): coordinates of all vertices, all x first, to those of the edges f0f1, f0f2, f1f2 of all faces.

    Rows go by edge, coordinate, face.
    """
    axes = vertex_num * np.arange(3)[:, None]
    start, end = ((axes + faces[:, corners].T[:, None]).ravel() for corners in ([0, 0, 1], [1, 2, 2]))
    rows, ones = np.arange(len(start)), np.ones(len(start))
    index = np.concatenate([rows, rows]), np.concatenate([end, start])
    return sparse.csr_matrix((np.concatenate([ones, -ones]), index), shape=(len(rows), 3 * vertex_num))


class SurfaceLoss(nn.Module):
    """Weighted normal and edge loss, as the functions of `lib.core.loss` give them.

    Args:
        faces: (F, 3) vertex indices.
        vertex_num: V.
    """

    def __init__(self, faces: np.ndarray, vertex_num: int):
        super().__init__()
        matrix = edge_matrix(faces, vertex_num)
        self.edges, self.adjoint = RowSums(matrix), RowSums(matrix.T)

    def takes(self, mesh: Tensor) -> bool:
        """Whether meshes are where, and of the numbers that, this path is for."""
        return takes_fast_path(mesh) and mesh.dtype == self.edges.values.dtype

    def forward(
        self,
        mesh: Tensor,
        target: Tensor,
        face_weights: Tensor | None,
        sample_weights: Tensor | None,
        normal_weight: float,
        edge_weight: float,
        relative: bool,
    ) -> tuple[Tensor, Tensor]:
        """Normal and edge loss, scalars. The gradient of both comes with the first: only their sum has a right one.

        Args:
            mesh, target: (B, V, 3) metres.
            face_weights: (F, 1, 1); None: all the same. sample_weights: (B,), the same.
            normal_weight, edge_weight: of the losses; what has none is not computed.
            relative: edge errors are relative to the true lengths.
        """
        samples = mesh.new_ones(len(mesh)) if sample_weights is None else sample_weights
        weights = samples if face_weights is None else face_weights[:, 0] * samples
        options = normal_weight, edge_weight, relative
        return _SurfaceFunction.apply(mesh, target.detach(), weights, self, options)


class _SurfaceFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, mesh: Tensor, target: Tensor, weights: Tensor, loss: SurfaceLoss, options: tuple):
        gradient = torch.empty_like(mesh)
        sums = mesh.new_zeros(2)
        blocks = (tensor.split(SAMPLES, dim) for tensor, dim in ((mesh, 0), (target, 0), (weights, -1), (gradient, 0)))
        for part, true, weight, out in zip(*blocks):
            edges, true_edges = (_planes(loss.edges, points) for points in (part, true))
            values, factors = _terms(edges, true_edges, weight, *options)
            rows = loss.adjoint(factors.view(-1, len(part)))
            out.copy_(rows.view(3, -1, len(part)).permute(2, 1, 0))
            sums += values
        count = 3 * loss.edges.rows // 9 * len(mesh)
        ctx.save_for_backward(gradient.div_(count))
        normal, edge = (sums / count).unbind()
        ctx.mark_non_differentiable(edge)
        return normal, edge

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor, _grad_edge):
        (gradient,) = ctx.saved_tensors
        return gradient * grad, None, None, None, None


def _planes(edges: RowSums, points: Tensor) -> Tensor:
    """Edges (3 of a face, 3 coordinates, F, b) of points (b, V, 3)."""
    table = points.permute(2, 1, 0).reshape(-1, len(points))
    return edges(table).view(3, 3, -1, len(points))


def _lengths(vectors: Tensor) -> Tensor:
    """(..., 3, F, b) to (..., F, b), at least 1e-12."""
    x, y, z = vectors.unbind(-3)
    return (x * x).addcmul_(y, y).addcmul_(z, z).clamp_min_(1e-24).sqrt_()


def _normals(edges: Tensor, lengths: Tensor) -> Tensor:
    """Unit normals (3, F, b); zero where a face has no area."""
    (ax, ay, az), (bx, by, bz) = edges[0] / lengths[0], edges[1] / lengths[1]
    normals = torch.empty_like(edges[0])
    pairs = ((ay, bz, az, by), (az, bx, ax, bz), (ax, by, ay, bx))
    for plane, (first, second, third, fourth) in zip(normals, pairs):
        torch.mul(first, second, out=plane).addcmul_(third, fourth, value=-1)
    return normals.div_(_lengths(normals))


def _terms(
    edges: Tensor, true_edges: Tensor, weights: Tensor, normal_weight: float, edge_weight: float, relative: bool
) -> tuple[Tensor, Tensor]:
    """Sums (2,) of both losses over edges, faces and samples, and their gradient with respect to the edges."""
    lengths, true_lengths = _lengths(edges), _lengths(true_edges)
    inverse = lengths.reciprocal()
    sums = edges.new_zeros(2)
    along = torch.zeros_like(lengths)  # of the gradient, along the edges
    if edge_weight:
        errors = lengths - true_lengths
        along = errors.sgn()
        if relative:
            units = true_lengths.clamp_min(SHORTEST)
            errors.div_(units)
            along.div_(units)
        sums[1] = edge_weight * (errors.abs_().sum(0) * weights).sum()
        along.mul_(edge_weight)
    factors = torch.empty_like(edges)
    if normal_weight:
        normals = _normals(true_edges, true_lengths)
        cosines = (edges[:, 0] * normals[0]).addcmul_(edges[:, 1], normals[1]).addcmul_(edges[:, 2], normals[2])
        cosines.mul_(inverse)
        across = cosines.sgn().mul_(inverse).mul_(weights).mul_(normal_weight)
        cosines.abs_()
        sums[0] = normal_weight * (cosines.sum(0) * weights).sum()
        along.addcmul_(cosines, inverse, value=-normal_weight)
    along.mul_(inverse).mul_(weights)
    for axis in range(3):
        torch.mul(edges[:, axis], along, out=factors[:, axis])
        if normal_weight:
            factors[:, axis].addcmul_(across, normals[axis])
    return sums, factors
