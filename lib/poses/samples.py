"""Sample poses from which missing 2D joints are filled in, for every joint set (``asset/pose_samples``)."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from lib import ROOT
from lib.files import read_arrays
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set

SAMPLES = ROOT / "asset" / "pose_samples"
_HINT = "data/build/make_pose_samples.py makes it again"
_ANY_SET = {"body": "coco", "hand": "mano"}


@cache
def sample_poses(joints: JointSet) -> np.ndarray:
    """Sample poses (S, J, 2) float64 of a joint set.

    Those of a user's set follow from the built-in sets', as all are of the same bodies and moved and scaled alike.
    Joints that it defines by vertices are in ``joints_<name>.npz`` where ``data/build/make_pose_samples.py
    --joint_set`` has drawn them, else NaN.

    Raises:
        FileNotFoundError: the samples that are part of the repository are gone.
        ValueError: ``joints_<name>.npz`` holds another number of poses.
    """
    if not joints.sources:
        return built_in_samples(joints.name, joints.body)
    sources = dict(zip(joints.joints, joints.sources))

    def sample(name: str) -> np.ndarray:
        set_name, _, joint = name.rpartition(".")
        if set_name:
            return built_in_samples(set_name, joints.body)[:, get_joint_set(set_name).index(joint)]
        if name in sources:
            parts: Sequence[str] = sources[name].mean
        else:
            parts = [joints.joints[parent] for parent in dict(joints.derived)[joints.index(name)]]
        return np.mean([sample(part) for part in parts], axis=0) if parts else drawn.get(name, unknown)

    unknown = np.full((len(built_in_samples(_ANY_SET[joints.body], joints.body)), 2), np.nan)
    drawn = _drawn(SAMPLES / f"joints_{joints.name}.npz", unknown.shape)
    return np.stack([sample(name) for name in joints.joints], axis=1)


def _drawn(path: Path, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """Samples (S, 2) by joint; empty where there is no file."""
    if not path.is_file():
        return {}
    drawn = {name: values.astype(np.float64) for name, values in read_arrays(path, hint=_HINT).items()}
    if any(values.shape != shape for values in drawn.values()):
        raise ValueError(f"{path} was not drawn for these samples; {_HINT}")
    return drawn


def sampled_joints(joints: JointSet) -> np.ndarray:
    """(keypoint_num,) keypoints that the sample poses tell."""
    return np.isfinite(sample_poses(joints)[0, : joints.keypoint_num, 0])


@cache
def built_in_samples(joint_set: str, body: str) -> np.ndarray:
    """Sample poses (S, J, 2) float64 of a built-in joint set.

    Raises:
        FileNotFoundError: the file, which is part of the repository, is gone.
    """
    wanted = "sample poses, which are part of the repository"
    samples = read_arrays(SAMPLES / f"{body}.npz", (joint_set,), wanted, _HINT)[joint_set].astype(np.float64)
    samples.setflags(write=False)
    return samples
