"""Draw the sample poses in asset/pose_samples/, from which missing 2D joints are filled in.

    python data/prepare/make_pose_samples.py --output asset/pose_samples

Poses come from the pose prior, cameras and body shapes are drawn as in training; the open benchmark's motion has no
part in them.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.base import stream
from data.posed import Posed, PosedBodies
from data.Synthetic.dataset import Synthetic
from lib.core.config import Config
from lib.funcs_utils import atomic_write
from lib.joint_sets import JOINT_SETS

COUNTS = {"body": 3000, "hand": 1500}
_INPUT_SET = {"body": "coco", "hand": "mano"}
_SEED = 77


def projected_joints(kind: str, mode: str, count: int, seed: int = _SEED) -> dict[str, np.ndarray]:
    """2D joints of the same bodies in every joint set.

    Args:
        kind: ``body`` or ``hand``.
        mode: ``train`` draws poses from the prior, ``test`` takes evenly spaced ones of the open benchmark.
        count: number of poses.
        seed: of the draw.

    Returns:
        per joint set (count, J, 2) float32, pixels of a 1000 x 1000 camera.
    """
    cfg = Config()
    cfg.DATASET.input_joint_set = cfg.DATASET.target_joint_set = _INPUT_SET[kind]
    cfg.MODEL.body = {"body": "open_6890", "hand": "open_hand"}[kind]
    cfg.SYNTHETIC.test_samples = count
    dataset = Synthetic(mode, cfg)
    sets = [joint_set.name for joint_set in JOINT_SETS.values() if joint_set.body == kind]
    bodies = PosedBodies(dataset.mesh_model, sets, whole_mesh=False)
    generator = stream(seed)
    parts = []
    for indices in np.array_split(np.arange(count), -(-count // 250)):
        posed = Posed(bodies, dataset.rows(indices, generator), sets[0])
        parts.append({name: posed.image(name).numpy().astype(np.float32) for name in sets})
    return {name: np.concatenate([part[name] for part in parts]) for name in sets}


def normalised(poses: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Poses of all joint sets moved and scaled alike: centred, root mean square distance to the centre 1."""
    reference = next(iter(poses.values()))
    centre = reference.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.square(reference - centre).sum(axis=2).mean(axis=1))[:, None, None]
    return {name: ((pose - centre) / spread).astype(np.float16) for name, pose in poses.items()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder for body.npz and hand.npz")
    folder = parser.parse_args(arguments).output
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # the draw does not depend on the machine's cores
    for kind, count in COUNTS.items():
        arrays = normalised(projected_joints(kind, "train", count))
        with atomic_write(folder / f"{kind}.npz", "wb") as file:
            np.savez_compressed(file, **arrays)
        print(f"{folder / f'{kind}.npz'}: {count} poses, {', '.join(arrays)}")


if __name__ == "__main__":
    main()
