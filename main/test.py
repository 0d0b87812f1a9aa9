"""Test a trained PoseNet or Pose2Mesh.

    python main/test.py --cfg asset/yaml/pose2mesh_cocoJ_test_open.yml
    python main/test.py --weights experiment/exp_11-22_14-00-00
    python main/test.py --cfg asset/yaml/pose2mesh_cocoJ_test_open.yml --baseline linear
    python main/test.py --cfg asset/yaml/pose2mesh_cocoJ_test_open.yml --predictions RUN/result/predictions
    torchrun --standalone --nproc_per_node 4 main/test.py --cfg ...

Figures go to the screen and to experiment/exp_*/result/metrics.json and metrics.csv.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import ROOT
from lib.core.baselines import BASELINES
from lib.core.commands import run_command, test
from lib.settings.setting import PRECISIONS


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Test Pose2Mesh", epilog=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--cfg", help="YAML file of asset/yaml (default: that of --weights, else lib/settings/config.py)"
    )
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="KEY=VALUE", help="replace settings, e.g. TRAIN.lr=0.01 TEST.vis=True"
    )
    parser.add_argument("--gpu", default="0,", help="GPU ids, one process each; the CPU is used where there is none")
    parser.add_argument("--seed", type=int, default=123, help="seed of all random numbers (default 123)")
    parser.add_argument("--debug", action="store_true", help="use a small part of the data")
    tested = parser.add_mutually_exclusive_group()
    tested.add_argument("--weights", help="checkpoint file or folder instead of TEST.weight_path")
    tested.add_argument(
        "--baseline", choices=sorted(BASELINES), help="test a baseline, fitted on training samples, instead of weights"
    )
    tested.add_argument(
        "--predictions", help="test predictions saved with TEST.save_predictions (folder or .npz) instead of weights"
    )
    parser.add_argument(
        "--precision", choices=PRECISIONS, help="of products, for TEST.precision; refused where it would be slower"
    )
    parser.add_argument("--experiment", default=ROOT / "experiment", help="parent of run folders (default experiment/)")
    parser.add_argument("--root", default=ROOT, help="folder with data/ and the licensed models (default: repository)")
    args = parser.parse_args()
    if args.precision:
        args.set.append(f"TEST.precision={args.precision}")
    run_command(test, args)


if __name__ == "__main__":
    main()
