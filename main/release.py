"""Turn a finished run into a folder of weights to share: half-precision, without optimizer state.

python main/release.py --run experiment/exp_11-22_14-00-00 --output experiment/pose2mesh_cocoJ_open
"""

import argparse
import shutil
import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.checkpoints.files import load_checkpoint, save_checkpoint
from lib.core.commands import run_command
from lib.files import atomic_write, say_replaced

PICTURES = ("train_loss.pdf", "surface_error.pdf", "joint_error.pdf")


def release(args: argparse.Namespace) -> None:
    """Write ``final.pth.tar``, ``config.yml`` and the training plots into the output folder."""
    run, output = Path(args.run), Path(args.output)
    checkpoint = load_checkpoint(run).released()
    target = output / "final.pth.tar"
    replaced = [path for name in ("final.pth.tar", "config.yml", *PICTURES) if (path := output / name).exists()]
    save_checkpoint(target, checkpoint)
    with atomic_write(output / "config.yml") as file:
        yaml.safe_dump(checkpoint.trained.to_dict(), file, sort_keys=False)
    for name in PICTURES:  # those of another run go
        (output / name).unlink(missing_ok=True)
        if (run / "graph" / name).is_file():  # a PoseNet has no surface
            shutil.copyfile(run / "graph" / name, output / name)
    say_replaced(replaced)
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB, epoch {checkpoint.epoch}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Make weights to share", epilog=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", required=True, help="run folder, experiment/exp_*")
    parser.add_argument("--output", required=True, help="folder for the weights; created when missing")
    run_command(release, parser.parse_args())


if __name__ == "__main__":
    main()
