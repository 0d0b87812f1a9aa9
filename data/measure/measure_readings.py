"""Measure how often another reading of poses is suggested, rightly and wrongly (``lib.poses.readings``).

    python data/measure/measure_readings.py

Prints the tables of ``lib/poses/README.md``, of poses of the open benchmark: each alone, or ``--together`` several of
one file. Feet and hands that no joint set has are SMPL's toes and hands.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.Synthetic.dataset import Synthetic
from lib.datasets.input2d import Input2D, Sources2D
from lib.datasets.pose_dataset import stream
from lib.datasets.posed import Posed, PosedBodies
from lib.joints.tables import COCO, JOINT_SETS
from lib.poses import SOURCES
from lib.poses.readings import AS_READ, better_reading
from lib.poses.sources import OWN_SOURCES
from lib.settings.config import Config

VIEWS = {
    "usual view": {},
    "any view, upright": {"any_view_share": 1.0, "turned_share": 0.0},
    "any view, 10 % at any roll": {"any_view_share": 1.0},
}
RIGHT = (
    ("coco17", "coco"),
    ("human36", "human36"),
    ("smpl24", "smpl"),
    ("openpose_body25", "coco"),
    ("mano21", "mano"),
)
MIXED = (
    *(("human36", "coco17", "coco"), ("coco17", "human36", "human36"), ("coco17", "human36", "smpl")),
    *(("kinect25", "openpose_body25", "coco"), ("panoptic19", "coco19", "coco")),
    *((name, "mano21", "mano") for name in ("interhand21", "ho3d21", "mano_native21")),
)
TURNED = {  # what a file holds of x and y in pixels
    "exchanged": lambda poses: poses[..., ::-1],
    "up": lambda poses: poses * [1, -1] + [0, 384],
    "exchanged, up": lambda poses: np.stack([384 - poses[..., 1], poses[..., 0]], axis=-1),
}


class Bodies:
    """Benchmark poses by the roles of their joints, with synthesised errors of COCO's where asked for."""

    def __init__(self, kind: str, poses: int, view: dict, errors: bool = False):
        sets = {joint_set.name: joint_set for joint_set in JOINT_SETS.values() if joint_set.body == kind}
        name = "coco" if kind == "body" else "mano"
        cfg = Config().changed(SYNTHETIC={"test_samples": poses, **view})
        cfg = cfg.changed(DATASET={"input_joint_set": name, "target_joint_set": name})
        cfg = cfg.changed(MODEL={"body": "open_6890" if kind == "body" else "open_hand"})
        dataset = Synthetic("test", cfg)
        posed = Posed(
            PosedBodies(dataset.mesh_model, list(sets.values()), whole_mesh=False),
            dataset.rows(np.arange(poses), stream(0)),
            name,
        )
        self.roles: dict[str, np.ndarray] = {}
        for joint_set in sets.values():
            joints = posed.image(joint_set.name)
            if errors and joint_set is COCO:
                crop = Input2D(COCO, (288, 384), Sources2D(noise="errors", derive_noisy=True))
                joints = crop.in_crop(joints, torch.zeros(poses, dtype=torch.bool), torch.zeros(poses), stream(1))[0]
            source = SOURCES[OWN_SOURCES[joint_set.name][-1]]
            self.roles |= dict(zip(source.role_names, joints.numpy().swapaxes(0, 1)))
            if joint_set is COCO:
                self.coco = joints.numpy()
        if kind == "body":
            self.roles["Ears"] = (self.roles["L_Ear"] + self.roles["R_Ear"]) / 2
            for side in ("L_", "R_"):
                toe, hand = self.roles[f"{side}Toe"], self.roles[f"{side}Hand"]
                self.roles |= {side + part: toe for part in ("FootIndex", "BigToe", "SmallToe")}
                self.roles |= {side + part: hand for part in ("HandTip", "Thumb")}
                self.roles[f"{side}Heel"] = self.roles[f"{side}Ankle"]

    def of(self, source: str) -> np.ndarray:
        """(N, J, 2) joints of a source."""
        if source == "coco17":
            return self.coco[:, :17]
        return np.stack([self.roles[role] for role in SOURCES[source].role_names], axis=1)


def rates(poses: np.ndarray, source: str, joint_set: str, together: int) -> tuple[dict[str, float], dict[str, float]]:
    """Shares of the groups of poses (N, J, 2) for which other sources, or none, are suggested, and other axes."""
    poses = np.concatenate([poses, np.ones_like(poses[..., :1])], axis=-1)
    groups = [poses[start : start + together] for start in range(0, len(poses) - together + 1, together)]
    found = [reading for group in groups if (reading := better_reading(group, source, joint_set)) is not None]
    axes = [reading.axes for reading in found]
    sources = [reading.source or ("none" if reading.axes == AS_READ else "") for reading in found]
    return tuple({name: names.count(name) / len(groups) for name in set(names)} for names in (sources, axes))


def cell(found: dict[str, float], none: str) -> str:
    return f"{100 * sum(share for name, share in found.items() if name != none):.2f}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--poses", type=int, default=2000)
    parser.add_argument("--together", type=int, default=1, help="poses of one file (default: 1)")
    args = parser.parse_args(arguments)
    everybody = {(view, False): Bodies("body", args.poses, given) for view, given in VIEWS.items()}
    everybody["usual view", True] = Bodies("body", args.poses, {}, errors=True)
    hands = {("hands", False): Bodies("hand", args.poses, {})}
    print("| read rightly | 2D input | another source, % | other axes, % |\n| --- | --- | --- | --- |")
    for source, joint_set in RIGHT:
        for (view, errors), bodies in (hands if joint_set == "mano" else everybody).items():
            if errors and source != "coco17":
                continue
            other, axes = rates(bodies.of(source), source, joint_set, args.together)
            words = f"{view}, synthesised errors" if errors else view
            print(f"| `{source}` | {words} | {cell(other, '')} | {cell(axes, AS_READ)} |", flush=True)
    print("\n| are | read as | wanted | 2D input | right one suggested, % | wrong one, % |\n|" + " --- |" * 6)
    for source, taken, joint_set in MIXED:
        for (view, errors), bodies in (hands if joint_set == "mano" else everybody).items():
            if errors and source != "coco17":
                continue
            other, _ = rates(bodies.of(source), taken, joint_set, args.together)
            right = 100 * other.pop(source, 0)
            words = f"{view}, synthesised errors" if errors else view
            row = f"| `{source}` | `{taken}` | `{joint_set}` | {words} | {right:.1f} | {cell(other, '')} |"
            print(row, flush=True)
    print("\n| axes of the file | 2D input | noted, % | others, % |\n| --- | --- | --- | --- |")
    for name, turn in TURNED.items():
        for (view, errors), bodies in everybody.items():
            _, axes = rates(turn(bodies.of("coco17")), "coco17", "coco", args.together)
            right = 100 * axes.pop(name, 0)
            words = f"{view}, synthesised errors" if errors else view
            print(f"| {name} | {words} | {right:.1f} | {cell(axes, AS_READ)} |", flush=True)


if __name__ == "__main__":
    main()
