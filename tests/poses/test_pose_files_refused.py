"""Files in a wrong layout are refused with the layout that was expected and what was found."""

from pathlib import Path

import numpy as np
import pytest

from lib.poses import read_poses
from lib.poses.readers import JSON_FORMATS
from tests.helpers import ROOT
from tests.support.files import pose_files as files

POSES = files.people(2)
CONTENTS = {
    "openpose": files.openpose(files.people(1, 25)),
    "coco_results": files.coco_results({1: POSES}),
    "coco_annotations": files.coco_annotations(POSES),
    "alphapose": files.alphapose({"a.jpg": POSES}),
    "mmpose": files.mmpose_instances(POSES),
    "mediapipe": [files.mediapipe_landmarks(files.people(1, 33)[0])],
    "demo": {"a.jpg": POSES.tolist()},
}


@pytest.mark.parametrize("named", JSON_FORMATS)
@pytest.mark.parametrize("content", CONTENTS)
def test_a_named_format_reads_its_own_layout_only(tmp_path, named, content):
    path = files.write(tmp_path / "a.json", CONTENTS[content])
    if named == content:
        assert read_poses(path, named, image_size=files.SIZE).person_count
        return
    with pytest.raises(ValueError) as refused:
        read_poses(path, named, image_size=files.SIZE)
    message = str(refused.value)
    assert JSON_FORMATS[named].layout in message
    assert f"looks like {content}" in message
    assert "a dict with the keys" in message or "a list of" in message


@pytest.mark.parametrize("content", [{}, [1, 2], {"a": {"b": 1}}, 5, "text", [[]], None])
def test_unknown_content_names_all_layouts_in_one_line(tmp_path, content):
    with pytest.raises(ValueError, match="known layouts") as refused:
        read_poses(files.write(tmp_path / "a.json", content))
    described = (ROOT / "lib" / "poses" / "README.md").read_text(encoding="utf-8")
    assert all(name in str(refused.value) and f"`{name}`" in described for name in JSON_FORMATS)
    assert "lib/poses/README.md" in str(refused.value)
    assert len(str(refused.value)) < 500


DAMAGED = {
    "openpose": ({"people": [{"pose_keypoints_2d": [1.0] * 74}]}, r"person 0, pose_keypoints_2d .*\(74,\)"),
    "openpose mpi": (files.openpose(files.people(1, 20)), "20 joints, which no known source of a body has"),
    "openpose person": ({"people": [{"face": []}]}, "person 0 is a dict with the keys face, without pose_keypoints_2d"),
    "coco_results": ([{"image_id": 1, "keypoints": [1.0] * 50}], r"entry 0, keypoints holds numbers of shape \(50,\)"),
    "second entry": ([*files.coco_results({1: POSES}), {"image_id": 2}], "entry 2 is a dict with the keys image_id"),
    "coco_annotations": ({"images": [{"id": 1}], "annotations": []}, "'file_name' is missing"),
    "alphapose": ([{"image_id": "a.jpg", "keypoints": ["x"] * 51}], "something else than numbers"),
    "alphapose form": ({"a.jpg": {"people": [{"joints": [1]}]}}, "without pose_keypoints_2d"),
    "mmpose": ([{"keypoints": [[1, 2]] * 17, "keypoint_scores": [1.0] * 16}], r"shape \(16,\)"),
    "mmpose frame": ({"instance_info": [{"frame_id": 0}]}, "frame 0 is a dict with the keys frame_id"),
    "mediapipe": ([{"x": 0.1, "y": 0.1}] * 30, "30 joints, which no known source of a body has"),
    "mediapipe mark": ([{"x": 0.1, "y": 0.1}] * 20 + [{"z": 1}], "person 0 is a list of 21"),
    "demo": ({"a.jpg": [[[1, 2]] * 17]}, r"person 0 has shape \(17, 2\)"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_records_are_named_with_the_layout(tmp_path, case):
    content, message = DAMAGED[case]
    with pytest.raises(ValueError, match=message) as refused:
        read_poses(files.write(tmp_path / "a.json", content), image_size=files.SIZE)
    assert "expected" in str(refused.value) or "known:" in str(refused.value)
    assert "a.json" in str(refused.value)


@pytest.mark.parametrize("shape", [(3, 17), (17,), (17, 5), (2, 2, 2, 17, 3), (0, 17, 3)])
def test_arrays_of_other_shapes(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.ones(shape))
    with pytest.raises(ValueError, match=r"expected .*\(T, N, J, 2 or 3\)"):
        read_poses(tmp_path / "a.npy")


def test_array_problems(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="holds a list of 1, the first a dict .* none of the known layouts"):
        read_poses(path)
    np.save(path, np.array([Path("a")], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="it asks for pathlib.* the file was not executed"):
        read_poses(path)
    np.save(path, files.people(1))
    with pytest.raises(ValueError, match="coco17 or human36; name the joints with --format"):
        read_poses(path)
    with pytest.raises(ValueError, match="17 joints; halpe26 has 26"):
        read_poses(path, "halpe26")
    np.save(path, files.people(1, 20))
    with pytest.raises(ValueError, match="20 joints, which no known source"):
        read_poses(path)
    with pytest.raises(ValueError, match="human36 has 17 in this order: 0 Pelvis, 1 R_Hip"):
        read_poses(path, joint_set="human36")
    np.savez(tmp_path / "a.npz", first=np.ones(3), second=np.ones(3))
    with pytest.raises(ValueError, match="has no poses, only first, second; .* one of poses, keypoints"):
        read_poses(tmp_path / "a.npz")


def test_fractions_need_the_image_size(tmp_path):
    path = files.write(tmp_path / "a.json", CONTENTS["mediapipe"])
    with pytest.raises(ValueError, match="fractions of the image .* give the image itself"):
        read_poses(path)


def test_paths_and_names(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.json not found"):
        read_poses(tmp_path / "gone.json")
    with pytest.raises(ValueError, match=r"has no \.json files; expected OpenPose"):
        read_poses(tmp_path)
    with pytest.raises(ValueError, match="a folder is read frame by frame"):
        read_poses(tmp_path, "alphapose")
    with pytest.raises(ValueError, match="unknown format 'detectron'; choose a file format, npy, .* or the joints"):
        read_poses(tmp_path, "detectron")
    (tmp_path / "cut.json").write_text('{"people": [')
    with pytest.raises(ValueError, match="not valid JSON"):
        read_poses(tmp_path / "cut.json")
    with pytest.raises(ValueError, match="holds no people"):
        read_poses(files.write(tmp_path / "empty.json", {"version": 1.3, "people": []}))
