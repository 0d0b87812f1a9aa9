"""3DPW sequence files to annotation files: counts, ids, cameras by independent formulas, boxes, damaged input."""

import importlib.util
import json
import pickle

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from data.convert.pw3d import Converter, camera_smpl, joint_boxes
from data.convert.pw3d_sequences import SEQUENCES, read_sequence
from data.tiny import write_tiny
from lib.body.lbs import BodyParams, lbs
from lib.mesh.mesh_model import load_mesh_model
from tests.helpers import ROOT

WIDTH, HEIGHT = 1080, 1920
FRAMES = 3


@pytest.fixture(scope="module")
def neutral():
    return BodyParams.from_arrays(load_mesh_model("body", "open_1723").arrays(), dtype=torch.float64)


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("pw3d2coco", ROOT / "data" / "3dpw2coco.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def sequence(name="flat_guitar_01", genders=("f", "m"), seed=0, frames=FRAMES, depth=4.0):
    """The content of a sequence file with random numbers; joints about ``depth`` metres before the camera."""
    rng = np.random.default_rng(seed)
    cameras = np.tile(np.eye(4), (frames, 1, 1))
    cameras[:, :3, :3] = Rotation.random(frames, random_state=seed).as_matrix()
    cameras[:, :3, 3] = (0.1, -0.2, depth)
    count = len(genders)
    return {
        "sequence": name,
        "cam_poses": cameras,
        "cam_intrinsics": np.array([[1960.0, 0, 540.0], [0, 1970.0, 960.0], [0, 0, 1]]),
        "genders": list(genders),
        "betas": [rng.normal(size=10 if person % 2 else 300) for person in range(count)],
        "poses": [rng.normal(0, 0.4, (frames, 72)) for _ in range(count)],
        "trans": [rng.normal(0, 0.2, (frames, 3)) for _ in range(count)],
        "jointPositions": [rng.normal(0, 0.3, (frames, 72)) for _ in range(count)],
        "campose_valid": [np.ones(frames, dtype=int) for _ in range(count)],
        "poses2d": [rng.normal(500, 100, (frames, 3, 18)) for _ in range(count)],
        "texture_maps": [np.zeros((2, 2)), np.zeros(3), None],  # not read, may be anything
    }


def convert(tmp_path, content, neutral, size=(WIDTH, HEIGHT)):
    path = tmp_path / "sequence.pkl"
    path.write_bytes(pickle.dumps(content, protocol=2))
    return Converter(neutral)(read_sequence(path), size)


def test_every_frame_is_an_image_and_every_valid_person_an_annotation(tmp_path, neutral):
    content = sequence()
    content["campose_valid"][1][1] = 0
    images, annotations = convert(tmp_path, content, neutral)
    assert [image["id"] for image in images] == [0, 1, 2]
    assert [image["file_name"] for image in images] == [f"image_0000{frame}.jpg" for frame in range(3)]
    assert [(image["frame_idx"], image["width"], image["height"]) for image in images] == [
        (frame, WIDTH, HEIGHT) for frame in range(3)
    ]
    assert [(a["id"], a["image_id"], a["person_id"]) for a in annotations] == [
        (0, 0, 0),
        (1, 0, 1),
        (2, 1, 0),
        (3, 2, 0),
        (4, 2, 1),
    ]
    assert [a["smpl_param"]["gender"] for a in annotations] == ["female", "male", "female", "female", "male"]
    assert all(len(a["smpl_param"]["shape"]) == 10 for a in annotations)
    assert all(a["smpl_param"]["shape"].tolist() == content["betas"][a["person_id"]][:10].tolist() for a in annotations)


def test_cameras_and_joints(tmp_path, neutral):
    content = sequence()
    images, annotations = convert(tmp_path, content, neutral)
    for annotation in annotations:
        frame, person = annotation["image_id"], annotation["person_id"]
        camera, K = content["cam_poses"][frame], content["cam_intrinsics"]
        points = np.c_[content["jointPositions"][person][frame].reshape(24, 3), np.ones(24)] @ camera.T
        np.testing.assert_allclose(annotation["joint_cam"], points[:, :3], atol=1e-12)
        pixels = points[:, :3] @ K.T
        np.testing.assert_allclose(annotation["joint_img"], pixels[:, :2] / pixels[:, 2:], atol=1e-9)
        np.testing.assert_array_equal(annotation["openpose_result"], content["poses2d"][person][frame].T)
        parameters = images[frame]["cam_param"]
        assert parameters["focal"].tolist() == [1960.0, 1970.0]
        assert parameters["princpt"].tolist() == [540.0, 960.0]
        np.testing.assert_array_equal(parameters["R"], camera[:3, :3])
        np.testing.assert_array_equal(parameters["t"], camera[:3, 3])
        turned = Rotation.from_matrix(camera[:3, :3]) * Rotation.from_rotvec(content["poses"][person][frame][:3])
        pose = annotation["smpl_param"]["pose"]
        np.testing.assert_allclose(pose[:3], turned.as_rotvec(), atol=1e-7)
        np.testing.assert_array_equal(pose[3:], content["poses"][person][frame][3:])


def test_smpl_in_the_camera_frame_is_the_moved_body(tmp_path, neutral):
    content = sequence()
    _, annotations = convert(tmp_path, content, neutral)
    for annotation in annotations:
        frame, person = annotation["image_id"], annotation["person_id"]
        betas = torch.from_numpy(content["betas"][person][:10])[None]
        camera = content["cam_poses"][frame]
        vertices, joints = (
            x[0].numpy() for x in lbs(neutral, torch.from_numpy(content["poses"][person][[frame]]), betas)
        )
        world = content["trans"][person][frame]
        smpl = annotation["smpl_param"]
        seen, seen_joints = (x[0].numpy() for x in lbs(neutral, torch.from_numpy(smpl["pose"])[None], betas))
        expected = (vertices + world) @ camera[:3, :3].T + camera[:3, 3]
        np.testing.assert_allclose(seen + smpl["trans"], expected, atol=1e-7)
        expected = (joints + world) @ camera[:3, :3].T + camera[:3, 3]
        np.testing.assert_allclose(seen_joints + smpl["trans"], expected, atol=1e-7)
        np.testing.assert_allclose(annotation["fitted_joint_cam"], expected, atol=1e-7)


def test_translation_formula(neutral):
    rng = np.random.default_rng(3)
    turn = Rotation.from_rotvec([0.3, -1.2, 0.5]).as_matrix()
    camera = np.eye(4)[None]
    camera[0, :3, :3], camera[0, :3, 3] = turn, (0.5, 1.0, 3.0)
    betas, trans = rng.normal(size=10), rng.normal(size=(1, 3))
    root = (neutral.J_regressor @ (neutral.v_template + neutral.shapedirs @ torch.from_numpy(betas)))[0].numpy()
    tensors = (torch.from_numpy(x) for x in (np.zeros((1, 72)), betas, trans, camera))
    _, result = camera_smpl(*tensors, neutral)
    np.testing.assert_allclose(result[0], turn @ trans[0] + camera[0, :3, 3] - root + turn @ root, atol=1e-12)


def test_a_person_without_root_rotation_has_that_of_the_camera(tmp_path, neutral):
    content = sequence(genders=("m",))
    content["poses"][0][:, :3] = 0.0
    _, annotations = convert(tmp_path, content, neutral)
    for annotation, camera in zip(annotations, content["cam_poses"]):
        rotation = Rotation.from_rotvec(annotation["smpl_param"]["pose"][:3]).as_matrix()
        np.testing.assert_allclose(rotation, camera[:3, :3], atol=1e-7)


def test_boxes_hold_the_joints_inside_the_image():
    joints = np.array(
        [[[100, 200], [300, 600], [-50, 300], [1080, 300], [200, 1920]], [[-1, 0], [0, -1]] + 3 * [[-9, -9]]]
    )
    boxes = joint_boxes(joints.astype(float), (WIDTH, HEIGHT))
    # 200 x 400 around (200, 400), 1.2 times as large
    np.testing.assert_allclose(boxes[0], [80, 160, 240, 480])
    assert np.isnan(boxes[1]).all()


def test_people_out_of_the_image_are_dropped_and_use_no_id(tmp_path, neutral):
    content = sequence()
    content["jointPositions"][0][1] += np.tile(content["cam_poses"][1, :3, :3].T @ (50.0, 0, 0), 24)
    _, annotations = convert(tmp_path, content, neutral)
    assert [(a["id"], a["image_id"], a["person_id"]) for a in annotations] == [
        (0, 0, 0),
        (1, 0, 1),
        (2, 1, 1),
        (3, 2, 0),
        (4, 2, 1),
    ]


def test_ids_run_on_across_sequences_and_splits(tmp_path, tiny_root, script, capsys):
    folder = tiny_root / "data/PW3D"
    names = [path.stem for path in folder.glob("sequenceFiles/*/*.pkl")]
    out = tmp_path / "out"
    arguments = ["--root", str(tiny_root), "--output", str(out), "--sequences", *sorted(names)]
    script([*arguments, "--splits", "test", "train"])
    assert capsys.readouterr().out.splitlines() == [
        f"Saved at {out / '3DPW_latest_test.json'}",
        f"Saved at {out / '3DPW_latest_train.json'}",
    ]
    test, train = (json.loads((out / f"3DPW_latest_{split}.json").read_text()) for split in ("test", "train"))
    ids = [image["id"] for image in test["images"] + train["images"]]
    assert ids == list(range(len(ids)))
    ids = [annotation["id"] for annotation in test["annotations"] + train["annotations"]]
    assert ids == list(range(len(ids)))
    assert list(test) == ["images", "annotations"]
    order = list(dict.fromkeys(image["sequence"] for image in test["images"]))
    assert order == [name for name in SEQUENCES["test"] if name in names]
    # alone, a split has the ids of the file that the tiny set brings
    script([*arguments, "--splits", "train"])
    assert json.loads((out / "3DPW_latest_train.json").read_text()) == json.loads(
        (folder / "data/3DPW_latest_train.json").read_text()
    )


def test_sequence_table():
    assert {split: len(names) for split, names in SEQUENCES.items()} == {"train": 24, "validation": 12, "test": 24}
    assert len({name for names in SEQUENCES.values() for name in names}) == 60


def test_missing_files_are_all_named_before_anything_is_written(tmp_path, tiny_root, script):
    out = tmp_path / "out"
    with pytest.raises(FileNotFoundError, match=r"downtown_runForBus_01\.pkl.*downtown_bus_00\.pkl.*virtualhumans"):
        script(["--root", str(tiny_root), "--output", str(out), "--splits", "test"])
    assert not out.exists()
    with pytest.raises(FileNotFoundError, match="no folder of train, validation, test"):
        script(["--root", str(tiny_root), "--input", str(tmp_path / "nowhere")])


def test_image_size_from_the_image_or_the_flag(tmp_path, tiny_root, script):
    write_tiny(tmp_path, samples=2, names=["PW3D"])
    folder = tmp_path / "data/PW3D"
    image = folder / "imageFiles/downtown_walkBridge_01/image_00000.jpg"
    image.write_bytes(b"no image")
    arguments = ["--root", str(tiny_root), "--input", str(folder), "--output", str(tmp_path / "out")]
    arguments += ["--splits", "test", "--sequences", "downtown_walkBridge_01"]
    with pytest.raises(ValueError, match="not an image"):
        script(arguments)
    image.unlink()
    with pytest.raises(FileNotFoundError, match="--image_size"):
        script(arguments)
    script([*arguments, "--image_size", "540", "960"])
    images = json.loads((tmp_path / "out/3DPW_latest_test.json").read_text())["images"]
    assert {(image["width"], image["height"]) for image in images} == {(540, 960)}


def broken(**changes):
    content = sequence()
    for key, value in changes.items():
        if value is None:
            del content[key]
        else:
            content[key] = value
    return content


@pytest.mark.parametrize(
    "content, message",
    [
        (broken(poses2d=None), "no key 'poses2d'"),
        (broken(cam_poses=np.zeros((3, 3))), "'cam_poses' has shape"),
        (broken(genders=["f"]), "too few for person 1"),
        (broken(genders=["f", "x"]), "gender 'x' of person 1"),
        (broken(betas=[np.zeros(5), np.zeros(10)]), "5 betas of person 0"),
        (broken(trans=[np.full((FRAMES, 3), np.nan)] * 2), "trans of person 0 in frame 0"),
        (broken(poses=[np.zeros((2, 72))] * 2), "'poses' has shape"),
        ([1, 2], "does not hold a dict"),
    ],
)
def test_damaged_sequences_are_named(tmp_path, content, message):
    path = tmp_path / "flat_guitar_01.pkl"
    path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(ValueError, match=message) as error:
        read_sequence(path)
    assert str(path) in str(error.value)


def test_numbers_that_are_not_used_need_not_be_finite(tmp_path, neutral):
    content = sequence()
    for person in range(2):
        content["campose_valid"][person][0] = 0
        content["trans"][person][0] = np.nan
    _, annotations = convert(tmp_path, content, neutral)
    assert {annotation["image_id"] for annotation in annotations} == {1, 2}


class Evil:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize("data", [pickle.dumps(sequence(), 2)[:500], b"", pickle.dumps({"poses": Evil()})])
def test_truncated_or_hostile_sequences(tmp_path, data, capsys):
    path = tmp_path / "flat_guitar_01.pkl"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="flat_guitar_01.pkl is not a 3DPW sequence file"):
        read_sequence(path)
    assert "executed" not in capsys.readouterr().out
