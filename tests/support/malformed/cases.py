"""What is damaged, and the command that reads it: every file that users give to a program."""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support.malformed.arrays import damage_npy, damage_npz, damage_pickle
from tests.support.malformed.bytes import damage_bytes, damage_picture, damage_text
from tests.support.malformed.places import displace, rename
from tests.support.malformed.sound import DATA
from tests.support.malformed.trees import damage_checkpoint, damage_json, damage_yaml

Command = Callable[[Path, Path, random.Random], list]


@dataclass(frozen=True)
class Case:
    """A kind of input.

    Attributes:
        name: of the reader and what it reads.
        kind: of the sound input, a key of ``sound.KINDS``.
        files: patterns of the files that are damaged, one of them at a time.
        command: script and arguments for a folder of the kind and the damaged file in it.
        given: the command line names the file, so that it may have any name.
        light: the command needs no PyTorch.
    """

    name: str
    kind: str
    files: tuple[str, ...]
    command: Command
    given: bool = True
    light: bool = False


_BY_ENDING = {
    ".json": damage_json, ".yml": damage_yaml, ".npy": damage_npy, ".npz": damage_npz, ".pkl": damage_pickle,
    ".tar": damage_checkpoint, ".bvh": damage_text, ".csv": damage_text, ".gz": damage_bytes,
}  # fmt: skip


def damage(draw: random.Random, path: Path) -> str:
    """Damage a file by what it is; says how."""
    kind = draw.random()
    if kind < 0.08:
        return displace(draw, path)
    if kind < 0.3:
        return damage_bytes(draw, path)
    return _BY_ENDING.get(path.suffix, damage_picture)(draw, path)


def _demo(*arguments) -> list:
    return ["demo/run.py", "--device", "cpu", "--renderer", "software", *arguments]


def _poses(folder: Path, file: Path, draw: random.Random) -> list:
    given = file.parent if file.parent != folder else file
    further = draw.choice(
        ([], ["--video"], ["--video", "--smooth"], ["--joint_set", "human36"], ["--no_fill"], ["--min_score", "-1"])
    )
    if draw.random() < 0.4:
        return _demo("--input_pose", given, "--check_input", *further)
    formats = "npz,params" if "--video" in further else "npz,obj"
    weights = [] if "--joint_set" in further else ["--weights", folder / "sound" / "weights" / "final.pth.tar"]
    return _demo("--input_pose", given, "--save", formats, *weights, *further)


def _pose3d(folder: Path, file: Path, draw: random.Random) -> list:
    further = draw.choice(([], ["--video"], ["--unit", "m"]))
    return _demo(
        "--input_pose3d", file, "--save", "npz", "--weights", folder / "sound" / "weights" / "final.pth.tar", *further
    )


def _checked(folder: Path, file: Path, draw: random.Random) -> list:
    return _demo("--input_pose", file, "--check_input", *draw.choice(([], ["--video"], ["--format", "coco17"])))


def _image(folder: Path, file: Path, draw: random.Random) -> list:
    film = file.suffix in (".mp4", ".avi")
    photos = file.parent.name == "photos"
    pose = folder / ("video.npy" if film else "photos.json" if photos else "pose.npy")
    image = folder / "photos" if photos else file
    if film or draw.random() < 0.7:
        return _demo("--input_pose", pose, "--input_img", image, "--check_input")
    weights = folder / "sound" / "weights" / "final.pth.tar"
    return _demo("--input_pose", pose, "--input_img", image, "--save", "npz", "--weights", weights)


def _joint_set(folder: Path, file: Path, draw: random.Random) -> list:
    given = folder / "own.yml" if file.suffix == ".npy" else file
    if draw.random() < 0.5:
        return _demo("--input_pose", folder / "pose.npy", "--joint_set", given, "--format", "coco17", "--check_input")
    sets = [f"DATASET.{name}_joint_set='{given}'" for name in ("input", "target")]
    return _train(folder / "sound" / "settings" / "whole.yml", folder, "--set", *sets)


def _train(cfg: Path, folder: Path, *arguments) -> list:
    return ["main/train.py", "--cfg", cfg, "--gpu", "", "--experiment", folder / "output", *arguments]


def _settings(folder: Path, file: Path, draw: random.Random) -> list:
    cfg = folder / "train.yml" if file.stem == "base" else file
    if file.suffix == ".npz":
        return _train(folder / "motion.yml", folder, "--set", f"SYNTHETIC.motion=['{file}']")
    return _train(cfg, folder)


