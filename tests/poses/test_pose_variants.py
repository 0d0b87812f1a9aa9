"""What people do with the tools' files: wrapped, joined, renamed, in other units; all of one film of a sample."""

import json

import numpy as np
import pytest

from lib.poses import map_pose, read_poses
from tests.helpers import ROOT

SAMPLE = np.load(ROOT / "demo" / "sample_pose_coco.npy")[:17, :2].astype(float)
HAND = np.load(ROOT / "demo" / "sample_pose_mano.npy")[:21, :2].astype(float)
HUMAN36 = np.load(ROOT / "demo" / "sample_pose_human36.npy")[:17, :2].astype(float)
SIZE = np.array([1000, 600])
NAMES = [f"{side}_{part}" for part in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
         for side in ("left", "right")]  # fmt: skip
NAMES = ["nose", *NAMES]
FILM, ONE = range(4), [0]


def pose(frame: int = 0, person: int = 0) -> np.ndarray:
    """(17, 3) of a person who moves; the second stands to the right, smaller."""
    place = SAMPLE * (1 - 0.2 * person) + (3 * frame + 420 * person, 10)
    scores = np.random.default_rng(5 * frame + person).uniform(0.6, 0.95, 17)
    return np.column_stack([place, scores]).round(4)


def both(frame: int) -> list[np.ndarray]:
    return [pose(frame), pose(frame, 1)]


def flat(joints) -> list[float]:
    return np.asarray(joints, float).ravel().tolist()


def fractions(joints) -> np.ndarray:
    return np.column_stack([joints[:, :2] / SIZE, joints[:, 2:]])


def alphapose(image, joints, **more) -> dict:
    return {"image_id": image, "category_id": 1, "keypoints": flat(joints), "score": 2.5, "box": [1, 2, 3, 4], **more}


def mmpose(joints) -> dict:
    return {"keypoints": joints[:, :2].tolist(), "keypoint_scores": joints[:, 2].tolist(), "bbox": [[1, 2, 3, 4]]}


def rtmlib(people) -> dict:
    return {"keypoints": [p[:, :2].tolist() for p in people], "scores": [p[:, 2].tolist() for p in people]}


def ultralytics(joints, **more) -> dict:
    x, y, visible = joints.T.tolist()
    return {"name": "person", "class": 0, "box": {}, "keypoints": {"x": x, "y": y, "visible": visible}, **more}


def tfjs(joints) -> dict:
    return {"keypoints": [dict(x=x, y=y, score=s, name=n) for (x, y, s), n in zip(joints.tolist(), NAMES)]}


def by_name(joints, start="") -> dict:
    return {start + name: row for name, row in zip(NAMES, joints.tolist())}


def rows(frame: int) -> dict:
    return {"frame": frame, **{f"{n}_{a}": v for n, row in by_name(pose(frame)).items() for a, v in zip("xyc", row)}}


def long_rows(frame: int) -> list[dict]:
    return [dict(frame=frame, joint=n, x=x, y=y, score=s) for n, (x, y, s) in by_name(pose(frame)).items()]


def table(head, lines, separator=",", point=".") -> str:
    text = [[str(value).replace(".", point) for value in line] for line in lines]
    return "\n".join(separator.join(line) for line in [head, *text])


def check(path, people: int = 1, frames=FILM, numbers=FILM, joint_set="coco", scores: bool = True):
    sequence = read_poses(path, joint_set=joint_set, image_size=tuple(SIZE.tolist()))
    assert [frame.number for frame in sequence.frames] == list(numbers)
    assert sequence.is_video is (len(frames) > 1)
    for frame, number in zip(sequence.frames, frames, strict=True):
        found = map_pose(frame.poses, sequence.source, "coco")[:, :17]
        expected = np.array(both(number)[:people])
        columns = 3 if scores else 2
        np.testing.assert_allclose(found[..., :columns], expected[..., :columns], atol=2e-2)
    return sequence


