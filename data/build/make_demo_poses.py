"""Make the demo's sample poses: 2D joints of held-out motion with detector-like jitter, in pixels of a small photo.

    python data/build/make_demo_poses.py --row 2300 --hand_row 1

Writes ``demo/sample_pose_{human36,coco,smpl,mano}.npy``: (J, 2) float32. The three body files show the same person in
the same pose; derived joints (coco pelvis and neck) are left to the demo, as for a user's detections.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.Synthetic.dataset import Synthetic
from lib import ROOT
from lib.datasets.pose_dataset import stream
from lib.datasets.transform import BodyTransform
from lib.joints.joint_set import JointSet
from lib.joints.tables import JOINT_SETS
from lib.settings.reading import merge

PERSON_HEIGHT = 400.0  # pixels
MARGIN = 60.0  # pixels between the joints and the image's left and upper edge
JITTER = 1.93 / 256  # detector jitter as a share of the person's size, see lib/datasets/transform.py


def sample_pose(joint_set: JointSet, row: int) -> np.ndarray:
    """One test pose as a detector would give it: (keypoints, 2) pixels."""
    target = "human36" if joint_set.name == "coco" else joint_set.name
    cfg = merge(
        {
            "DATASET": {"input_joint_set": joint_set.name, "target_joint_set": target},
            "MODEL": {"name": "posenet", "body": "open_hand" if joint_set.body == "hand" else "open_1723"},
        }
    )
    data = Synthetic("test", cfg)
    if not 0 <= row < len(data):
        raise ValueError(f"row {row} is not among the {len(data)} test poses of joint set {joint_set.name!r}")
    rows = data.rows(np.array([row]), stream(0))
    transform = BodyTransform(cfg, data.mesh_model, data.sources)
    pixels = transform.posed(rows).image(joint_set.name)[0, : joint_set.keypoint_num]
    pixels = pixels - pixels.amin(dim=0)
    pixels = MARGIN + pixels * (PERSON_HEIGHT / pixels.amax())
    jitter = JITTER * PERSON_HEIGHT * torch.randn(pixels.shape, generator=stream(1, row))
    return (pixels + jitter).numpy().astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", type=int, required=True, help="row of the open benchmark")
    parser.add_argument("--hand_row", type=int, required=True, help="number of the hand test pose")
    parser.add_argument("--output", type=Path, default=ROOT / "demo", help="folder (default demo/)")
    options = parser.parse_args()
    for joint_set in JOINT_SETS.values():
        path = options.output / f"sample_pose_{joint_set.name}.npy"
        np.save(path, sample_pose(joint_set, options.hand_row if joint_set.body == "hand" else options.row))
        print(path)


if __name__ == "__main__":
    main()
