"""Generated records: people as an annotation file would give them, any number, in memory."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from lib.body.lbs import lbs
from lib.body.pose_prior import PosePrior
from lib.datasets.pose_dataset import RecordDataset, stream
from lib.datasets.registry import dataset_class
from lib.mesh.mesh_model import MeshModel
from lib.units import MM_PER_M

DISTINCT = 512  # people that are posed; more rows repeat them
SEED = 20
FOCAL, PRINCPT = 1145.0, 512.0  # pixels


def generated_columns(count: int, model: MeshModel) -> dict[str, np.ndarray]:
    """Columns of ``count`` people in the world frame, seen by one camera each (see ``data/README.md``)."""
    distinct = min(count, DISTINCT)
    generator = stream(SEED)
    pose = PosePrior.load().sample(distinct, generator)
    betas = torch.randn(distinct, 10, generator=generator).clamp(-2.5, 2.5)
    trans = torch.randn(distinct, 3, generator=generator) * torch.tensor([0.5, 0.5, 0.1])
    # z is up in the world; the camera looks along the world's y axis from five metres away
    cam_R = torch.tensor([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]]).expand(distinct, 3, 3)
    cam_t = torch.tensor([0.0, 1.0, 5.0]).expand(distinct, 3)
    regressor = torch.from_numpy(model.joint_regressor("human36"))
    joints = torch.cat([regressor @ lbs(model.params(), *part)[0] for part in zip(pose.split(64), betas.split(64))])
    joints = joints + trans[:, None] + 0.005 * torch.randn(joints.shape, generator=generator)
    joint_cam = MM_PER_M * (joints @ cam_R.transpose(1, 2) + cam_t[:, None])
    columns = {
        "pose": pose, "betas": betas, "trans": trans, "cam_R": cam_R, "cam_t": cam_t, "joint_cam": joint_cam,
        "focal": torch.full((distinct, 2), FOCAL), "princpt": torch.full((distinct, 2), PRINCPT),
    }  # fmt: skip
    repeat = np.arange(count) % distinct
    return {key: np.ascontiguousarray(values.numpy().astype(np.float32)[repeat]) for key, values in columns.items()}


# found by name, as the engine finds it; type checkers cannot
if TYPE_CHECKING:
    _Human36M = RecordDataset
else:
    _Human36M = dataset_class("Human36M")


class GeneratedHuman36M(_Human36M):
    """Human3.6M without files.

    Args:
        count: rows.
        cfg: settings; ``DATASET.cache`` decides whether columns are memory-mapped, as for real data.
        model: mesh model.
        root: folder below which the cache is.
    """

    def __init__(self, count: int, cfg, model: MeshModel, **others):
        self.count, self.body = count, model
        super().__init__("train", cfg, model, **others)

    def options(self) -> dict:
        return {"generated": self.count}

    def files(self) -> list:
        return []

    def parse(self):
        return generated_columns(self.count, self.body), {}
