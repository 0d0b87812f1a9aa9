"""A small temporal lifter with random weights, and people who walk past it."""

from pathlib import Path

import numpy as np
import torch

from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.files import save_checkpoint
from lib.models.lifters import build_lifter
from lib.settings.config import Config
from tests.support.demo_inputs import sample


def write_temporal(path: Path, joint_set: str = "coco", frames: int = 81, width: int = 16, seed: int = 0) -> Path:
    """A PoseNet-stage checkpoint whose lifter is a temporal one, with a head that says something."""
    cfg = Config().changed(
        DATASET={
            "input_joint_set": joint_set, "target_joint_set": joint_set, "window": frames, "input_scale": "common",
        },
        MODEL={
            "name": "posenet", "lifter": "temporal", "temporal_width": width, "temporal_blocks": 2,
            "temporal_frames": frames, "posenet_width": 32,
        },
    )  # fmt: skip
    torch.manual_seed(seed)
    lifter = build_lifter(cfg)
    torch.nn.init.normal_(lifter.head.weight, std=0.1)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_checkpoint(path, Checkpoint.of(lifter, settings=cfg))
    return path


def walk(frames: int, offset: float = 0.0, jitter: float = 1.0, seed: int = 0) -> np.ndarray:
    """(T, 17, 2) pixels of somebody who moves to the right, with a detector's jitter."""
    pose = sample() - sample().min(axis=0)
    time = np.arange(frames)[:, None, None]
    swing = 15 * np.sin(time / 8 + np.arange(17)[:, None])
    noise = np.random.default_rng(seed).normal(0, jitter, (frames, 17, 2))
    return pose + swing + [100 + offset, 60] + time * [1.5, 0] + noise
