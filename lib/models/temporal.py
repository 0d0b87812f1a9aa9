"""The temporal lifter: 2D poses of consecutive frames to 3D poses and the root's way in the camera frame.

A small transformer over time corrects what a single-frame lifter says of each frame, whose pose and hidden units it is
given. Not of the paper; the idea of many frames is VideoPose3D's (CVPR 2019), attention over time PoseFormer's (ICCV
2021), the learned bias of relative places in time that of T5. Time enters by these biases alone, so a sequence may
begin anywhere and be shorter than the lifter's reach.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib.geometry.person_view import PersonView, person_view
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.models.module_list import ModuleList
from lib.models.posenet import Mirror, PoseNet, build_posenet
from lib.models.torch_operators import keep_from_data_parallel
from lib.settings.config import Config
from lib.units import MM_PER_M

_MOTION = 6  # columns of PersonView.motion
_FIRST_REACH = (2.0, 6.0, 18.0, float("inf"))  # frames after which an untrained head's attention has fallen to 1/e
_JOINTS_UNIT, _ROOT_UNIT = 0.1, 0.2  # metres, and shares of the size, that an output of 1 stands for
# Spread of a standing body's joints over its distance, metres: where the root's depth starts from.
_USUAL_SPREAD = 0.35


class LiftedFrames(NamedTuple):
    """B people in T frames.

    Attributes:
        joints: (B, T, J, 3) mm, relative to the root joint, camera frame.
        root: (B, T, 3) metres, the root joint's place in the camera frame.
    """

    joints: Tensor
    root: Tensor


class TimeBlock(nn.Module):
    """Attention over time and a perceptron, each with normalisation in front and an identity skip.

    Args:
        width: features. heads: of the attention. frames: longest sequence.
    """

    def __init__(self, width: int, heads: int, frames: int):
        super().__init__()
        self.heads, self.frames = heads, frames
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.w1, self.w2 = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        apart = (torch.arange(2 * frames - 1) - frames + 1).abs()
        reach = torch.tensor(_FIRST_REACH).repeat(-(-heads // len(_FIRST_REACH)))[:heads]
        self.bias = nn.Parameter(-apart / reach[:, None])  # (heads, 2 * frames - 1), of earlier to later frames

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, width) to (B, T, width)."""
        time = torch.arange(x.shape[1], device=x.device)
        bias = self.bias[:, time[:, None] - time + self.frames - 1]
        query, key, value = self.qkv(self.norm1(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype)[None])
        x = x + self.out(seen.transpose(1, 2).flatten(2))
        return x + self.w2(F.gelu(self.w1(self.norm2(x))))


