"""``TEST.vis``: sample meshes as OBJ, and pictures of some input and output poses, in the run's ``vis`` folder.

| data set | samples | file | unit and origin |
| --- | --- | --- | --- |
| Human36M | every 500th | ``<folder>_<image>.obj`` | metres, first SMPL joint |
| PW3D | every 10th | ``3dpw_<video>_<image>.obj`` | metres, first SMPL joint |
| SURREAL | all | ``<image>_pred.obj``, ``<image>_gt.obj`` | millimetres, first SMPL joint |
| FreiHAND | every 500th | ``<number>.obj`` | millimetres, as predicted |
| others | every 500th | ``<number>.obj`` | metres, as predicted |
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from lib.export.obj import save_obj
from lib.joints.joint_set import JointSet
from lib.render.poses import vis_2d_pose, vis_3d_pose

PICTURES = 16  # poses that are drawn, evenly spaced over the test set
_MARGIN = 1.1


@dataclass(frozen=True)
class MeshSamples:
    """Which meshes of a data set are written, and how.

    Attributes:
        every: one of so many samples, from the first.
        name: ``name(records, index)`` without extension; images may have folders, the file has none.
        scale: from millimetres.
        aligned: relative to the first joint of the body model, regressed.
        truth: also write the true mesh; then names end in ``_pred`` and ``_gt``.
    """

    every: int
    name: Callable
    scale: float
    aligned: bool = True
    truth: bool = False


def _image(records, index: int) -> PurePosixPath:
    return PurePosixPath(bytes(records["image"][index]).decode())


def _folder_and_stem(records, index: int) -> str:
    image = _image(records, index)
    return "_".join((*image.parts[-2:-1], image.stem))


def _pw3d(records, index: int) -> str:
    # image names repeat from video to video, and two persons share an image
    return f"3dpw_{bytes(records['video'][index]).decode()}_{_image(records, index).stem}"


MESH_SAMPLES = {
    "Human36M": MeshSamples(500, _folder_and_stem, 1e-3),
    "PW3D": MeshSamples(10, _pw3d, 1e-3),
    "SURREAL": MeshSamples(1, lambda records, index: _image(records, index).stem, 1.0, truth=True),
    "FreiHAND": MeshSamples(500, lambda records, index: str(index), 1.0, aligned=False),
}
OTHERS = MeshSamples(500, lambda records, index: str(index), 1e-3, aligned=False)


class SampleWriter:
    """Writes the samples of a test while it runs.

    Args:
        folder: ``vis`` folder of the run.
        dataset: see ``build_evaluator``.
        joint_set: joints of the poses.
        canvas: (height, width) of pictures of 2D poses.
    """

    def __init__(self, folder: Path, dataset, joint_set: JointSet, canvas: tuple[int, int]):
        self.folder, self.dataset, self.joint_set, self.canvas = folder, dataset, joint_set, canvas
        self.rule = MESH_SAMPLES.get(dataset.name, OTHERS)
        count = len(dataset)
        self.drawn = set(np.linspace(0, count - 1, min(PICTURES, count)).round().astype(int).tolist())
        self._root = None
        if self.rule.aligned:
            self._root = torch.from_numpy(dataset.mesh_model.joint_regressor("smpl")[:1])

    def add(self, prediction: dict[str, torch.Tensor], batch, indices: np.ndarray) -> None:
        """Write what is due of a batch: ``prediction`` and the data set's batch, millimetres and metres."""
        inputs, targets = batch[0], batch[1]
        with_mesh = isinstance(inputs, dict)
        pose2d = inputs["pose2d"] if with_mesh else inputs
        target = targets.get("lift_pose3d") if with_mesh else targets
        if self.dataset.name == "FreiHAND":
            target = None  # dummies
        for row, index in enumerate(indices.tolist()):
            if "mesh" in prediction and index % self.rule.every == 0:
                self._write_mesh(index, prediction["mesh"][row], targets["mesh"][row])
            if index in self.drawn:
                self._draw(index, pose2d[row], prediction.get("joints"), target, row)

    def close(self, complete: bool) -> None:
        """Nothing is left to be done."""

    def _write_mesh(self, index: int, mesh: torch.Tensor, truth: torch.Tensor) -> None:
        stem, faces = self.rule.name(self.dataset.records, index), self.dataset.mesh_model.faces
        if not self.rule.truth:
            save_obj(self._placed(mesh), faces, self.folder / f"{stem}.obj")
            return
        save_obj(self._placed(mesh), faces, self.folder / f"{stem}_pred.obj")
        save_obj(self._placed(1000 * truth), faces, self.folder / f"{stem}_gt.obj")

    def _placed(self, mesh: torch.Tensor) -> torch.Tensor:
        if self._root is not None:
            mesh = mesh - self._root.to(mesh) @ mesh
        return mesh * self.rule.scale

    def _draw(self, index: int, pose2d: torch.Tensor, joints, target, row: int) -> None:
        pose2d, bones = pose2d.cpu().numpy(), self.joint_set.bones
        # the network's input has lost its place and size; the picture keeps the proportions of the crop
        size = np.array(self.canvas[::-1])
        pixels = size / 2 * (1 + pose2d / (_MARGIN * np.abs(pose2d).max()))
        blank = np.full((*self.canvas, 3), 255, dtype=np.uint8)
        vis_2d_pose(pixels, blank, bones, prefix=f"{index}", folder=self.folder)
        for poses, truth in ((joints, False), (target, True)):
            if poses is not None:
                pose = poses[row].cpu().numpy()
                vis_3d_pose(pose, bones, self.joint_set, prefix=f"{index}", gt=truth, folder=self.folder)
