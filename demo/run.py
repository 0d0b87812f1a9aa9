"""Pose2Mesh demo: 2D poses, a photo or a video to meshes.

    python demo/run.py                                            a sample pose
    python demo/run.py --input_pose .                             a sample picture with several people
    python demo/run.py --input_pose pose.npy --joint_set human36
    python demo/run.py --input_pose alphapose-results.json --input_img video.mp4
    python demo/run.py --input_img photo.jpg --detect
    python demo/run.py --input_img video.mp4 --detect --save mp4,npz

Writes pictures, and meshes as OBJ and GLB, to demo/result/; a film and arrays for sequences. demo/README.md has more.

Weights of the original release (coco: experiment/pose2mesh_cocoJ_train_human36_coco_muco/) are used when they and the
SMPL or MANO files are in place, the open weights with their open models otherwise.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.runtime.startup import exit_code, imports_kept

with imports_kept():
    from lib.demo.options import PICTURE_FORMATS, SEQUENCE_FORMATS, SMOOTHING, TEMPORAL, DemoOptions
    from lib.joints.tables import JOINT_SETS
    from lib.messages import one_line
    from lib.poses.detectors import TOOLS
    from lib.poses.people import SIDES
    from lib.render.mesh_renderer import BACKENDS
    from lib.settings.setting import FLOAT32, PRECISIONS


_Number = TypeVar("_Number", int, float)
# a Path would make "" the folder "."
_PATHS = ("input_pose", "input_img", "detector_model", "input_pose3d", "output", "weights", "root")


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    orders = "\n".join(f"  {s.name} ({s.joint_num}): {s.describe()}" for s in JOINT_SETS.values())
    parser = argparse.ArgumentParser(
        usage="%(prog)s [options]; --help lists them",
        description="Pose2Mesh: 2D poses become meshes, drawn over their images.",
        epilog=f"Joint orders (coco: Pelvis and Neck may be left out, they are derived):\n{orders}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_inputs(parser.add_argument_group("input"))
    _add_outputs(parser.add_argument_group("output"))
    _add_network(parser.add_argument_group("network"))
    return parser.parse_args(arguments)


def _add_inputs(group) -> None:
    add = group.add_argument
    add("--input_pose", help="file or folder of a pose detector: AlphaPose, OpenPose, YOLO-pose, MMPose, MediaPipe and "
        "others, see demo/README.md; .npy or .npz (J, 2|3), (N, J, 2|3), (T, N, J, 2|3) in pixels; csv; '.' is a "
        "sample picture with several people (default: a sample pose)")  # fmt: skip
    add("--format", help="file format or joints of the poses where they are not recognised: see lib/poses/README.md")
    add("--joint_set", default="coco", help=f"joints that the network takes: {', '.join(JOINT_SETS)} or a joint set "
        "file .yml (default: coco); poses with other joints are mapped to them")  # fmt: skip
    add("--hand_side", choices=SIDES, help="with --joint_set mano: which hands these are, where the file does not say "
        "(default: right)")  # fmt: skip
    add("--hands", action="store_true", help="bodies with hands of the hand network, of poses that have hands "
        "(OpenPose's --hand, whole-body models, MediaPipe's holistic landmarks)")  # fmt: skip
    add("--input_img", help="image, folder of images or video, drawn under the meshes (default: black)")
    add("--detect", action="store_true", help="find the poses in --input_img, photos or a video (with --joint_set "
        "mano: hands); needs one of the detectors")  # fmt: skip
    add("--detector", default=DemoOptions.detector, choices=("auto", *TOOLS), help="rtmpose: everybody, needs `sh "
        "requirements.sh --with-rtmpose` and its models; mediapipe: one person a picture, needs `--with-detector`; "
        "auto: rtmpose where it and its models are there, else mediapipe (default: auto)")  # fmt: skip
    add("--detector_model", help="of rtmpose: ONNX file of RTMPose or RTMO, or folder with it and the model of "
        "people's boxes (default: rtmlib's cache; nothing is downloaded)")  # fmt: skip
    add("--input_pose3d", help=".npy (J, 3) or (N, J, 3): 3D joints in the joint set's order, x right, y "
        "down, z away from the viewer, instead of 2D poses")  # fmt: skip
    add("--unit", choices=("mm", "m"), default="mm", help="of --input_pose3d (default: mm)")
    add("--video", action="store_true", help="frames follow each other in time; an array (N, J, 2) is N frames of one "
        "person")  # fmt: skip
    add("--photos", action="store_true", help="images with numbered names are photos all the same, no video")
    add("--check_input", action="store_true", help="draw the joints with their names and stop")
    add("--min_score", dest="joint_score", metavar="SCORE", type=float, default=DemoOptions.joint_score, help="joints "
        "with a score up to this are missing (default: %(default)s)")  # fmt: skip
    add("--no_fill", action="store_true", help="leave people with missing joints out instead of filling the joints")
    add("--people", metavar="NUMBER,...", help="lift only these, by the numbers in the results' names and messages "
        "(default: everybody)")  # fmt: skip
    add("--smooth", nargs="?", const="both", default="", choices=SMOOTHING, help="sequences: One-Euro filter on the 2D "
        "poses, on meshes and cameras, or on both")  # fmt: skip
    add("--temporal", default=DemoOptions.temporal, metavar="|".join((*TEMPORAL, "PATH")), help="sequences: lift each "
        "person's frames together, or frame by frame (off); PATH: with these weights of a temporal lifter (default: "
        "auto, together where there are such weights for the joint set and the input is 2D, without left "
        "hands)")  # fmt: skip
    add("--constant_shape", action="store_true", help="sequences: one body shape for each person")


def _add_outputs(group) -> None:
    add = group.add_argument
    add("--output", default=DemoOptions.output, help="folder (default: demo/result); results of an earlier run that "
        "have the same names are replaced, which is said")  # fmt: skip
    add("--save", default="", metavar="FORMAT,...", help=f"of pictures: {', '.join(PICTURE_FORMATS)} (default: obj,glb)"
        f"; of sequences: {', '.join(SEQUENCE_FORMATS)} (default: mp4,npz)")  # fmt: skip
    add("--turntable", action="store_true", help="also a film that shows the meshes from all round, mp4 (or gif with "
        "--save gif); of sequences the camera turns while they play")  # fmt: skip
    add("--focal", type=float, help="focal length in pixels, places people in space (default: the image's diagonal)")
    add("--fps", type=float, help="frames per second, of turntables too (default: the video's, or 30)")
    add("--renderer", default="auto", choices=("auto", *BACKENDS), help="default: the best that works")
    add("--seed", type=int, default=0, help="picks the meshes' colours (default: 0)")


def _add_network(group) -> None:
    add = group.add_argument
    add("--mesh", default="auto", choices=("auto", "network", "fitted", "refined"), help="the network's vertices as "
        "published, the body model's surface fitted to them, or that surface refined to the 2D pose (default: refined "
        "for the open models, network for licensed ones)")  # fmt: skip
    shape = group.add_mutually_exclusive_group()
    shape.add_argument("--height", type=float, metavar="METRES", help="the people's, where it is known (not with "
        "--mesh network)")  # fmt: skip
    shape.add_argument("--betas", metavar="B1,B2,...", help="their shape, where it is known (not with --mesh network)")
    add("--weights", help="checkpoint file or folder (default: those of the joint set)")
    add("--body", help="mesh model: smpl, mano, open_6890, open_1723, open_hand or a model file (default: the one the "
        "weights were trained for)")  # fmt: skip
    device = group.add_mutually_exclusive_group()
    device.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:<number> (default: auto)")
    add("--precision", choices=PRECISIONS, default=FLOAT32, help="of the network's products: bf16 is the fastest, "
        "vertices move by about 0.3 mm; half rounds weights only; refused where the processor gains nothing "
        "(default: float32)")  # fmt: skip
    device.add_argument("--gpu", help="GPU number; falls back to the CPU where there is none")
    add("--root", default=DemoOptions.root, help="folder with the licensed models and with "
        "experiment/<name>/ of the original release's weights (default: repository)")  # fmt: skip


def options_from(args: argparse.Namespace) -> DemoOptions:
    """Settings of the demo; ``--gpu`` becomes a device.

    Raises:
        ValueError: bad GPU number, an option with an empty text.
    """
    values = vars(args)
    for name, value in values.items():
        if value == "" and name not in ("save", "smooth"):
            raise ValueError(f"--{name} is empty")
        if name in _PATHS and value is not None:
            values[name] = Path(value)
    gpu = values.pop("gpu")
    values["fill"] = not values.pop("no_fill")
    values["betas"] = _numbers("--betas", values["betas"], float)
    values["people"] = _numbers("--people", values["people"], int)
    values["save"] = tuple(name.strip() for name in values["save"].split(",") if name.strip())
    if gpu is not None:
        from lib.runtime.distributed import usable_gpus
        from lib.runtime.gpus import parse_gpus

        gpus, note = usable_gpus(parse_gpus(gpu)[:1])
        if note:
            print(note)
        values["device"] = f"cuda:{gpus[0]}" if gpus else "cpu"
    return DemoOptions(**values)


def _numbers(name: str, text: str | None, kind: Callable[[str], _Number]) -> tuple[_Number, ...]:
    try:
        return () if text is None else tuple(kind(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError(f"{name} {one_line(text, 60)}: expected numbers with commas between them") from error


def main(arguments: list[str] | None = None) -> int:
    args = parse_arguments(arguments)

    def run() -> None:
        from lib.demo.command import run_demo

        run_demo(options_from(args))

    return exit_code(run)


if __name__ == "__main__":
    sys.exit(main())
