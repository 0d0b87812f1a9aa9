"""Pose2Mesh demo: one 2D pose to a mesh.

    python demo/run.py
    python demo/run.py --input_pose pose.npy --joint_set human36
    python demo/run.py --input_pose pose.npy --input_img photo.jpg

Writes demo_pose2d.png, demo_mesh.png, demo_mesh.obj and demo_mesh.glb to demo/result/.

Weights of the original release (coco: experiment/pose2mesh_cocoJ_train_human36_coco_muco/) are used when they and the
SMPL or MANO files are in place, the open weights with their open models otherwise.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.core.distributed import parse_gpus, usable_gpus
from lib.demo_pipeline import DemoOptions, run_demo
from lib.joint_sets import JOINT_SETS
from lib.renderer import BACKENDS


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    orders = "\n".join(f"  {s.name} ({s.joint_num}): {s.describe()}" for s in JOINT_SETS.values())
    parser = argparse.ArgumentParser(
        description="Render Pose2Mesh output: a 2D pose becomes a mesh, drawn over the image.",
        epilog=f"Joint orders (coco: Pelvis and Neck may be left out, they are derived):\n{orders}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--input_pose", type=Path, help=".npy file (J, 2) of x, y in pixels, or (J, 3) with a score; "
                        "without it a sample pose is used")  # fmt: skip
    parser.add_argument("--joint_set", choices=JOINT_SETS, default="coco", help="joints of the pose (default: coco)")
    parser.add_argument("--input_img", type=Path, help="image of the pose, drawn under the mesh (default: black)")
    parser.add_argument("--output", type=Path, default=DemoOptions.output, help="folder (default: demo/result)")
    parser.add_argument("--weights", type=Path, help="checkpoint file or folder (default: those of the joint set)")
    parser.add_argument("--body", help="mesh model: smpl, mano, open_6890, open_1723, open_hand or a model file "
                        "(default: the one the weights were trained for)")  # fmt: skip
    device = parser.add_mutually_exclusive_group()
    device.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:<number> (default: auto)")
    device.add_argument("--gpu", help="GPU number; falls back to the CPU where there is none")
    parser.add_argument("--renderer", choices=("auto", *BACKENDS), default="auto", help="default: first that works")
    parser.add_argument("--seed", type=int, default=0, help="picks the mesh's colour (default: 0)")
    parser.add_argument("--root", type=Path, default=DemoOptions.root, help="folder with the licensed models and with "
                        "experiment/<name>/ of the original release's weights (default: repository)")  # fmt: skip
    return parser.parse_args(arguments)


def options_from(args: argparse.Namespace) -> DemoOptions:
    """Settings of the demo; ``--gpu`` becomes a device.

    Raises:
        ValueError: bad GPU number.
    """
    values = vars(args)
    gpu = values.pop("gpu")
    if gpu is not None:
        gpus, note = usable_gpus(parse_gpus(gpu)[:1])
        if note:
            print(note)
        values["device"] = f"cuda:{gpus[0]}" if gpus else "cpu"
    return DemoOptions(**values)


def main(arguments: list[str] | None = None) -> int:
    args = parse_arguments(arguments)
    try:
        run_demo(options_from(args))
    except (ValueError, OSError, RuntimeError) as error:
        if os.environ.get("POSE2MESH_TRACEBACK"):
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