def _weights(folder: Path, file: Path, draw: random.Random) -> list:
    demo = _demo("--input_pose", folder / "pose.npy", "--weights", file, "--save", "npz")
    export = ["main/export.py", "--weights", file, "--output", folder / "output" / "x.onnx", "--no_check", "--stage"]
    release = ["main/release.py", "--run", file, "--output", folder / "output"]
    train = _train(folder / "sound" / "settings" / "whole.yml", folder, "--set", f"TRAIN.init_path='{file}'")
    test = ["main/test.py", "--weights", file, "--gpu", "", "--experiment", folder / "output", "--set",
            "SYNTHETIC.test_samples=4", "DATASET.workers=0", "DATASET.test_list=[Synthetic]"]  # fmt: skip
    return draw.choice((demo, demo, demo, [*export, "pose2mesh"], [*export, "posenet"], release, train, test))


def _resume(folder: Path, file: Path, draw: random.Random) -> list:
    return [
        "main/train.py",
        "--cfg",
        folder / "hand.yml",
        "--gpu",
        "",
        "--experiment",
        folder / "experiment",
        "--resume_training",
    ]


def _body(folder: Path, file: Path, draw: random.Random) -> list:
    demo = _demo(
        "--input_pose", folder / "pose.npy", "--weights", folder / "final.pth.tar", "--body", file, "--save", "npz"
    )
    train = _train(folder / "sound" / "settings" / "whole.yml", folder, "--set", f"MODEL.body='{file}'")
    return draw.choice((demo, train))


def _data(name: str) -> Command:
    def command(folder: Path, file: Path, draw: random.Random) -> list:
        verify = ["data/verify.py", name, "--root", folder, "--samples", 10, "--output", folder / "output"]
        return draw.choice((_train(folder / f"{name}.yml", folder, "--root", folder), verify))

    return command


def _predictions(folder: Path, file: Path, draw: random.Random) -> list:
    stage = file.parent.name if file.suffix in (".npy", ".json") else file.stem
    stage = stage if stage in ("posenet", "pose2mesh_net") else draw.choice(("posenet", "pose2mesh_net"))
    saved = folder / "saved"
    given = saved / stage if "evaluation" in file.name or file.parent != saved else file
    return ["main/test.py", "--cfg", folder / f"{stage}.yml", "--predictions", given, "--gpu", "", "--root", folder,
            "--experiment", folder / "output"]  # fmt: skip


def _doctor(folder: Path, file: Path, draw: random.Random) -> list:
    return ["main/doctor.py", "--root", folder]


def _model(folder: Path, file: Path, draw: random.Random) -> list:
    """Licensed models in a root."""
    return draw.choice((_doctor(folder, file, draw), _train(folder / "COCO.yml", folder, "--root", folder)))


def _hand(folder: Path, file: Path, draw: random.Random) -> list:
    return draw.choice((_doctor(folder, file, draw), _train(folder / "FreiHAND.yml", folder, "--root", folder)))


def _bvh(folder: Path, file: Path, draw: random.Random) -> list:
    body = ["--body", folder / "body.npz"]
    return ["data/convert/cmu_bvh.py", "--input", folder / "clips", "--output", folder / "output", "--index",
            folder / "index.csv", *body, "--fps", draw.choice(("10", "keep"))]  # fmt: skip


def _pw3d(folder: Path, file: Path, draw: random.Random) -> list:
    split = file.parent.name if file.suffix == ".pkl" else "train"
    split = split if split in ("train", "test", "validation") else "train"
    names = {"train": ["courtyard_arguing_00", "courtyard_golf_00"], "test": ["downtown_arguing_00",
    "downtown_walkBridge_01"],
             "validation": ["courtyard_hug_00", "outdoors_parcours_01"]}  # fmt: skip
    return [
        "data/3dpw2coco.py",
        "--root",
        folder,
        "--output",
        folder / "output",
        "--splits",
        split,
        "--sequences",
        *names[split],
    ]


def _fit(folder: Path, file: Path, draw: random.Random) -> list:
    further = draw.choice(([], ["--holdout", "0.4"]))
    return ["main/fit_regressor.py", "--pairs", file, "--output", folder / "output" / "x.npy", *further]


