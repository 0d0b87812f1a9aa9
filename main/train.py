"""Train PoseNet or Pose2Mesh.

    python main/train.py --cfg asset/yaml/posenet_cocoJ_train_synthetic.yml
    python main/train.py --cfg asset/yaml/pose2mesh_cocoJ_train_synthetic.yml --gpu 0,1
    python main/train.py --cfg asset/yaml/posenet_cocoJ_train_synthetic.yml --resume_training
    python main/train.py --cfg asset/yaml/posenet_human36J_train_human36.yml --root /disk/pose2mesh
    python main/train.py --cfg asset/yaml/posenet_cocoJ_train_synthetic.yml --name coco_long
    torchrun --standalone --nproc_per_node 4 main/train.py --cfg ...

Checkpoints, plots and metrics go to experiment/exp_*/.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import ROOT
from lib.core.commands import run_command, train


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Train Pose2Mesh", epilog=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cfg", help="YAML file of asset/yaml (default: the settings of lib/settings/config.py)")
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="KEY=VALUE", help="replace settings, e.g. TRAIN.lr=0.01 TEST.vis=True"
    )
    parser.add_argument("--gpu", default="0,1", help="GPU ids, one process each; the CPU is used where there is none")
    parser.add_argument("--resume_training", action="store_true", help="continue the newest run of this config")
    parser.add_argument("--seed", type=int, default=123, help="seed of all random numbers (default 123)")
    parser.add_argument("--name", default="", help="added to a new run folder's name: letters, digits, - and _")
    parser.add_argument("--debug", action="store_true", help="use a small part of the data")
    parser.add_argument("--experiment", default=ROOT / "experiment", help="parent of run folders (default experiment/)")
    parser.add_argument("--root", default=ROOT, help="folder with data/ and the licensed models (default: repository)")
    run_command(train, parser.parse_args())


if __name__ == "__main__":
    main()
