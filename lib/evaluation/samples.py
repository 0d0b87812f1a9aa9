"""``TEST.vis``: sample meshes as OBJ, and pictures of some input and output poses, in the run's ``vis`` folder.

Which meshes, their names, unit and origin are those of the data set's ``mesh_samples``.
"""

from pathlib import Path

import numpy as np
import torch

from lib.export.obj import save_obj
from lib.joints.joint_set import JointSet
from lib.render.poses import vis_2d_pose, vis_3d_pose
from lib.units import MM_PER_M

PICTURES = 16  # poses that are drawn, evenly spaced over the test set
_MARGIN = 1.1


class SampleWriter:
    """Writes the samples of a test while it runs.

    Args:
        folder: ``vis`` folder of the run.
        dataset: data set of the test, with ``mesh_samples`` and ``no_targets`` (see ``PoseDataset``).
        joint_set: joints of the poses.
        canvas: (height, width) of pictures of 2D poses.
    """

    def __init__(self, folder: Path, dataset, joint_set: JointSet, canvas: tuple[int, int]):
        self.folder, self.dataset, self.joint_set, self.canvas = folder, dataset, joint_set, canvas
        self.rule = dataset.mesh_samples
        count = len(dataset)
        self.drawn = set(np.linspace(0, count - 1, min(PICTURES, count)).round().astype(int).tolist())
        self._root = None
        if self.rule.aligned:
            self._root = torch.from_numpy(dataset.mesh_model.joint_regressor("smpl")[:1])

    def add(self, prediction: dict[str, torch.Tensor], batch, indices: np.ndarray) -> None:
        """Write what is due of a ``lib.datasets.batch.Batch``; the prediction is in millimetres."""
        targets = batch.targets
        truth = None if self.dataset.no_targets else targets["lift_pose3d"]  # else they are dummies
        for row, index in enumerate(indices.tolist()):
            if "mesh" in prediction and index % self.rule.every == 0:
                self._write_mesh(index, prediction["mesh"][row], targets["mesh"][row])
            if index in self.drawn:
                self._draw(index, batch.inputs["pose2d"][row], prediction.get("joints"), truth, row)

    def close(self, complete: bool) -> None:
        """Nothing is left to be done."""

    def _write_mesh(self, index: int, mesh: torch.Tensor, truth: torch.Tensor) -> None:
        stem, faces = self.rule.name(self.dataset.records, index), self.dataset.mesh_model.faces
        if not self.rule.truth:
            save_obj(self._placed(mesh), faces, self.folder / f"{stem}.obj")
            return
        save_obj(self._placed(mesh), faces, self.folder / f"{stem}_pred.obj")
        save_obj(self._placed(MM_PER_M * truth), faces, self.folder / f"{stem}_gt.obj")

    def _placed(self, mesh: torch.Tensor) -> torch.Tensor:
        if self._root is not None:
            mesh = mesh - self._root.to(mesh) @ mesh
        return mesh * self.rule.scale

    def _draw(self, index: int, pose2d: torch.Tensor, joints, target, row: int) -> None:
        points, bones = pose2d.cpu().numpy(), self.joint_set.bones
        # the network's input has lost its place and size; the picture keeps the proportions of the crop
        size = np.array(self.canvas[::-1])
        pixels = size / 2 * (1 + points / (_MARGIN * np.abs(points).max()))
        blank = np.full((*self.canvas, 3), 255, dtype=np.uint8)
        vis_2d_pose(pixels, blank, bones, prefix=f"{index}", folder=self.folder)
        for poses, truth in ((joints, False), (target, True)):
            if poses is not None:
                pose = poses[row].cpu().numpy()
                vis_3d_pose(pose, bones, self.joint_set, prefix=f"{index}", gt=truth, folder=self.folder)
