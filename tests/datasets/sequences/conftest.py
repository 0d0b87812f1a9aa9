"""Small clips of drawn motion."""

import numpy as np
import pytest


def write_clip(path, frames, fps, seed=0):
    """A clip in AMASS's format: smooth turns of all joints, a way at constant speed along x."""
    generator = np.random.default_rng(seed)
    time = np.arange(frames)[:, None] / fps
    turns = generator.normal(size=(1, 156)) * 0.3
    poses = turns * np.sin(2 * np.pi * (0.5 * time + generator.uniform(size=(1, 156))))
    poses[:, :3] += [np.pi / 2, 0, 0]  # upright in a world that is z up
    path.parent.mkdir(parents=True, exist_ok=True)
    trans = np.concatenate([time, 0 * time, 0 * time + 0.9], axis=1)
    np.savez(
        path, poses=poses, trans=trans, betas=np.zeros(16), dmpls=np.zeros((frames, 8)), gender="neutral",
        mocap_framerate=fps,
    )  # fmt: skip
    return path


@pytest.fixture(scope="session")
def motion(tmp_path_factory):
    """A folder with three clips of two subjects, at 30, 60 and 120 frames per second."""
    root = tmp_path_factory.mktemp("motion") / "CMU"
    for number, (subject, frames, fps) in enumerate([("01", 70, 30.0), ("01", 50, 60.0), ("03", 400, 120.0)]):
        write_clip(root / subject / f"{subject}_0{number}_poses.npz", frames, fps, number)
    return root
