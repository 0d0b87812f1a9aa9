"""What is no person's pose, or cannot be told, is refused or left out, and said: nothing is read wrong in silence."""

import json

import numpy as np
import pytest

from lib.poses import read_poses
from tests.poses.test_pose_variants import FILM, HUMAN36, NAMES, both, flat, fractions, mmpose, pose, ultralytics


def coco(images, annotations, categories) -> dict:
    return {
        "images": [{"id": number, "file_name": name} for number, name in images],
        "annotations": [
            {"id": number, "image_id": image, "category_id": kind, "keypoints": flat(joints)}
            for number, image, kind, joints in annotations
        ],
        "categories": [{"id": number, "name": name, "keypoints": joints} for number, name, joints in categories],
    }


def signed(joints) -> dict:
    """OpenPose's, in fractions from -1 to 1."""
    middle = fractions(joints) * (2, 2, 1) - (1, 1, 0)
    person = {"pose_keypoints_2d": flat(np.insert(middle, 1, (middle[5] + middle[6]) / 2, axis=0)[ORDER])}
    return {"people": [person]}


ORDER = [0, 1, 7, 9, 11, 6, 8, 10, 13, 15, 17, 12, 14, 16, 3, 2, 5, 4]
PAWS = ["L_F_Paw", *NAMES[1:]]
REFUSED = {
    "animals by data set": (
        {"meta_info": {"dataset_name": "ap10k"}, "instance_info": [mmpose(pose())]},
        "of ap10k, not",
    ),
    "animals by joints": (
        {
            "meta_info": {"keypoint_name2id": {name: k for k, name in enumerate(PAWS)}},
            "instance_info": [mmpose(pose())],
        },
        "not a person's .*L_F_Paw",
    ),
    "a dog": ([ultralytics(pose(), name="dog") | {"name": "dog"}], "holds no people.*1 dog left out: no person"),
    "a category": (coco([(1, "a.jpg")], [(1, 1, 2, pose())], [(2, "dog", NAMES)]), r"\(dog\) are no people"),
    "one id for two": (
        coco([(1, "a.jpg"), (1, "b.jpg")], [(1, 1, 1, pose())], [(1, "person", NAMES)]),
        r"two images have the id 1 \(a.jpg, b.jpg\).*number the images",
    ),
    "fractions of somebody": (signed(pose() + np.array((320, 170, 0))), "fractions from 0 to 1 .* or from -1 to 1"),
    "points of labelme": ({"shapes": [{"label": "nose", "points": [[1, 2]]}]}, "labelme's points have no joint order"),
    "keys of people": ({"person_0": [mmpose(pose(t)) for t in FILM]}, "its keys are people: give the people of each"),
    "mixed": ([pose().tolist(), None, 7], "instead of a list of people"),
    "boxes": ([{"name": "person", "class": 0, "box": {}}], "boxes without joints: run the tool's pose model"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tmp_path, name):
    content, message = REFUSED[name]
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message) as refused:
        read_poses(tmp_path / "a.json", joint_set="coco", image_size=(1000, 600))
    assert "a.json" in str(refused.value)


@pytest.mark.parametrize("start, kind", [
    ("<?xml version", "XML"), ("HIERARCHY\nROOT", "BVH"), ("PathFileType\t4", "TRC"), ("\x02P", "C3D"),
    ("%YAML:1.0", "write_json"), ("\0\0\0 ftypisom", "a video"),
])  # fmt: skip
def test_other_kinds_of_files_are_named(tmp_path, start, kind):
    (tmp_path / "a.json").write_text(start + 100 * " ")
    with pytest.raises(ValueError, match=kind):
        read_poses(tmp_path / "a.json")


def test_joints_in_space_are_no_scores(tmp_path):
    np.save(tmp_path / "a.npy", np.column_stack([HUMAN36 - HUMAN36[0], np.linspace(-300, 200, 17)]))
    with pytest.raises(ValueError, match="the third column, from -300 to 200, is no score"):
        read_poses(tmp_path / "a.npy", joint_set="human36")


def test_a_joint_that_is_there_twice_in_a_frame(tmp_path):
    lines = [f"0,{name},1,2" for name in (*NAMES, "nose")]
    (tmp_path / "a.csv").write_text("\n".join(["frame,joint,x,y", *lines]))
    with pytest.raises(ValueError, match="frame 0 has the joint nose twice; number its people in a column person"):
        read_poses(tmp_path / "a.csv")


def test_others_are_left_out_beside_people(tmp_path):
    cat = ultralytics(pose(0, 1)) | {"name": "cat"}
    animals = [(1, "person", NAMES), (2, "animal", PAWS)]
    for content, note in (
        ([ultralytics(pose()), cat], "1 cat left out: no person"),
        (coco([(1, "a")], [(1, 1, 1, pose()), (2, 1, 2, pose(0, 1))], animals), "1 annotation(s) left out: no people"),
        (coco([(1, "a")], [(1, 1, 1, pose()), (2, 77, 1, pose())], animals[:1]), "their images are not in the list"),
    ):
        (tmp_path / "a.json").write_text(json.dumps(content))
        sequence = read_poses(tmp_path / "a.json", joint_set="coco")
        assert sequence.person_count == 1
        assert any(note in text for text in sequence.notes)


def test_images_of_one_name_and_people_of_one_number_are_not_joined(tmp_path):
    people = [(1, 1, 1, pose()), (1, 1, 1, pose(0, 1)), (2, 2, 1, pose(1))]
    content = coco([(1, "0.jpg"), (2, "0.jpg")], people, [(1, "person", NAMES)])
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert [len(frame.poses) for frame in read_poses(tmp_path / "a.json").frames] == [2, 1]


def test_two_cameras_in_a_folder_are_no_film(tmp_path):
    for camera in (1, 2):
        for t in FILM:
            path = tmp_path / f"cam{camera}_{t:012d}.json"
            path.write_text(json.dumps([mmpose(joints) for joints in both(t)]))
    sequence = read_poses(tmp_path)
    assert not sequence.is_video
    assert any("frames of 2 films by their names (cam1_, cam2_)" in note for note in sequence.notes)


@pytest.mark.parametrize("moved", [(0, 0), (500, 0), (-40, 120), (450, 100)])
def test_fractions_about_the_middle(tmp_path, moved):
    joints = pose() + np.array((*moved, 0))
    (tmp_path / "a.json").write_text(json.dumps(signed(joints)))
    found = read_poses(tmp_path / "a.json", image_size=(1000, 600)).frames[0].poses[0]
    np.testing.assert_allclose(found[0], joints[0], atol=1e-2)
    np.testing.assert_allclose(found[[5, 2], :2], joints[[5, 6], :2], atol=1e-2)
