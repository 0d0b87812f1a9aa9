"""Measure how the error on the open benchmark grows with missing joints, filled in and not.

    python data/measure/measure_missing.py --joint_set coco

Prints the table of ``lib/poses/README.md``: mean vertex error (MPVPE) of the shipped weights on poses without 2D
errors, of which 0 to 6 joints are missing. Not filled in, a missing joint lies at (0, 0), where detectors put it;
copied, it lies where its nearest visible neighbour in the skeleton is. Refined: the surface, refined to the joints that
are there.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.Synthetic.dataset import Synthetic
from data.Synthetic.views import FOCAL, PRINCPT
from lib.datasets.pose_dataset import stream
from lib.datasets.posed import Posed, PosedBodies
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.poses import complete
from lib.predictor import Circumstances, Pose2MeshPredictor
from lib.settings.config import Config
from lib.settings.setting import NETWORK, REFINED
from lib.units import MM_PER_M


class MissingBenchmark:
    """Poses of the open benchmark with their meshes, and the error of the network on them.

    Args:
        joint_set: name of a built-in joint set. poses: number of poses.
    """

    def __init__(self, joint_set: str, poses: int):
        self.joint_set = get_joint_set(joint_set)
        self.predictor = Pose2MeshPredictor(joint_set, device="cpu", mesh=NETWORK)
        self.refiner = Pose2MeshPredictor(joint_set, device="cpu", mesh=REFINED)
        cfg = Config()
        cfg = cfg.changed(DATASET={"input_joint_set": joint_set, "target_joint_set": joint_set})
        cfg = cfg.changed(SYNTHETIC={"test_samples": poses})
        dataset = Synthetic("test", cfg, model=self.predictor.mesh_model)
        root_set = joint_set if joint_set in ("smpl", "mano") else "human36"
        bodies = PosedBodies(self.predictor.mesh_model, {joint_set, root_set}, whole_mesh=True)
        posed = Posed(bodies, dataset.rows(np.arange(poses), stream(0)), joint_set)
        self.pose2d = posed.image(joint_set).numpy().astype(np.float64)
        self.mesh = posed.vertices_from(posed.joints(root_set)[:, get_joint_set(root_set).root])

    def without(self, count: int, seed: int = 0) -> np.ndarray:
        """The poses (N, J, 3) with ``count`` randomly drawn keypoints at (0, 0) and their scores 0, the others' 1."""
        rng = np.random.default_rng([seed, count])
        known = self.joint_set.keypoint_num
        gone = rng.random((len(self.pose2d), known)).argsort(axis=1) < count
        scores = np.ones((*self.pose2d.shape[:2], 1))
        poses = np.concatenate([self.pose2d, scores], axis=2)
        poses[:, :known][gone] = 0
        for joint, (a, b) in self.joint_set.derived:
            poses[:, joint] = (poses[:, a] + poses[:, b]) / 2
            poses[:, joint, 2] = np.minimum(poses[:, a, 2], poses[:, b, 2])
        return poses

    @torch.inference_mode()
    def error(self, pose2d: np.ndarray, people: np.ndarray) -> float:
        """MPVPE in mm of the network's meshes of some (mask) of the poses (N, J, 2)."""
        mesh = self.predictor.predict(pose2d[people]).mesh
        return (mesh - self.mesh[people]).norm(dim=2).mean().item() * MM_PER_M

    @torch.inference_mode()
    def refined_error(self, pose2d: np.ndarray, filled: np.ndarray, people: np.ndarray) -> float:
        """The same of refined surfaces, for which filled joints (N, J) do not count."""
        known = Circumstances((2 * round(PRINCPT),) * 2, FOCAL, 1.0 - filled[people])
        mesh = self.refiner.predict(pose2d[people], known=known).mesh
        return (mesh - self.mesh[people]).norm(dim=2).mean().item() * MM_PER_M

    def row(self, count: int) -> dict[str, float]:
        """Errors with ``count`` joints missing, over the people that ``complete`` does not refuse; pixels are per cent
        of the person's longer side."""
        poses = self.without(count)
        result = complete(poses, self.joint_set.name)
        use = result.usable
        size = np.ptp(self.pose2d, axis=1).max(axis=1)
        off = np.linalg.norm(result.poses - self.pose2d, axis=2) / size[:, None] * 100
        known = slice(0, self.joint_set.keypoint_num)
        filled = result.filled[:, known]
        return {
            "not filled": self.error(poses[..., :2], use),
            "copied": self.error(copied(poses, self.joint_set), use),
            "filled": self.error(result.poses, use),
            "refined": self.refined_error(result.poses, result.filled, use),
            "filled 2D": float(off[:, known][filled].mean()) if filled.any() else 0.0,
            "refused": int((~use).sum()),
        }


def copied(poses: np.ndarray, joint_set: JointSet) -> np.ndarray:
    """(N, J, 2): each missing joint (score 0) at the place of the visible one that the fewest bones lead to."""
    count, known = joint_set.joint_num, joint_set.keypoint_num
    steps = np.full((count, count), count, dtype=int)
    np.fill_diagonal(steps, 0)
    for a, b in joint_set.bones:
        steps[a, b] = steps[b, a] = 1
    for middle in range(count):
        steps = np.minimum(steps, steps[:, middle, None] + steps[None, middle])
    result = poses[..., :2].copy()
    for person, pose in enumerate(poses):
        seen = np.flatnonzero(pose[:known, 2] > 0)
        for joint in np.flatnonzero(pose[:known, 2] == 0):
            result[person, joint] = pose[seen[steps[joint, seen].argmin()], :2]
    for joint, (a, b) in joint_set.derived:
        result[:, joint] = (result[:, a] + result[:, b]) / 2
    return result


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--joint_set", nargs="+", default=["coco"], choices=("human36", "coco", "smpl", "mano"))
    parser.add_argument("--poses", type=int, default=1000)
    args = parser.parse_args(arguments)
    for name in args.joint_set:
        benchmark = MissingBenchmark(name, args.poses)
        print(f"\n{name}, {args.poses} poses: MPVPE in mm\n")
        rows = [benchmark.row(count) for count in range(7)]
        print(f"| missing joints | {' | '.join(rows[0])} |\n|{' --- |' * (len(rows[0]) + 1)}")
        for count, row in enumerate(rows):
            cells = (f"{value:.1f}" if key != "refused" else str(value) for key, value in row.items())
            print(f"| {count} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
