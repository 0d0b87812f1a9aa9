"""Fields of the seven data sets that are missing or wrong: which record an error names, or what is counted."""

import re

import numpy as np
import pytest

from lib.datasets.registry import dataset_class
from lib.settings.reading import merge
from tests.support.files.damaged_files import MISSING, mesh_model

NAN = float("nan")
FIRST = ("annotations", 0)
IMAGE = ("images", 0)
POSE71 = [0.1] * 71
JOINTS16 = [[0.0, 1.0, 2.0]] * 16

# data set -> (file, keys, value, words after the file's name); the records are the first ones of the tiny set
ERRORS = {
    "Human36M": [
        ("subject9_data.json", (*IMAGE, "subject"), MISSING, "image 60 has no subject"),
        ("subject9_data.json", (*IMAGE, "subject"), 11, "image 60 is of subject 11, expected 9"),
        ("subject9_data.json", (*IMAGE, "cam_idx"), MISSING, "image 60 has no cam_idx"),
        ("subject9_camera.json", ("1",), MISSING, "for cam_idx of image 60, the file has no 1"),
        ("subject9_camera.json", ("1", "R"), MISSING, "camera 1 has no R"),
        ("subject9_camera.json", ("1", "R"), [1] * 8, "annotation 60 (image 60): cam_R has the shape (8,)"),
        ("subject9_camera.json", ("1", "f"), [1.0, NAN], "annotation 60 (image 60): focal holds values"),
        ("subject9_joint_3d.json", ("7", "1", "0"), MISSING, "annotation 60 has no 7.1.0"),
        ("subject9_joint_3d.json", ("7", "1", "0"), JOINTS16, "(image 60): joint_cam has the shape (16, 3)"),
        ("subject9_joint_3d.json", ("7", "1", "0"), np.zeros((3, 17)).tolist(), "joint_cam has the shape (3, 17)"),
        ("subject9_joint_3d.json", ("7", "1", "0", 4, 1), NAN, "annotation 60 (image 60): joint_cam holds values"),
        ("subject9_smpl_param.json", ("7",), [], "looking for annotation 60: expected a dict"),
        ("subject9_smpl_param.json", ("7", "1", "0", "pose"), POSE71, "(image 60): pose has the shape (71,)"),
        ("subject9_smpl_param.json", ("7", "1", "0", "trans"), None, "annotation 60 (image 60): trans has the shape"),
        ("subject9_data.json", (*IMAGE, "frame_idx"), "0", "image 60 has the frame_idx '0', expected a whole number"),
        ("subject9_data.json", (*IMAGE, "action_idx"), 1.5, "image 60 has the action_idx 1.5"),
        ("subject9_data.json", (*IMAGE, "file_name"), "s_09_act_17_x.jpg", "action 17, expected 2 to 16"),
        ("subject9_data.json", (*IMAGE, "file_name"), "\ud800.jpg", "image 60 has the file_name '\\ud800.jpg'"),
    ],
    "MuCo": [
        ("MuCo-3DHP.json", (*IMAGE, "f"), MISSING, "image 0 has no f"),
        ("MuCo-3DHP.json", (*FIRST, "keypoints_cam"), MISSING, "annotation 0 has no keypoints_cam"),
        ("MuCo-3DHP.json", (*FIRST, "keypoints_cam"), {}, "annotation 0: keypoints_cam is not numeric (21, 3)"),
        ("MuCo-3DHP.json", (*FIRST, "keypoints_cam", 14, 2), NAN, "annotation 0: keypoints_cam holds NaN"),
        ("smpl_param.json", ("0", "shape"), [0] * 9, "annotation 0 (image 0): betas has the shape (9,)"),
        ("smpl_param.json", ("0", "pose"), "zero", "annotation 0 (image 0): pose is not numeric"),
        ("smpl_param.json", ("0", "pose", 3), None, "annotation 0 (image 0): pose holds values that are missing"),
        ("smpl_param.json", ("0", "pose", 3), 10**400, "annotation 0 (image 0): pose is too large"),
        ("smpl_param.json", ("0", "pose", 3), float("inf"), "annotation 0 (image 0): pose holds values"),
    ],
    "COCO": [
        ("train2017.json", (*FIRST, "iscrowd"), MISSING, "annotation 1000 has no iscrowd"),
        ("train2017.json", (*FIRST, "num_keypoints"), "3", "annotation 1000 has the num_keypoints '3'"),
        ("train2017.json", (*FIRST, "keypoints"), [1] * 50, "(image 100): keypoints has the shape (50,)"),
        ("smplify_train.json", ("1000",), 7, "annotation 1000 has no cam_param.s"),
        ("smplify_train.json", ("1000", "smpl_param"), MISSING, "annotation 1000 has no smpl_param"),
        ("smplify_train.json", ("1000", "cam_param"), MISSING, "annotation 1000 has no cam_param.s"),
        ("smplify_train.json", ("1000", "cam_param", "s"), [1, 2, 3], "annotation 1000: cam_param must be one or two"),
        ("smplify_train.json", ("1000", "cam_param", "s"), "big", "annotation 1000 (image 100): weak is not numeric"),
        ("smplify_train.json", ("1000", "cam_param", "t"), NAN, "annotation 1000: cam_param must be one or two"),
    ],
    "PW3D": [
        ("test.json", (*IMAGE, "cam_param"), MISSING, "image 0 has no cam_param.focal"),
        ("test.json", (*IMAGE, "sequence"), 5, "image 0 has the sequence 5, expected text"),
        ("test.json", (*FIRST, "person_id"), "0", "annotation 0 has the person_id '0'"),
        ("test.json", (*FIRST, "smpl_param", "gender"), "m", "annotation 0 has the gender 'm', expected one of"),
        ("test.json", (*FIRST, "smpl_param", "gender"), MISSING, "annotation 0 has no gender"),
        ("test.json", (*FIRST, "smpl_param", "trans"), [0, 0], "annotation 0 (image 0): trans has the shape (2,)"),
    ],
    "SURREAL": [
        ("val.json", (*IMAGE, "cam_param", "focal"), [600], "focal has the shape (1,), expected (2,)"),
        ("val.json", (*FIRST, "smpl_param"), None, "annotation 1000 has no pose"),
        ("val.json", (*FIRST, "smpl_param", "gender"), ["male"], "annotation 1000 has the gender ['male']"),
    ],
    "FreiHAND": [
        ("coco.json", (*IMAGE, "db_idx"), MISSING, "has no db_idx"),
        ("coco.json", (*IMAGE, "db_idx"), 77, "has no 77"),
        ("train_data.json", ("0", "mano_param"), MISSING, "annotation 200 has no mano_param"),
        ("train_data.json", ("0", "mano_param", "pose"), [0] * 45, "pose has the shape (45,), expected (48,)"),
        ("train_data.json", ("0", "cam_param", "t"), MISSING, "annotation 200 has no cam_param.t"),
    ],
}  # fmt: skip
CASES = [(name, *case) for name, cases in ERRORS.items() for case in cases]