def _case(name: str, kind: str, files: str, command: Command, given: bool = True, light: bool = False) -> Case:
    return Case(name, kind, tuple(files.split()), command, given, light)


_LAYOUTS = ("coco_annotations", "openpose", "alphapose", "coco_results", "mmpose", "mmpose_video", "mediapipe", "demo")
CASES: tuple[Case, ...] = (
    *(_case(f"poses {layout}", "poses", f"{layout}.json", _poses) for layout in _LAYOUTS),
    _case("poses npy", "poses", "one.npy video.npy", _poses),
    _case("poses npz", "poses", "scores.npz", _poses),
    _case("poses folder", "poses", "frames/*.json", _poses, given=False),
    _case("poses 3d", "poses", "three.npy", _pose3d),
    _case("poses checked", "poses", "*.json *.npy *.npz", _checked, light=True),
    _case("pictures", "pictures", "image.* photos/*.jpg", _image),
    _case("films", "pictures", "film.*", _image),
    _case("joint sets", "joint_sets", "set.yml own.yml", _joint_set),
    _case("joint set matrices", "joint_sets", "matrix.npy", _joint_set, given=False),
    _case("settings", "settings", "train.yml base.yml whole.yml", _settings, given=False),
    _case("settings whole", "settings", "whole.yml", _settings),
    _case("motion files", "settings", "walk_poses.npz", _settings),
    _case("checkpoints", "weights", "final.pth.tar", _weights),
    _case("checkpoints of the original", "weights", "legacy.pth.tar", _weights),
    _case("runs", "weights", "experiment/exp_run/checkpoint/* experiment/exp_run/*.yml experiment/exp_run/log.csv "
          "experiment/exp_run/result/*", _resume, given=False),
    _case("bodies npz", "bodies", "body.npz", _body),
    _case("bodies pkl", "bodies", "body.pkl", _body),
    _case("licensed body", "root", "smplpytorch/**/*_neutral_*.pkl", _model, given=False),
    _case("licensed hand", "root", "manopth/**/*.pkl", _hand, given=False),
    _case("regressors", "root", "data/*/J_regressor_*.npy", _model, given=False),
    *(_case(f"data {name}", "root", f"data/{name}/data/*.json data/{name}/annotations/*.json data/{name}/*.json "
            f"data/{name}/data/**/*.npz", _data(name), given=False) for name in DATA),
    _case("evaluation files", "root", "data/FreiHAND/data/evaluation_*.json", _predictions, given=False),
    _case("predictions folder", "root", "saved/posenet/* saved/pose2mesh_net/*", _predictions, given=False),
    _case("predictions npz", "root", "saved/*.npz", _predictions, given=False),
    _case("doctor", "root", "experiment/shared/* manopth/**/*.pkl", _doctor, given=False),
    _case("bvh", "conversions", "clips/* index.csv body.npz", _bvh, given=False, light=True),
    _case("3dpw", "root", "data/PW3D/sequenceFiles/*/*.pkl data/PW3D/imageFiles/*/*.jpg", _pw3d, given=False),
    _case("regressor pairs", "conversions", "pairs.npz", _fit),
)  # fmt: skip
"""Rows of the table in docs/reliability.md."""


def place(case: Case, sound: Path, folder: Path, draw: random.Random) -> tuple[list, Path, str]:
    """Lay out a damaged input.

    Args:
        case: what is damaged.
        sound: folder of the kinds of sound inputs.
        folder: becomes the input's.

    Returns:
        script and arguments, the damaged file and what was done to it.
    """
    source = sound / case.kind
    files = sorted(path for pattern in case.files for path in source.glob(pattern) if path.is_file())
    chosen = draw.choice(files)
    for path in source.rglob("*"):
        copy = folder / path.relative_to(source)
        if path.is_dir():
            copy.mkdir(parents=True, exist_ok=True)
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path == chosen or "exp_run" in path.parts:  # what programs write is not linked
            copy.write_bytes(path.read_bytes())
        else:
            copy.symlink_to(path)
    (folder / "sound").symlink_to(sound)
    file = folder / chosen.relative_to(source)
    done = damage(draw, file)
    if case.given and os.path.lexists(file) and draw.random() < 0.1:
        file = rename(draw, file)
        done += f", named {file.name!r}"
    return case.command(folder, file, draw), file, done