class TemporalLifter(nn.Module):
    """2D joints of up to ``frames`` consecutive frames to 3D joints of all of them.

    Args:
        frame: single-frame lifter, whose hidden units and poses are given to the transformer.
        joint_set: of input and output.
        width, blocks, heads: of the transformer.
        frames: longest sequence of one call, at 30 frames per second.
        input_scale: of the single-frame lifter (``lib.geometry.crops.standardise``).
        mirror: outside training, average with the mirrored sequence; None does not.
    """

    def __init__(
        self, frame: PoseNet, joint_set: JointSet, width: int, blocks: int, heads: int, frames: int, input_scale: str,
        mirror: Mirror | None = None,
    ):  # fmt: skip
        super().__init__()
        self.frame, self.frames, self.input_scale = frame, frames, input_scale
        self.joint_num, self.root, self.mirror = joint_set.joint_num, joint_set.root, mirror
        self.pose_in = nn.Linear(self.joint_num * (2 + 3 + 1) + _MOTION, width)
        self.hidden_in = nn.Linear(frame.w2.in_features, width)
        self.blocks = ModuleList(TimeBlock(width, heads, frames) for _ in range(blocks))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 3 * self.joint_num + 3)
        nn.init.zeros_(self.head.weight)  # training starts from the single frames' poses
        nn.init.zeros_(self.head.bias)
        keep_from_data_parallel(self, [f"frame.{name}" for name in frame.UNUSED])
        self.frozen = False

    def freeze_frame(self) -> None:
        """Keep the single-frame lifter as it is: evaluation mode and no gradients."""
        self.frozen = True
        self.frame.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "TemporalLifter":
        """Switch the mode; a frozen single-frame lifter stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.frame.eval()
        return self

    def forward(self, pose2d: Tensor, seen: Tensor, focal: Tensor, princpt: Tensor) -> LiftedFrames:
        """Lift sequences.

        Args:
            pose2d: (B, T, J, 2) pixels, complete: what was not seen is filled in (``lib.geometry.gaps``).
            seen: (B, T, J) 1 where a joint was seen, 0 where it was filled in.
            focal, princpt: (B, 2) or (B, T, 2) pixels, of the camera.

        Raises:
            ValueError: more frames than the lifter reaches, or other joints.
        """
        if not 0 < pose2d.shape[1] <= self.frames or pose2d.shape[2:] != (self.joint_num, 2):
            raise ValueError(
                f"the temporal lifter takes (B, 1 to {self.frames}, {self.joint_num}, 2), got {tuple(pose2d.shape)}"
            )
        focal, princpt = (value[:, None] if value.dim() == 2 else value for value in (focal, princpt))
        if self.mirror is None or self.training:
            return self._lift(pose2d, seen, focal, princpt)
        order = self.mirror.order
        other = torch.cat([2 * princpt[:, :, None, :1] - pose2d[..., :1], pose2d[..., 1:]], dim=3)[:, :, order]
        lifted = self._lift(pose2d, seen, focal, princpt)
        mirrored = self._lift(other, seen[:, :, order], focal, princpt)
        turned = lifted.joints.new_tensor([-1.0, 1.0, 1.0])
        joints = (lifted.joints + turned * mirrored.joints[:, :, order]) / 2
        return LiftedFrames(joints, (lifted.root + turned * mirrored.root) / 2)

    def _lift(self, pose2d: Tensor, seen: Tensor, focal: Tensor, princpt: Tensor) -> LiftedFrames:
        view = person_view(pose2d.float(), focal, princpt, self.input_scale)
        flat = view.pose2d.flatten(2)
        hidden = self.frame.hidden(flat.flatten(0, 1))
        single = (self.frame.w2(hidden) / MM_PER_M).view(*flat.shape[:2], -1)
        told = torch.cat([flat, view.motion, 2 * single, 1 - seen.to(flat)], dim=2)
        x = self.pose_in(told) + self.hidden_in(hidden.view(*flat.shape[:2], -1))
        for block in self.blocks:
            x = block(x)
        return self._placed(view, single.float(), self.head(self.norm(x)).float())

    def _placed(self, view: PersonView, single: Tensor, change: Tensor) -> LiftedFrames:
        """The single frames' joints (B, T, 3J), metres, with the transformer's output, in the camera frame."""
        joints, place = change.split([3 * self.joint_num, 3], dim=2)
        joints = (single + _JOINTS_UNIT * joints).unflatten(2, (-1, 3))
        joints = view.to_camera(joints - joints[:, :, self.root, None])
        place = _ROOT_UNIT * place
        depth = _USUAL_SPREAD * place[..., 2:].exp() / view.size
        root = torch.cat([view.size * place[..., :2] * depth, depth], dim=2)
        return LiftedFrames(MM_PER_M * joints, view.to_camera(root[:, :, None])[:, :, 0])


def build_temporal(cfg: Config) -> TemporalLifter:
    """The temporal lifter that a configuration describes, randomly initialised from torch's global generator."""
    model = cfg.MODEL
    frame = build_posenet(cfg)
    mirror, frame.mirror = frame.mirror, None  # whole sequences are mirrored, not each frame
    lifter = TemporalLifter(
        frame, get_joint_set(cfg.DATASET.input_joint_set), model.temporal_width, model.temporal_blocks,
        model.temporal_heads, model.temporal_frames, cfg.DATASET.input_scale, mirror,
    )  # fmt: skip
    if model.posenet_freeze:
        lifter.freeze_frame()
    return lifter