def case_id(value) -> str:
    value = "missing" if value is MISSING else value  # an address would be another one in each process
    return value if isinstance(value, str) and value in ERRORS else "-".join(re.findall(r"\w+", str(value)))[-20:]


@pytest.mark.parametrize("name, file, keys, value, words", CASES, ids=case_id)
def test_errors_name_file_and_record(damaged, name, file, keys, value, words):
    data = damaged(name)
    data.put(file, keys, value)
    with pytest.raises(ValueError) as error:
        data.build()
    message = str(error.value)
    named = data.file(file)
    assert message.startswith(str(named)) or (value == 77 and "freihand_train_data.json" in message), message
    assert words in message


def test_evaluation_hands_without_scale(damaged):
    data = damaged("FreiHAND", "test")
    data.put("eval_data.json", ("3", "scale"), MISSING)
    with pytest.raises(ValueError, match="eval_data.json: annotation 203 has no scale"):
        data.build()


SKIPPED = [
    ("Human36M", "subject9_smpl_param.json", ("7", "1"), MISSING, "2 without", "4 without an SMPL fit"),
    ("Human36M", "subject9_smpl_param.json", ("7", "1", "0"), None, "2 without", "4 without an SMPL fit"),
    ("MuCo", "smpl_param.json", ("0",), MISSING, "1 without", "2 without an SMPL fit"),
    ("MuCo", "smpl_param.json", ("0", "pose", 5), NAN, "1 with NaN", "2 with NaN in the SMPL fit"),
    ("COCO", "train2017.json", (*FIRST, "iscrowd"), 1, "1 marked", "2 marked as crowd"),
    ("COCO", "train2017.json", (*FIRST, "num_keypoints"), 0, "1 without keypoints", "2 without keypoints"),
    ("COCO", "smplify_train.json", ("1000",), MISSING, "1 without an SMPL", "2 without an SMPL fit"),
]