FILMS = {
    "wrapped": {"results": [alphapose(f"{t}.jpg", pose(t)) for t in FILM]},
    "in folders": [alphapose(f"/data/clip/{t}.jpg", pose(t)) for t in FILM],
    "called frames": [alphapose(f"frame{t}.jpg", pose(t)) for t in FILM],
    "padded": [alphapose(f"beach_{t:06d}.jpg", pose(t)) for t in FILM],
    "without scores": [alphapose(f"{t}.jpg", pose(t)[:, :2]) for t in FILM],
    "text in text": json.dumps([[ultralytics(pose(t))] for t in FILM]),
    "a list of texts": [json.dumps([ultralytics(pose(t))]) for t in FILM],
    "records of people by frame": [ultralytics(pose(t), frame=t) for t in FILM],
    "frames by number": {str(t): rtmlib([pose(t)]) for t in FILM},
    "frames by name": {f"frame_{t:04d}": [tfjs(pose(t))] for t in FILM},
    "frames of the inferencer": [{"predictions": [[mmpose(pose(t))]], "visualization": []} for t in FILM],
    "frames in lists": [[mmpose(pose(t))] for t in FILM],
    "older frames": [[{"keypoints": pose(t).tolist(), "bbox": [1, 2, 3, 4]}] for t in FILM],
    "frames of poses": {"frames": [{"time": t / 30, "poses": [tfjs(pose(t))]} for t in FILM]},
    "a pose for each frame": [tfjs(pose(t)) for t in FILM],
    "bare poses": [pose(t).tolist() for t in FILM],
    "joints by name": [by_name(pose(t), "PoseLandmark.") for t in FILM],
    "frames of joints by name": {str(t): by_name(pose(t)) for t in FILM},
    "rows": [rows(t) for t in FILM],
    "long rows": [row for t in FILM for row in long_rows(t)],
    "arrays": [{"pred_keypoints": [pose(t).tolist()], "scores": [0.9], "pred_classes": [0]} for t in FILM],
}


@pytest.mark.parametrize("name", FILMS)
def test_films(tmp_path, name):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(FILMS[name]))
    check(path, scores=name != "without scores")
    path.rename(tmp_path / "a.txt")  # the content tells, not the name
    check(tmp_path / "a.txt", scores=name != "without scores")


GAPS = {
    "rtmlib": [{"frame": t, **rtmlib([pose(t)])} for t in (0, 1, 3)],
    "tfjs": [{"frame": t, **tfjs(pose(t))} for t in (0, 1, 3)],
    "ultralytics": [{"frame": str(t), **ultralytics(pose(t))} for t in (0, 1, 3)],
}


@pytest.mark.parametrize("name", GAPS)
def test_frames_of_records_keep_their_numbers(tmp_path, name):
    (tmp_path / "a.json").write_text(json.dumps(GAPS[name]))
    check(tmp_path / "a.json", frames=(0, 1, 3), numbers=(0, 1, 3))


def test_empty_frames_of_bare_lists(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([pose(0).tolist(), None, pose(2).tolist()]))
    assert [len(frame.poses) for frame in read_poses(tmp_path / "a.json").frames] == [1, 0, 1]


def test_numbers_of_people_in_all_spellings(tmp_path):
    for spell in (str, float, lambda number: [[number]]):
        content = [alphapose(f"{t}.jpg", p, idx=spell(k + 3)) for t in FILM for k, p in enumerate(both(t))]
        (tmp_path / "a.json").write_text(json.dumps(content))
        assert check(tmp_path / "a.json", people=2).frames[1].tracks.tolist() == [3, 4]


