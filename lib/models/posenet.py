"""PoseNet: lifts a 2D pose to a 3D pose with a residual multilayer perceptron.

Source: Pose2Mesh (ECCV 2020), section 4; the network is that of Martinez et al. (ICCV 2017) with normalisation moved
in front of each linear layer.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib.checkpoints.files import load_checkpoint
from lib.geometry.crops import swapped
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.models.cpu.dense import Linear
from lib.models.module_list import ModuleList
from lib.models.torch_operators import keep_from_data_parallel
from lib.settings.config import Config


class ResidualStage(nn.Module):
    """Two times (BatchNorm, ReLU, dropout, linear) with an identity skip; nothing acts after the addition."""

    def __init__(self, width: int, dropout: float):
        super().__init__()
        # Definition order fixes the order of state-dict keys and of torch's random initialisation.
        self.w1 = Linear(width, width)
        self.batch_norm1 = nn.BatchNorm1d(width)
        self.w2 = Linear(width, width)
        self.batch_norm2 = nn.BatchNorm1d(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width) to (B, width)."""
        y = self.w1(self.dropout(F.relu(self.batch_norm1(x), inplace=True)))
        y = self.w2(self.dropout(F.relu(self.batch_norm2(y), inplace=True)))
        return x + y


class Mirror(nn.Module):
    """Poses seen in a mirror: x negated, left and right joints swapped.

    Args:
        joint_set: whose joints are swapped.

    Raises:
        ValueError: a set without left and right: a mirrored right hand is a left one.
    """

    order: Tensor

    def __init__(self, joint_set: JointSet):
        super().__init__()
        if not joint_set.flip_pairs:
            raise ValueError(f"MODEL.posenet_mirror: joint set {joint_set.name!r} has no left and right joints")
        order = swapped(joint_set.joint_num, joint_set.flip_pairs)
        self.register_buffer("order", torch.tensor(order), persistent=False)

    def forward(self, pose: Tensor) -> Tensor:
        """(B, C*J) coordinates interleaved per joint, x first, with the middle of the pose at x = 0."""
        joints = pose.unflatten(1, (len(self.order), -1))
        return torch.cat([-joints[..., :1], joints[..., 1:]], dim=2).index_select(1, self.order).flatten(1)

    def averaged(self, lift: Callable[[Tensor], Tensor], pose2d: Tensor) -> Tensor:
        """The mean of ``lift`` of poses (B, 2J) and of that of their mirror images, turned back, (B, 3J)."""
        # halves by shape, not by len(), which exporters would take for a constant
        seen, mirrored = lift(torch.cat([pose2d, self(pose2d)])).unflatten(0, (2, -1)).unbind(0)
        return (seen + self(mirrored)) / 2


class PoseNet(nn.Module):
    """2D joints to root-relative 3D joints.

    Args:
        num_joint: joints J of input and output.
        width: hidden units (published: 4096).
        stages: residual stages (published: 2).
        dropout: probability of every dropout layer.
        mirror: outside training, average with the mirrored input; None, as published, does not.

    The top-level ``batch_norm1`` never takes part: released checkpoints hold it and the published parameter count
    includes it. It gets no gradient, so optimizers skip it, and DistributedDataParallel is told not to wait for it.
    """

    UNUSED = ("batch_norm1.weight", "batch_norm1.bias")

    def __init__(
        self,
        num_joint: int,
        width: int = 4096,
        stages: int = 2,
        dropout: float = 0.5,
        mirror: Mirror | None = None,
    ):
        super().__init__()
        self.num_joint = num_joint
        self.w1 = nn.Linear(2 * num_joint, width)
        self.batch_norm1 = nn.BatchNorm1d(width)
        self.linear_stages = ModuleList(ResidualStage(width, dropout) for _ in range(stages))
        self.w2 = nn.Linear(width, 3 * num_joint)
        self.mirror = mirror
        keep_from_data_parallel(self, self.UNUSED)

    def forward(self, pose2d: Tensor) -> Tensor:
        """Lift poses.

        Args:
            pose2d: (B, 2J) standardised 2D joints, x and y interleaved per joint.

        Returns:
            (B, 3J) joints relative to the root joint, millimetres, x, y, z interleaved per joint.

        Raises:
            ValueError: another number of columns than 2J.
        """
        if pose2d.dim() != 2 or pose2d.shape[1] != 2 * self.num_joint:
            raise ValueError(
                f"PoseNet for {self.num_joint} joints takes (B, {2 * self.num_joint}), got {tuple(pose2d.shape)}"
            )
        if self.mirror is not None and not self.training:
            return self.mirror.averaged(self._lift, pose2d)
        return self._lift(pose2d)

    def hidden(self, pose2d: Tensor) -> Tensor:
        """The units (B, width) in front of the last layer, of standardised 2D joints (B, 2J)."""
        x = self.w1(pose2d)
        for stage in self.linear_stages:
            x = stage(x)
        return x

    def _lift(self, pose2d: Tensor) -> Tensor:
        return self.w2(self.hidden(pose2d))


def build_posenet(cfg: Config) -> PoseNet:
    """The PoseNet that a configuration describes, randomly initialised from torch's global generator."""
    model = cfg.MODEL
    joint_set = get_joint_set(cfg.DATASET.input_joint_set)
    mirror = Mirror(joint_set) if model.posenet_mirror else None
    return PoseNet(joint_set.joint_num, model.posenet_width, model.posenet_stages, model.posenet_dropout, mirror)


def get_model(
    num_joint: int,
    hid_dim: int = 4096,
    num_layer: int = 2,
    p_dropout: float = 0.5,
    pretrained: str | Path | bool = False,
) -> PoseNet:
    """PoseNet under the original release's constructor name and arguments.

    Args:
        num_joint, hid_dim, num_layer, p_dropout: as `PoseNet`.
        pretrained: checkpoint file, or its folder, to load. The original took True and a path from its global
            settings; there are no global settings here.

    Raises:
        ValueError: ``pretrained=True``, or weights of another shape.
        FileNotFoundError: no checkpoint there.
    """
    if pretrained is True:
        raise ValueError("pretrained=True names no file: pass the checkpoint's path (the setting MODEL.posenet_path)")
    model = PoseNet(num_joint, hid_dim, num_layer, p_dropout)
    if pretrained:
        load_checkpoint(pretrained).load_into(model)
    return model
