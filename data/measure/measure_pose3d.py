"""Measure on the open benchmark what true 3D joints are worth to MeshNet, against the 2D pose alone.

    python data/measure/measure_pose3d.py --joint_set coco

Prints the table of ``lib/predictor/README.md``: errors of the shipped weights' meshes from exact 2D poses, from 3D
joints with and without the 2D pose beside them, and from 3D joints with Gaussian errors.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.Synthetic.dataset import Synthetic
from lib.datasets.pose_dataset import stream
from lib.datasets.posed import Posed, PosedBodies
from lib.evaluation.metrics import joint_protocol
from lib.joints.lookup import get_joint_set
from lib.joints.tables import JOINT_SETS
from lib.predictor import MeshPrediction, Pose2MeshPredictor
from lib.settings.config import Config
from lib.settings.setting import NETWORK
from lib.units import MM_PER_M

NOISE = {"body": 20.0, "hand": 4.0}  # mm per coordinate


class Pose3DBenchmark:
    """Poses of the open benchmark in 2D and 3D with their meshes, and the error of a prediction for them.

    Args:
        joint_set: name of a built-in joint set. poses: number of poses.
    """

    def __init__(self, joint_set: str, poses: int):
        self.predictor = Pose2MeshPredictor(joint_set, device="cpu", mesh=NETWORK)
        cfg = Config()
        cfg = cfg.changed(DATASET={"input_joint_set": joint_set, "target_joint_set": joint_set})
        cfg = cfg.changed(SYNTHETIC={"test_samples": poses})
        dataset = Synthetic("test", cfg, model=self.predictor.mesh_model)
        self.scored = get_joint_set(joint_set if joint_set in ("smpl", "mano") else "human36")
        bodies = PosedBodies(self.predictor.mesh_model, {joint_set, self.scored.name}, whole_mesh=True)
        posed = Posed(bodies, dataset.rows(np.arange(poses), stream(0)), joint_set)
        self.pose2d = posed.image(joint_set).double().numpy()
        self.pose3d = posed.joints(joint_set).double().numpy() * MM_PER_M
        self.joints = posed.joints(self.scored.name) * MM_PER_M
        self.mesh = posed.vertices_from(posed.joints(self.scored.name)[:, self.scored.root]) * MM_PER_M
        self.regressor = torch.from_numpy(self.predictor.mesh_model.joint_regressor(self.scored))

    def errors(self, prediction: MeshPrediction) -> dict[str, float]:
        """MPJPE, PA-MPJPE and MPVPE in mm; joints are regressed from the predicted mesh."""
        mesh = prediction.mesh * MM_PER_M
        joints = torch.einsum("jv,bvc->bjc", self.regressor, mesh)
        values = joint_protocol(joints, self.joints, self.scored.root, self.scored.eval_joints)
        values["MPVPE"] = (mesh - joints[:, self.scored.root, None] - self.mesh).norm(dim=2)
        return {name: value.mean().item() for name, value in values.items()}

    def rows(self) -> dict[str, dict[str, float]]:
        """Errors by what the network is given."""
        deviation = NOISE[self.scored.body]
        noise = np.random.default_rng(0).normal(0, deviation, self.pose3d.shape)
        from_3d = self.predictor.predict_pose3d
        return {
            "2D pose": self.errors(self.predictor.predict(self.pose2d)),
            "3D joints": self.errors(from_3d(self.pose3d)),
            "3D joints and 2D pose": self.errors(from_3d(self.pose3d, self.pose2d)),
            f"3D joints, {deviation:g} mm of noise": self.errors(from_3d(self.pose3d + noise)),
        }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--joint_set", nargs="+", default=["coco"], choices=JOINT_SETS)
    parser.add_argument("--poses", type=int, default=1000)
    args = parser.parse_args(arguments)
    print("| joint set | input | MPJPE | PA-MPJPE | MPVPE |\n| --- | --- | --- | --- | --- |")
    for name in args.joint_set:
        for given, errors in Pose3DBenchmark(name, args.poses).rows().items():
            print(f"| `{name}` | {given} | {' | '.join(f'{value:.1f}' for value in errors.values())} |")


if __name__ == "__main__":
    main()
