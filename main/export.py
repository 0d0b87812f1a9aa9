"""Export trained weights to ONNX and check the file against PyTorch.

    python main/export.py --weights experiment/pose2mesh_cocoJ_open --output pose2mesh.onnx
    python main/export.py --weights experiment/pose2mesh_cocoJ_open --stage posenet --output posenet.onnx
    python main/export.py --weights experiment/pose2mesh_human36J_train_human36 --joint_set human36 --output smpl.onnx
    python main/export.py --weights experiment/pose2mesh_cocoJ_open --precision half --output small.onnx

The file takes detected keypoints in pixels, (B, keypoints, 2) with any B, and gives pose3d (B, J, 3) in mm and mesh
(B, V, 3) in metres; derived joints and the normalisation are inside. Its metadata hold joint names, units and faces.
lib.predictor.onnx_predictor runs it without PyTorch. --precision half stores the weights in float16: half the size,
computed in float32 all the same. There is no int8: it moves the open weights' meshes by 6 to 12 mm (docs/speed.md).
Needs a few more packages: sh requirements.sh --with-onnx
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib import ROOT
from lib.core.commands import run_command
from lib.files import say_replaced
from lib.messages import one_line
from lib.onnx.onnx_export import PRECISIONS, STAGES, TOLERANCE, WITHIN, compare, export_onnx, load_trained
from lib.runtime.optional import optional
from lib.settings.setting import FLOAT32


def export(args: argparse.Namespace) -> None:
    """Write the file, compare, print."""
    for package in ("onnx", *(() if args.no_check else ("onnxruntime",))):
        optional(package, "onnx", use="main/export.py")
    trained = load_trained(args.weights, args.stage, args.joint_set, args.body, args.root)
    joint_set = trained.joint_set
    replaced = [args.output] if Path(args.output).exists() else []
    path = export_onnx(trained, args.output, args.precision)
    say_replaced(replaced)
    print(f"{one_line(trained.source)}: {args.stage}, {joint_set.name} joints")
    keypoints = ", ".join(joint_set.joints[: joint_set.keypoint_num])
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB; keypoints (B, {joint_set.keypoint_num}, 2): {keypoints}")
    if args.no_check:
        return
    result = compare(trained, path, threads=args.threads, precision=args.precision)
    for name in trained.outputs:
        share = f"{result.difference[name]:.1e} of the largest number (allowed {TOLERANCE:.0e})"
        if args.precision != FLOAT32:
            share = f"{result.mean[name]:.3f} mm on average (allowed {WITHIN})"
        print(f"{name}: onnxruntime and PyTorch differ by {result.millimetres[name]:.5f} mm at most, {share}")
    for batch, found in result.onnx_ms.items():
        print(f"batch of {batch}: {found:.2f} ms per pose with onnxruntime, {result.torch_ms[batch]:.2f} with PyTorch")


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Export to ONNX", epilog=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", required=True, help="checkpoint file or folder")
    parser.add_argument("--output", required=True, help=".onnx file to write")
    parser.add_argument("--stage", choices=STAGES, default="pose2mesh", help="default pose2mesh")
    parser.add_argument(
        "--joint_set", default="", help="joints of a PoseNet of the original release: human36, coco, ..."
    )
    parser.add_argument(
        "--precision", choices=PRECISIONS, default=FLOAT32, help="of the stored weights (default float32)"
    )
    parser.add_argument("--body", default="", help="mesh model (default: the one of the weights)")
    parser.add_argument("--threads", type=int, default=0, help="threads of onnxruntime in the check (default: all)")
    parser.add_argument("--no_check", action="store_true", help="do not compare with PyTorch")
    parser.add_argument("--root", default=ROOT, help="folder with the licensed models (default: repository)")
    run_command(export, parser.parse_args())


if __name__ == "__main__":
    main()