HEAD = ["Frame Number", *(f"{name} {axis}" for name in NAMES for axis in ("X", "Y", "Score"))]
LINES = [[t, *flat(pose(t))] for t in FILM]
LONG = [[t, k, *row] for t in FILM for k, row in enumerate(pose(t).tolist())]
TABLES = {
    "titles of words": table(HEAD, LINES),
    "decimal commas": table(HEAD, LINES, ";", ","),
    "a comment": "# made by hand\n" + table(HEAD, LINES),
    "units": table([title.replace("X", "x_px").replace("Y", "y_px") for title in HEAD], LINES),
    "numbered joints": table(["frame", *(f"landmark_{k}_{a}" for k in range(17) for a in "xyc")], LINES),
    "a counted row": table(map(str, LINES[0]), LINES[1:]),
    "ends of rows": table([*map(str, LINES[0][1:]), ""], [[*line[1:], ""] for line in LINES[1:]]),
    "joints called index": table(["frame", "index", "x", "y", "score"], LONG),
    "joints called id": table(["frame", "id", "x", "y", "score"], LONG),
    "joints in order": table(["frame", "x", "y", "score"], [[t, *row] for t, _, *row in LONG]),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables(tmp_path, name):
    (tmp_path / "a.csv").write_text(TABLES[name])
    check(tmp_path / "a.csv")


@pytest.mark.parametrize("extra, tracks", [([], None), (["0.9"], None), (["7"], [7]), (["0.9", "7"], [7])])
def test_labels_with_confidence_and_track(tmp_path, extra, tracks):
    line = ["0", *["0.5"] * 4, *(f"{value:.6f}" for value in flat(fractions(pose()))), *extra]
    (tmp_path / "a.txt").write_text(" ".join(line))
    found = check(tmp_path / "a.txt", frames=ONE, numbers=[None]).frames[0].tracks
    assert (None if found is None else found.tolist()) == tracks


def test_labels_of_hands_and_empty_labels(tmp_path):
    for t in FILM:
        joints = flat(fractions(HAND + t))
        (tmp_path / f"a_{t + 1}.txt").write_text("" if t == 1 else " ".join(map(str, [0, *[0.5] * 4, *joints])))
    sequence = read_poses(tmp_path, joint_set="mano", image_size=(1000, 600))
    assert [(frame.number, len(frame.poses)) for frame in sequence.frames] == [(0, 1), (1, 0), (2, 1), (3, 1)]
    np.testing.assert_allclose(sequence.frames[2].poses[0, :, :2], HAND + 2, atol=1e-2)


def test_labels_of_hugging_face_say_which_joint_is_which(tmp_path):
    order = [16, 5, 6, 11, 12, 0, 2, 7, 8, 9]
    joints = pose()[order]
    person = {"keypoints": joints[:, :2].tolist(), "scores": joints[:, 2].tolist(), "labels": order, "bbox": []}
    (tmp_path / "a.json").write_text(json.dumps([[person]]))
    found = read_poses(tmp_path / "a.json").frames[0].poses[0]
    np.testing.assert_allclose(found[order], joints, atol=1e-3)
    assert np.isnan(found[[1, 3, 4], 0]).all()


NAMED = ["root", "right_hip", "right_knee", "right_foot", "left_hip", "left_knee", "left_foot", "spine", "thorax",
         "neck_base", "head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow",
         "right_wrist"]  # fmt: skip


@pytest.mark.parametrize("meta", [{"dataset_name": "h36m"}, {"keypoint_name2id": {n: k for k, n in enumerate(NAMED)}}])
def test_human36_of_mmpose(tmp_path, meta):
    person = mmpose(np.column_stack([HUMAN36, np.ones(17)]))
    (tmp_path / "a.json").write_text(json.dumps({"meta_info": meta, "instance_info": [person]}))
    sequence = read_poses(tmp_path / "a.json", joint_set="human36")
    found = map_pose(sequence.frames[0].poses, sequence.source, "human36")[0, :, :2]
    np.testing.assert_allclose(found, HUMAN36, atol=1e-2)


def test_human36_of_videopose3d(tmp_path):
    film = np.array({"S1": {"Walking": [np.stack([HUMAN36 + t for t in FILM])]}}, dtype=object)
    np.savez(tmp_path / "a.npz", positions_2d=film, metadata=np.array({"layout_name": "h36m"}, dtype=object))
    sequence = read_poses(tmp_path / "a.npz", joint_set="human36")
    found = map_pose(sequence.frames[1].poses, sequence.source, "human36")[0, :, :2]
    np.testing.assert_allclose(found, HUMAN36 + 1, atol=1e-2)


ARRAYS = {
    "17, 2, T": np.stack([pose(t)[:, :2] for t in FILM], axis=2),
    "T, 2, 17": np.stack([pose(t)[:, :2].T for t in FILM]),
    "movenet": np.stack([fractions(pose(t))[None, None][..., [1, 0, 2]] for t in FILM]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(tmp_path, name):
    with open(tmp_path / "poses", "wb") as stream:  # known by its first bytes
        np.save(stream, ARRAYS[name])
    check(tmp_path / "poses", scores=name == "movenet")


def test_movenet_multipose_and_tags_behind_scores(tmp_path):
    output = np.zeros((1, 6, 56))
    for place, joints in enumerate(both(0)):
        output[0, place] = [*flat(fractions(joints)[:, [1, 0, 2]]), 0, 0, 1, 1, 0.8]
    np.save(tmp_path / "a.npy", output)
    check(tmp_path / "a.npy", people=2, frames=ONE, numbers=[None])
    np.save(tmp_path / "a.npy", np.dstack([both(0), np.full((2, 17), 3.0)]))
    check(tmp_path / "a.npy", people=2, frames=ONE, numbers=[None])


@pytest.mark.parametrize("key, factor", [("probs", 1), ("keypoint_confidence", 1), ("scores", 100), ("scores", 255)])
def test_scores_under_other_names_and_in_other_units(tmp_path, key, factor):
    values = (pose()[:, 2] * factor).round(0 if factor == 255 else 6).tolist()
    (tmp_path / "a.json").write_text(json.dumps({"keypoints": pose()[:, :2].tolist(), key: values}))
    check(tmp_path / "a.json", frames=ONE, numbers=[None])


@pytest.mark.parametrize("hands", [
    {"hands": [{"label": "Right", "landmarks": 0}, {"label": "Left", "landmarks": 1}]}, {"Left": 1, "Right": 0},
    {"left_hand": 1, "right_hand": 0},
])  # fmt: skip
def test_hands_by_the_side_that_the_file_names(tmp_path, hands):
    truth = [HAND + np.array((400, 0)), HAND * (-1, 1) + (520, 0)]
    marks = [[dict(zip("xyz", (*row, 0.0))) for row in (hand / SIZE).tolist()] for hand in truth]
    text = json.dumps(hands)
    for side in (0, 1):
        text = text.replace(f'": {side}', f'": {json.dumps(marks[side])}', 1)
    (tmp_path / "a.json").write_text(text)
    frame = read_poses(tmp_path / "a.json", joint_set="mano", image_size=(1000, 600)).frames[0]
    assert frame.left.tolist() == [False, True]
    np.testing.assert_allclose(frame.poses[..., :2], truth, atol=1e-2)


def test_hands_of_a_table(tmp_path):
    truth = [HAND, HAND * (-1, 1) + np.array((520, 0))]
    sides = ("Right", "Left")
    lines = [
        [t, side, k, *row] for t in FILM for side, hand in zip(sides, truth) for k, row in enumerate(hand.tolist())
    ]
    (tmp_path / "a.csv").write_text(table(["frame", "hand", "landmark", "x", "y"], lines))
    for frame in read_poses(tmp_path / "a.csv", joint_set="mano").frames:
        assert frame.left.tolist() == [False, True]
        np.testing.assert_allclose(frame.poses[..., :2], truth, atol=1e-2)


@pytest.mark.parametrize("suffix", ["npy", "json"])
def test_depths_of_mediapipe_in_pixels_are_no_scores(tmp_path, suffix):
    hand = np.column_stack([HAND, np.linspace(0, -60, 21)])
    path = tmp_path / f"a.{suffix}"
    if suffix == "npy":
        np.save(path, hand)
    else:
        path.write_text(json.dumps(hand.tolist()))
    sequence = read_poses(path, joint_set="mano")
    np.testing.assert_allclose(sequence.frames[0].poses[0, :, :2], HAND, atol=1e-2)
    assert (sequence.frames[0].poses[0, :, 2] == 1).all()
