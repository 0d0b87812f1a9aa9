"""Pose files with numbers beyond all range, absurd nesting, claims that they do not hold and names that mislead."""

import io
import json
import zipfile

import numpy as np
import pytest

from lib.poses import read_poses
from lib.poses.reading.content import natural_key, whole_number
from tests.support.files import pose_files as files

HUGE = 10**400


def refused(path, *words) -> None:
    with pytest.raises(ValueError) as error:
        read_poses(path, image_size=(100, 100))
    text = str(error.value)
    assert path.name in text
    assert len(text) < 800
    assert all(word in text for word in words), text


def test_numbers_beyond_range_are_refused_by_their_place(tmp_path):
    person = files.people(1)[0].tolist()
    person[3][0] = HUGE
    flat = [number for joint in person for number in joint]
    instance = {"keypoints": [joint[:2] for joint in person], "keypoint_scores": [1.0] * 17}
    marks = [{"x": HUGE, "y": 0.5, "visibility": 1.0}] * 33
    contents = {
        "demo": ({"a.jpg": [person]}, "a.jpg, person 0"),
        "coco": ([{"image_id": 1, "keypoints": flat}], "entry 0"),
        "mmpose": ([instance], "person 0"),
        "mediapipe": (marks, "person 0"),
        "openpose": ({"people": [{"pose_keypoints_2d": flat[:51] + [0.0] * 24}]}, "person 0"),
    }
    for name, (content, place) in contents.items():
        refused(files.write(tmp_path / f"{name}.json", content), place, "too large a number")


def test_lists_that_are_none_are_refused(tmp_path):
    contents = (
        {"a.jpg": {"people": 5}},
        {"people": [{"pose_keypoints_2d": 5}]},
        [[[{"x": 0.5, "y": 0.5}] * 33], [[{"x": 0.5, "y": 0.5}] * 33, 5]],
    )
    for number, content in enumerate(contents):
        refused(files.write(tmp_path / f"{number}.json", content), "expected")
    for content in ({"a.jpg": {"people": None}}, {"people": [{"pose_keypoints_2d": None}, None]}):
        refused(files.write(tmp_path / "null.json", content), "holds no people")


def test_nesting_and_long_names_do_not_fill_the_message(tmp_path):
    for name, text in {
        "deep": "[" * 900 + "]" * 900,
        "deeper": "[" * 100_000,
        "dicts": '{"a":' * 300 + "1" + "}" * 300,
        "key": json.dumps({"x" * 100_000: {"b": 1}}),
        "control": json.dumps({"\x1b[31m\a": {"b": 1}}),
    }.items():
        path = tmp_path / f"{name}.json"
        path.write_text(text)
        refused(path)


def test_whole_numbers_of_any_kind():
    assert [whole_number(value) for value in (3, 4.0, [[5]], [6, 7])] == [3, 4, 5, 6]
    odd = (None, "3", -1, HUGE, float("inf"), float("nan"), [], {}, 2.0**60)
    assert [whole_number(value) for value in odd] == [None] * len(odd)


def test_names_are_ordered_by_digits_of_any_number():
    names = ["f10", "f9", "f" + "9" * 5000, "f²", "f0009b"]
    assert sorted(names, key=natural_key) == ["f9", "f0009b", "f10", "f" + "9" * 5000, "f²"]


def test_arrays_that_claim_more_than_they_hold(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 17, 2)})
    (tmp_path / "claim.npy").write_bytes(header.getvalue() + bytes(1000))
    refused(tmp_path / "claim.npy", "claims an array (1000000000000, 17, 2)")
    with zipfile.ZipFile(tmp_path / "claim.npz", "w") as archive:
        archive.writestr("poses.npy", header.getvalue())
    refused(tmp_path / "claim.npz", "claims an array")
    with zipfile.ZipFile(tmp_path / "text.npz", "w") as archive:
        archive.writestr("poses", "no array")
    refused(tmp_path / "text.npz", "is no array")


def test_packed_arrays_are_not_unpacked_beyond_a_limit(tmp_path):
    header = {"descr": "<f8", "fortran_order": False, "shape": (1_000_000, 17, 2)}
    archive = zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED)
    with archive, archive.open("poses.npy", "w") as entry:
        np.lib.format.write_array_header_1_0(entry, header)
        for _ in range(272):
            entry.write(bytes(1_000_000))
    refused(tmp_path / "bomb.npz", "272 MB of arrays, at most 268 MB are read")
