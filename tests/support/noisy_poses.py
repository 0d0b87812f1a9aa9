"""Poses with synthesised keypoint errors, for tests."""

import torch

from lib.datasets.noise import synthesize_poses

PARTNERS = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]


def draw(pose, area, n, seed=0, visible=None, dtype=torch.float32):
    pose = torch.as_tensor(pose, dtype=dtype)
    visible = None if visible is None else torch.as_tensor(visible).expand(n, -1)
    generator = torch.Generator().manual_seed(seed)
    return synthesize_poses(pose.expand(n, -1, -1), torch.full((n,), float(area)), generator, visible)
