"""AMASS: motion files of three subsets, SMPL+H poses in a z-up world."""

from pathlib import Path

import numpy as np

from data.tiny_set.people import SHAPE, People
from lib.files import atomic_write

SMPLH_POSE, SMPLH_SHAPE, DMPL, BODY = 156, 16, 8, 66
RATE, MOTION_RATE = 120.0, 10.0  # frames per second of the files and of the motion they are made from
# Clip -> training takes every n-th frame of its subset. MPI_mosh is for data sets that ask for it by name.
CLIPS = {
    "CMU/01/01_01": (60, "male"),
    "CMU/02/02_03": (60, "male"),
    "BMLrub/rub001/0000_treadmill_norm": (10, "female"),
    "MPI_mosh/00008/misc": (10, "female"),
}


def write_amass(root: Path, people: People, samples: int) -> None:
    """One file per clip with half of ``samples`` frames that training takes, four cameras each."""
    for name, (step, gender) in CLIPS.items():
        frames = step * (-(-samples // 2) - 1) + 1
        poses = np.zeros((frames, SMPLH_POSE))
        poses[:, :BODY] = people.clip(frames, round(RATE / MOTION_RATE))[:, :BODY]
        # slightly bent fingers, as SMPL+H files have; training reads the first six of these columns
        poses[:, BODY:] = people.rng.normal(0.0, 0.1, SMPLH_POSE - BODY)
        betas = np.zeros(SMPLH_SHAPE)
        betas[:SHAPE] = people.shapes(1)[0]
        walk = np.linspace(0.0, 0.5, frames)[:, None] * people.rng.normal(0.0, 1.0, (1, 2))
        arrays = {
            "poses": poses,
            "betas": betas,
            "trans": np.concatenate([walk, np.full((frames, 1), 0.9)], axis=1),
            "dmpls": np.zeros((frames, DMPL)),
            "gender": np.array(gender),
            "mocap_framerate": np.array(RATE),
        }
        with atomic_write(root / "data" / "AMASS" / "data" / f"{name}_poses.npz", "wb") as file:
            np.savez(file, **arrays)
