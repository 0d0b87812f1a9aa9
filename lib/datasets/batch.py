"""The one form of a batch, from the data sets through loader and stages to evaluation."""

from typing import NamedTuple

import torch


class Batch(NamedTuple):
    """Some samples, of either stage: B of them, J input joints, Jt target joints, V vertices; float32, on one device.

    Attributes:
        inputs: ``pose2d`` (B, J, 2), cropped and standardised, without unit (``lib.geometry.crops.standardise``).
        targets: ``lift_pose3d`` (B, J, 3), the input joints in mm relative to their root. Where a mesh is made
            (``ModelConfig.with_mesh``) also ``mesh`` (B, V, 3) in metres, relative to the root of the target joints
            (``BodyTransform.root_set``), and ``reg_pose3d`` (B, Jt, 3), the target joints in mm relative to their root.
        meta: for each target ``<target>_valid`` (B, N, 1), 1 where it supervises, else 0.
    """

    inputs: dict[str, torch.Tensor]
    targets: dict[str, torch.Tensor]
    meta: dict[str, torch.Tensor]
