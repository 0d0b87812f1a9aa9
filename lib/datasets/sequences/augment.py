"""Sequences as a mirrored or turned camera sees them."""

import torch

from lib.body.pose_prior import mirror_pose
from lib.geometry.crops import rotate_flip_3d
from lib.joints.tables import HUMAN36


def augmented(rows: dict[str, torch.Tensor], flip: torch.Tensor, rotation: torch.Tensor) -> dict[str, torch.Tensor]:
    """Rows of B sequences of T frames, mirrored, and turned about the optical axis, as single frames are in their crop.

    World and camera are mirrored together, at x = 0: it is another person, seen by another camera with the same lens.

    Args:
        rows: as for ``lib.datasets.sequences.transform.SequenceTransform``, without detections; with ``cam_R`` there is
            ``cam_t``. Joints in ``joint_cam`` are Human3.6M's.
        flip: (B,) bool. rotation: (B,) degrees.
    """
    pose, trans = rows["pose"], rows["trans"]
    frames = pose.shape[1]
    signs = 1.0 - 2.0 * flip.to(pose)[:, None, None] * pose.new_tensor([1.0, 0.0, 0.0])  # (B, 1, 3)
    angle = torch.deg2rad(rotation.to(pose))
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    turn = torch.stack([cos, sin, zero, -sin, cos, zero, zero, zero, zero + 1], dim=1).view(-1, 1, 3, 3)
    camera = rows.get("cam_R", torch.eye(3).expand(len(pose), frames, 3, 3))
    changed = {
        "pose": torch.where(flip[:, None, None], mirror_pose(pose.flatten(0, 1)).view_as(pose), pose),
        "trans": signs * trans,
        "cam_R": signs[..., None] * (turn @ camera) * signs[..., None, :],
        "cam_t": signs * (turn @ rows.get("cam_t", torch.zeros_like(trans))[..., None])[..., 0],
    }
    if "joint_cam" in rows:
        angles, mirrored = (values[:, None].expand(-1, frames) for values in (rotation, flip))
        changed["joint_cam"] = rotate_flip_3d(rows["joint_cam"], angles, HUMAN36.flip_pairs, mirrored)
    return rows | changed
