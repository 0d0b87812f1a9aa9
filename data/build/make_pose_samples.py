"""Draw the sample poses in asset/pose_samples/, from which missing 2D joints are filled in.

    python data/build/make_pose_samples.py --output asset/pose_samples
    python data/build/make_pose_samples.py --output asset/pose_samples --joint_set asset/joint_sets/body25.yml

The second line adds the joints that a user's own joint set defines by vertices; all others follow from the first.
Poses come from the pose prior, cameras and body shapes are drawn as in training; the open benchmark's motion has no
part in them.
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
from lib.files import atomic_write
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.joints.tables import JOINT_SETS
from lib.settings.config import Config

COUNTS = {"body": 3000, "hand": 1500}
_INPUT_SET = {"body": "coco", "hand": "mano"}
_SEED = 77


def projected_joints(
    kind: str, mode: str, count: int, own: JointSet | None = None, body: str = ""
) -> dict[str, np.ndarray]:
    """2D joints of the same bodies in every joint set.

    Args:
        kind: ``body`` or ``hand``.
        mode: ``train`` draws poses from the prior, ``test`` takes evenly spaced ones of the open benchmark.
        count: number of poses.
        own: a user's joint set to add, last.
        body: mesh model; empty takes the open one with the most vertices.

    Returns:
        per joint set (count, J, 2) float32, pixels of a 1000 x 1000 camera.
    """
    cfg = Config()
    cfg = cfg.changed(DATASET={"input_joint_set": _INPUT_SET[kind], "target_joint_set": _INPUT_SET[kind]})
    cfg = cfg.changed(MODEL={"body": body or {"body": "open_6890", "hand": "open_hand"}[kind]})
    cfg = cfg.changed(SYNTHETIC={"test_samples": count})
    dataset = Synthetic(mode, cfg)
    sets = [joint_set for joint_set in (*JOINT_SETS.values(), own) if joint_set is not None and joint_set.body == kind]
    bodies = PosedBodies(dataset.mesh_model, sets, whole_mesh=False)
    generator = stream(_SEED)
    parts = []
    for indices in np.array_split(np.arange(count), -(-count // 250)):
        posed = Posed(bodies, dataset.rows(indices, generator), sets[0].name)
        parts.append({s.name: posed.image(s.name).numpy().astype(np.float32) for s in sets})
    return {s.name: np.concatenate([part[s.name] for part in parts]) for s in sets}


def normalised(poses: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Poses of all joint sets moved and scaled alike: centred, root mean square distance to the centre 1."""
    reference = next(iter(poses.values()))
    centre = reference.mean(axis=1, keepdims=True)
    spread = np.sqrt(np.square(reference - centre).sum(axis=2).mean(axis=1))[:, None, None]
    return {name: ((pose - centre) / spread).astype(np.float16) for name, pose in poses.items()}


def joints_by_vertices(joint_set: JointSet, count: int, body: str = "") -> dict[str, np.ndarray]:
    """Samples (count, 2) of the joints that a user's set defines by vertices, beside those of the built-in sets.

    Raises:
        ValueError: it has none, or does not say where they are on the mesh.
    """
    named = enumerate(joint_set.joints[: joint_set.keypoint_num])
    chosen = {joint: i for i, joint in named if joint_set.sources and joint_set.sources[i].vertices}
    if not chosen:
        raise ValueError(f"joint set {joint_set.name!r} defines no joint by vertices: it needs no samples of its own")
    poses = normalised(projected_joints(joint_set.body, "train", count, own=joint_set, body=body))[joint_set.name]
    return {joint: poses[:, index] for joint, index in chosen.items()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--output", type=Path, required=True, help="folder for body.npz and hand.npz, or joints_<name>.npz"
    )
    parser.add_argument("--joint_set", help="file of your own joint set: draw those of its joints that are vertices")
    parser.add_argument("--body", default="", help="mesh model with these vertices (default: open_6890 or open_hand)")
    args = parser.parse_args(arguments)
    args.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # the draw does not depend on the machine's cores
    if args.joint_set:
        joint_set = get_joint_set(args.joint_set)
        _write(
            args.output / f"joints_{joint_set.name}.npz",
            joints_by_vertices(joint_set, COUNTS[joint_set.body], args.body),
        )
        return
    for kind, count in COUNTS.items():
        _write(args.output / f"{kind}.npz", normalised(projected_joints(kind, "train", count)))


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with atomic_write(path, "wb") as file:
        np.savez_compressed(file, **arrays)
    print(f"{path}: {len(next(iter(arrays.values())))} poses, {', '.join(arrays)}")


if __name__ == "__main__":
    main()