@pytest.mark.parametrize("name, file, keys, value, before, after", SKIPPED, ids=case_id)
def test_left_out_as_published_and_counted_in_one_line(damaged, capsys, name, file, keys, value, before, after):
    data = damaged(name)
    capsys.readouterr()
    sound = data.build()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{name} {data.mode}: {len(sound)} samples; left out: ")
    assert before in line
    data.put(file, keys, value)
    left = data.build()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{name} {data.mode}: {len(left)} samples; left out: ")
    assert len(left) < len(sound)
    assert after in line


def test_what_was_left_out_is_told_from_the_cache_too(damaged, capsys):
    data = damaged("COCO")
    data.settings["cache"] = "cache"
    data.build()
    first = capsys.readouterr().out.splitlines()[-1]
    assert data.build().records.folder is not None
    assert capsys.readouterr().out.splitlines() == [first]


def test_names_in_any_alphabet(damaged):
    data = damaged("PW3D")
    data.put("test.json", (*IMAGE, "sequence"), "straße_日本")
    names = [name.decode() for name in data.build().records["image"]]
    assert "straße_日本/image_00000.jpg" in names


def test_numbers_written_in_another_layout(damaged):
    data = damaged("MuCo")
    sound = data.build()
    data.put("smpl_param.json", ("0", "pose"), lambda pose: np.reshape(pose, (24, 3)).tolist())  # only this one
    data.put("smpl_param.json", ("1", "trans"), lambda trans: [trans])
    data.put("MuCo-3DHP.json", (*IMAGE, "id"), float)
    data.put("MuCo-3DHP.json", (*FIRST, "id"), float)
    found = data.build().records
    for column in ("pose", "trans", "image_id", "annotation_id"):
        assert (found[column] == sound.records[column]).all(), column


AMASS_DAMAGE = {
    "truncated": (lambda arrays, raw: raw[: len(raw) // 2], "cannot be read"),
    "empty": (lambda arrays, raw: b"", "is no NumPy file; expected an AMASS file"),
    "no archive": (lambda arrays, raw: b"poses", "is no NumPy file"),
    "key": (lambda arrays, raw: arrays | {"dmpls": None}, "has no dmpls, only poses,"),
    "keys": (lambda arrays, raw: arrays | {"poses": None, "betas": None}, "has no poses, betas, only"),
    "nan": (lambda arrays, raw: arrays | {"poses": arrays["poses"] * NAN}, "not finite"),
    "columns": (lambda arrays, raw: arrays | {"poses": arrays["poses"][:, :66]}, "poses must be numbers"),
    "one axis": (lambda arrays, raw: arrays | {"poses": arrays["poses"][0]}, "poses must be numbers"),
    "no axis": (lambda arrays, raw: arrays | {"poses": np.array(1.0)}, "poses must be numbers"),
    "text": (lambda arrays, raw: arrays | {"poses": arrays["poses"].astype(str)}, "poses must be numbers"),
    "shape": (lambda arrays, raw: arrays | {"betas": arrays["betas"][:9]}, "betas (>= 10,)"),
    "pickle": (lambda arrays, raw: arrays | {"poses": np.array([{}], dtype=object)}, "holds Python objects"),
}


def write(path, content) -> None:
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **{key: value for key, value in content.items() if value is not None})


@pytest.mark.parametrize("kind", AMASS_DAMAGE)
def test_damaged_motion_files_are_named(damaged, kind):
    data = damaged("AMASS")
    path = data.files[1]
    damage, words = AMASS_DAMAGE[kind]
    raw = path.read_bytes()
    with np.load(path) as arrays:
        write(path, damage(dict(arrays), raw))
    with pytest.raises(ValueError) as error:
        data.build()
    assert str(error.value).startswith(str(path))
    assert str(error.value).count(str(path)) == 1
    assert words in str(error.value)


def test_motion_files_without_frames_are_counted(damaged, capsys):
    data = damaged("AMASS")
    sound = data.build()
    for number, path in enumerate(data.files):
        with np.load(path) as arrays:
            write(path, dict(arrays) | {"poses": arrays["poses"][:0]})
        if number == 0:
            assert len(data.build()) < len(sound)
            assert "left out: 1 clip(s) without frames" in capsys.readouterr().out
    with pytest.raises(ValueError, match="no sample is left .left out: 3 clips without frames"):
        data.build()


def test_amass_without_files_says_where_it_looked(tiny_root, tmp_path):
    (tmp_path / "data" / "AMASS" / "data" / "CMU" / "01").mkdir(parents=True)
    cfg = merge({"MODEL": {"name": "posenet"}})
    with pytest.raises(FileNotFoundError, match="poses.npz"):
        dataset_class("AMASS")("train", cfg, model=mesh_model(tiny_root, "body"), root=tmp_path)
