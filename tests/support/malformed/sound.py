"""Sound inputs of every reader, to be damaged: one folder per kind."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import yaml

from lib import ROOT
from tests.support.files import pose_files
from tests.support.files.bvh_clips import cmu_text

OPEN_BODY = ROOT / "asset" / "open_body" / "open_body_1723.npz"
WIDTH, HEIGHT = 56, 40
# data set -> input joints, target joints, data sets of training and tests, body
DATA = {
    "Human36M": ("human36", "human36", ("Human36M", "Human36M"), "smpl"),
    "MuCo": ("coco", "human36", ("MuCo", "PW3D"), "smpl"),
    "COCO": ("coco", "human36", ("COCO", "PW3D"), "smpl"),
    "PW3D": ("coco", "human36", ("COCO", "PW3D"), "smpl"),
    "AMASS": ("coco", "human36", ("AMASS", "PW3D"), "smpl"),
    "SURREAL": ("smpl", "smpl", ("SURREAL", "SURREAL"), "smpl"),
    "FreiHAND": ("mano", "mano", ("FreiHAND", "FreiHAND"), "mano"),
}


def _json(path: Path, content) -> None:
    path.write_text(json.dumps(content))


def poses(folder: Path) -> None:
    """A file per layout."""
    scene = pose_files.people()
    _json(folder / "coco_annotations.json", pose_files.coco_annotations(scene))
    _json(folder / "openpose.json", pose_files.openpose(pose_files.people(joints=25)))
    _json(folder / "alphapose.json", pose_files.alphapose({"a.jpg": scene, "b.jpg": scene}, tracks=True))
    _json(folder / "coco_results.json", pose_files.coco_results({1: scene, 2: scene}))
    _json(folder / "mmpose.json", pose_files.mmpose_instances(scene))
    frames = [{"frame_id": number, "instances": pose_files.mmpose_instances(scene, tracks=True)} for number in (0, 1)]
    _json(folder / "mmpose_video.json", {"meta_info": {}, "instance_info": frames})
    _json(folder / "mediapipe.json", [pose_files.mediapipe_landmarks(pose_files.people(1, 33)[0])])
    _json(folder / "demo.json", {"a.jpg": scene.tolist(), "b.jpg": scene.tolist()})
    sample = np.load(ROOT / "demo" / "sample_pose_coco.npy").astype(np.float32)
    np.save(folder / "one.npy", sample)
    np.save(folder / "video.npy", np.stack([sample, sample + 3])[:, None])
    np.savez(folder / "scores.npz", keypoints=sample[None, :, :2], scores=np.ones((1, 17)))
    np.save(folder / "three.npy", np.random.default_rng(0).normal(0, 300, (19, 3)))
    (folder / "frames").mkdir()
    for number in range(3):
        _json(folder / "frames" / f"v_{number:012d}_keypoints.json", pose_files.openpose(pose_files.people(joints=25)))


def pictures(folder: Path) -> None:
    """A picture per format, a folder of them, films; a pose inside."""
    image = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    for ending in ("png", "jpg", "bmp", "webp", "tif", "gif"):
        if ending != "gif":
            cv2.imwrite(str(folder / f"image.{ending}"), image)
    (folder / "photos").mkdir()
    for name in ("a.jpg", "b.jpg"):
        cv2.imwrite(str(folder / "photos" / name), image)
    for name, code in (("film.mp4", "mp4v"), ("film.avi", "MJPG")):
        film = cv2.VideoWriter(str(folder / name), cv2.VideoWriter_fourcc(*code), 10, (WIDTH, HEIGHT))
        for _ in range(4):
            film.write(image)
        film.release()
    pose = np.random.default_rng(1).uniform((4, 4), (WIDTH - 4, HEIGHT - 4), (17, 2))
    np.save(folder / "pose.npy", pose)
    _json(folder / "photos.json", {name: [np.c_[pose, np.ones(17)].tolist()] for name in ("a.jpg", "b.jpg")})
    np.save(folder / "video.npy", np.stack([pose, pose])[:, None])


def joint_sets(folder: Path) -> None:
    shutil.copyfile(ROOT / "asset" / "joint_sets" / "body25.yml", folder / "set.yml")
    shutil.copyfile(ROOT / "demo" / "sample_pose_coco.npy", folder / "pose.npy")
    matrix = np.zeros((2, 1723), np.float32)
    matrix[0, :4], matrix[1, 900:902] = 0.25, 0.5
    np.save(folder / "matrix.npy", matrix)
    own = {"name": "own", "body": "body", "mesh": "open_1723", "regressor": "matrix.npy", "root": "c",
           "joints": {"a": None, "b": None, "c": "coco.Nose", "d": {"vertices": [5, 6], "weights": [0.5, 0.5]},
                      "e": {"mean": ["a", "c"]}, "f": {"regressor": "matrix.npy", "row": 1}},
           "bones": [["a", "b"], ["b", "c"], ["c", "d"], ["d", "e"], ["e", "f"]], "flip_pairs": [["a",
           "b"]]}  # fmt: skip
    (folder / "own.yml").write_text(yaml.safe_dump(own, sort_keys=False))


def _settings(name: str, sets: tuple[str, str], joints: tuple[str, str], body: str, **model) -> dict:
    return {
        "DATASET": {"train_list": [sets[0]], "test_list": [sets[1]], "input_joint_set": joints[0], "workers": 0,
        "cache": "",
                    "target_joint_set": joints[1], "use_gt_input": False},
        "MODEL": {"name": name, "body": body, "posenet_width": 16, **model},
        "TRAIN": {"batch_size": 4, "end_epoch": 2, "optimizer": "adam", "lr": 0.001},
        "SYNTHETIC": {"samples_per_epoch": 8, "test_samples": 8},
        "TEST": {"batch_size": 8},
    }  # fmt: skip


def settings(folder: Path) -> None:
    """A settings file with a base, a joint set file and motion files."""
    content = _settings("posenet", ("Synthetic", "Synthetic"), ("set.yml", "set.yml"), "open_1723")
    content["DATASET"]["input_joint_set"] = content["DATASET"]["target_joint_set"] = "mano"
    content["MODEL"]["body"] = "open_hand"
    (folder / "base.yml").write_text(yaml.safe_dump(content))
    (folder / "train.yml").write_text(
        yaml.safe_dump({"base": "base.yml", "TRAIN": {"lr": 0.01}, "AUG": {"flip": False}})
    )
    whole = _settings("posenet", ("Synthetic", "Synthetic"), ("coco", "coco"), "open_1723")
    (folder / "whole.yml").write_text(yaml.safe_dump(whole))
    whole["SYNTHETIC"] |= {"motion": [], "prior_share": 0.0}
    (folder / "motion.yml").write_text(yaml.safe_dump(whole))
    draw = np.random.default_rng(0)
    arrays = {"poses": draw.normal(0, 0.2, (60, 156)), "betas": np.zeros(16), "dmpls": np.zeros((60, 8))}
    np.savez(folder / "walk_poses.npz", **arrays, trans=np.zeros((60, 3)), gender="neutral", mocap_framerate=60.0)


def weights(folder: Path) -> None:
    """Checkpoints: of a whole network, of the original release; a run that can be resumed."""
    import torch

    from tests.support.demo_inputs import write_weights
    from tests.support.files.checkpoint_files import original
    from tests.support.kill_points import settings as hand_settings
    from tests.support.kill_points import train_here

    write_weights(folder / "final.pth.tar", "coco", "open_1723")
    shutil.copyfile(original("legacy2020"), folder / "legacy.pth.tar")
    shutil.copyfile(ROOT / "demo" / "sample_pose_coco.npy", folder / "pose.npy")
    content = hand_settings("posenet")
    (folder / "hand.yml").write_text(yaml.safe_dump(content))
    train_here(folder / "hand.yml", folder / "experiment")
    (run,) = (folder / "experiment").glob("exp_*")
    run.rename(folder / "experiment" / "exp_run")
    assert torch.load(folder / "final.pth.tar", weights_only=True)["graph"]


def bodies(folder: Path) -> None:
    """The open body as an archive and as a pickle; weights and a pose for it."""
    import pickle

    from tests.support.demo_inputs import write_weights

    shutil.copyfile(OPEN_BODY, folder / "body.npz")
    with np.load(OPEN_BODY) as arrays:
        (folder / "body.pkl").write_bytes(pickle.dumps({name: arrays[name] for name in arrays.files}, protocol=2))
    shutil.copyfile(ROOT / "demo" / "sample_pose_coco.npy", folder / "pose.npy")
    write_weights(folder / "final.pth.tar", "coco", "open_1723")


def root(folder: Path) -> None:
    """A root with every data set, stand-ins for licensed models, weights, saved predictions."""
    from data.tiny import write_tiny
    from lib.datasets.registry import dataset_class
    from lib.evaluation.predictions import PredictionWriter, identity, prediction_info
    from lib.settings.reading import merge
    from tests.support.demo_inputs import write_weights

    write_tiny(folder, samples=4)
    for name, (joints, target, sets, body) in DATA.items():
        content = _settings("posenet", sets, (joints, target), body)
        (folder / f"{name}.yml").write_text(yaml.safe_dump(content))
    write_weights(folder / "experiment" / "shared" / "final.pth.tar", "coco", "open_1723")
    for stage in ("posenet", "pose2mesh_net"):
        content = _settings(stage, ("FreiHAND", "FreiHAND"), ("mano", "mano"), "mano")
        (folder / f"{stage}.yml").write_text(yaml.safe_dump(content))
        cfg = merge(content)
        hands = dataset_class("FreiHAND")("test", cfg, root=folder)
        writer = PredictionWriter(folder / "saved" / stage, prediction_info(hands, cfg), identity(hands))
        import torch

        draw = torch.Generator().manual_seed(0)
        points = {"joints": 21} | ({"mesh": 778} if stage == "pose2mesh_net" else {})
        made = {key: 50 * torch.randn(len(hands), count, 3, generator=draw) for key, count in points.items()}
        writer.add(made, None, np.arange(len(hands)))
        writer.close(complete=True)
        arrays = {file.stem: np.load(file) for file in (folder / "saved" / stage).glob("*.npy")}
        np.savez(folder / "saved" / f"{stage}.npz", **arrays)


def conversions(folder: Path) -> None:
    """What the converters and the regressor's fit take."""
    draw = np.random.default_rng(0)
    text = cmu_text({"LeftArm": draw.uniform(-20, 20, (8, 3))}, frames=8)
    (folder / "clips").mkdir()
    (folder / "clips" / "01_01.bvh").write_text(text)
    (folder / "clips" / "02_01.bvh.gz").write_bytes(gzip.compress(text.encode()))
    (folder / "index.csv").write_text("file,subject\n01_01.bvh,01\n02_01.bvh.gz,02\n")
    shutil.copyfile(OPEN_BODY, folder / "body.npz")
    vertices = draw.normal(size=(6, 60, 3))
    np.savez(folder / "pairs.npz", vertices=vertices, joints=vertices[:, :3] * 0.5 + vertices[:, 3:6] * 0.5)


KINDS: dict[str, Callable[[Path], None]] = {
    "poses": poses,
    "pictures": pictures,
    "joint_sets": joint_sets,
    "settings": settings,
    "weights": weights,
    "bodies": bodies,
    "root": root,
    "conversions": conversions,
}
