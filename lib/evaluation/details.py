"""Evaluation of meshes of data sets without a published protocol: more figures than those of publications."""

from dataclasses import dataclass

import torch

from lib.evaluation.evaluator import Figure
from lib.evaluation.lift import PA, joints_text
from lib.evaluation.mesh import MeshEvaluator
from lib.evaluation.mesh_pair import MeshPair
from lib.evaluation.metrics import joint_protocol
from lib.evaluation.surface_metrics import TURNED, WHOLE, Part, SurfaceRegions, surface_errors
from lib.joints.joint_set import JointSet
from lib.joints.tables import MANO, SMPL
from lib.mesh.mesh_model import MeshModel

_LIFTED = "lifted joints"
_LED = "vertices by the joint of their largest skinning weight"
_ALIGNED = "each part moved onto the true one by rotation and translation, without scale"
_SURFACE = (
    f"Regions of the surface, made of parts ({_LED}), {_ALIGNED}: mean vertex distance, mean relative error of edge "
    f"lengths, triangles whose normal is over {TURNED} degrees off. Joints of each part:"
)


@dataclass(frozen=True)
class Block:
    """Figures that are printed in one line.

    Attributes:
        figures: in order.
        line: has one ``%`` place for each.
        protocol: of all of them, in short.
    """

    figures: tuple[Figure, ...]
    line: str
    protocol: str

    @property
    def names(self) -> list[str]:
        return [figure.name for figure in self.figures]


def region_block(region: str, parts: tuple[Part, ...]) -> Block:
    """The figures of one region, see ``lib.evaluation.surface_metrics.SurfaceErrors``."""
    if region == WHOLE:
        short, which = "all parts, and the lengths of edges between them", "the parts of all regions"
    else:
        short = " | ".join("+".join(part.joints) for part in parts)
        which = f"parts {short} ({_LED})"
    edges = "all edges of the mesh" if region == WHOLE else f"edges within a part; {which}"
    figures = (
        Figure(f"{region} rigid MPVPE", f"vertices of {which}, {_ALIGNED}"),
        Figure(f"{region} edge error", f"mean |predicted - true| / true length, {edges}", "%"),
        Figure(
            f"{region} turned triangles",
            f"share of triangles within a part whose normal is over {TURNED} degrees off; {which}, {_ALIGNED}",
            "%",
        ),
    )
    line = (
        f"{region}: %.1f mm after rigid alignment, edge lengths %.1f %% off, %.1f %% of triangles over {TURNED} "
        "degrees off"
    )
    return Block(figures, line, f"{region}: {short}")


def lifted_block(joint_set: JointSet) -> Block:
    """Errors of PoseNet's joints, and of the same joints of the mesh that MeshNet makes of them."""
    joints, targets = joints_text(joint_set), "PoseNet's targets"
    if joint_set.name in (SMPL.name, MANO.name):
        targets += " (kinematic joints, which those regressed from the true mesh miss by some millimetres)"
    sources = {"PoseNet": "as lifted", "MeshNet": "regressed from the predicted mesh"}
    figures = []
    for net, source in sources.items():
        protocol = f"{joints}, {source}, against {targets}"
        figures += [Figure(f"{net} MPJPE", protocol), Figure(f"{net} PA-MPJPE", f"{protocol}, {PA}")]
    name = joint_set.name.replace("%", "%%")
    line = f"{name} joints: PoseNet %.2f mm, PA %.2f mm; regressed from MeshNet's mesh %.2f mm, PA %.2f mm"
    protocol = f"PoseNet, MeshNet: MPJPE and PA-MPJPE of {joints}, as lifted and regressed from the predicted mesh"
    return Block(tuple(figures), line, f"{protocol}, against {targets}")


class DetailedMeshEvaluator(MeshEvaluator):
    """Also errors of regions of the surface; and of lifted joints, beside the joints of the mesh made from them.

    Args:
        joint_set, regressor, full: see ``MeshEvaluator``.
        mesh_model: of the predicted mesh.
        input_set: joint set of PoseNet.
    """

    def __init__(
        self,
        joint_set: JointSet,
        regressor: torch.Tensor,
        mesh_model: MeshModel,
        input_set: JointSet,
        full: bool = True,
    ):
        super().__init__(joint_set, regressor, full=full)
        self.input_set = input_set
        self.optional = {"joints": input_set.joint_num}
        self.blocks: dict[str, Block] = {}
        if full:
            lifted = input_set.add_derived(mesh_model.joint_regressor(input_set))
            self.read_also(log=regressor, lifted=torch.from_numpy(lifted))
            self.regions = SurfaceRegions.of(mesh_model)
            parts = {**self.regions.parts, WHOLE: ()}
            self.blocks = {region: region_block(region, members) for region, members in parts.items()}
            self.blocks[_LIFTED] = lifted_block(input_set)
            self.figures += tuple(figure for block in self.blocks.values() for figure in block.figures)

    def details(self, pair, pred_mesh, target_mesh, lifted):
        errors = {}
        for region, values in surface_errors(pred_mesh, target_mesh, self.regions).items():
            errors |= zip(self.blocks[region].names, values)
        if lifted is None:
            self.blocks.pop(_LIFTED, None)
        else:
            errors |= zip(self.blocks[_LIFTED].names, self._lifted_scores(pair, *lifted))
        return errors

    def _lifted_scores(self, pair: MeshPair, pred: torch.Tensor, target: torch.Tensor) -> list[torch.Tensor]:
        regressed, _ = pair.joints(self.joint_parts["lifted"])
        root, joints = self.input_set.root, self.input_set.eval_joints
        scores = [joint_protocol(points, target, root, joints) for points in (pred, regressed)]
        return [values for score in scores for values in score.values()]

    def protocols(self):
        blocks = [block.protocol for block in self.blocks.values()]
        return super().protocols() + ([_SURFACE] if blocks else []) + blocks

    def lines(self, results):
        lines = super().lines(results)
        for block in self.blocks.values():
            if block.names[0] in results:
                lines.append(block.line % tuple(results[name][0] for name in block.names))
        return lines
