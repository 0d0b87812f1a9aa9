"""Bodies with hands of the hand network: at their wrists, in their size, in every file."""

import json
from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
import trimesh

from lib.demo.hands import HandLifter
from lib.demo.options import DemoOptions
from lib.export import NpzWriter, PeopleArrays, load_npz, save_npz
from lib.export.hands import HandArrays
from lib.geometry.mirror import mirror_points
from lib.poses import Frame
from lib.predictor import Circumstances, Pose2MeshPredictor
from tests.helpers import ROOT

SIZE = (1000, 800)
EVERYBODY = np.ones(2, bool)


def whole_body(scale: float, offset: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """The sample body (17, 2), and the sample hand, mirrored for the left one, at its wrists (2, 21, 2)."""
    body = np.load(ROOT / "demo/sample_pose_coco.npy")[:, :2] * scale + offset
    hand = np.load(ROOT / "demo/sample_pose_mano.npy")[:, :2].astype(float)
    hand = (hand - hand[0]) * 0.1 * np.ptp(body[:, 1]) / np.ptp(hand, axis=0).max()
    return body, np.stack([hand * [-1, 1] + body[9], hand + body[10]])


def scored(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, np.ones((*points.shape[:-1], 1))], axis=-1).astype(np.float32)


def mirrored(points: np.ndarray) -> np.ndarray:
    return mirror_points(points.reshape(2, -1, points.shape[-1]), EVERYBODY).reshape(points.shape)


@pytest.fixture(scope="module")
def predictor() -> Pose2MeshPredictor:
    return Pose2MeshPredictor("coco", device="cpu")


@pytest.fixture(scope="module")
def lifter(predictor) -> HandLifter:
    return HandLifter(predictor.mesh_model, DemoOptions(hands=True, device="cpu"))


@pytest.fixture(scope="module")
def frame() -> Frame:
    """Two people, of whom the second shows no left hand."""
    bodies, hands = zip(whole_body(1.4, (100, 60)), whole_body(0.9, (560, 150)))
    pairs = scored(np.stack(hands))
    pairs[1, 0] = np.nan
    return Frame("a.jpg", scored(np.stack(bodies)), hands=pairs)


@pytest.fixture(scope="module")
def selection(predictor, frame):
    return predictor.select_people(frame.poses, "coco17")


@pytest.fixture(scope="module")
def people(predictor, selection) -> PeopleArrays:
    prediction = predictor.predict(selection.poses, known=Circumstances(SIZE))
    faces, joints = predictor.mesh_model.faces, predictor.joint_set.joints
    return PeopleArrays.from_prediction(prediction, faces, SIZE, joints)


def test_hands_are_at_the_wrists_in_the_size_of_the_body(predictor, lifter, people, frame, selection):
    hands = lifter(people, [frame], [selection]).hands
    assert [hands.sides(row) for row in range(2)] == [[0, 1], [1]]
    wrists = predictor.mesh_model.joint_regressor("smpl")[20:22] @ people.vertices
    regressor = lifter.predictor.mesh_model.joint_regressor("mano")
    for row, side in ((0, 0), (0, 1), (1, 1)):
        np.testing.assert_allclose(hands.hand_joints[row, side, 0] / 1000, wrists[row, side], atol=1e-4)
        joints = regressor @ hands.hand_vertices[row, side]
        np.testing.assert_allclose(joints, hands.hand_joints[row, side] / 1000, atol=1e-4)
        # in the picture they look as they were seen, but for the size, which the sample's hands have not from its body
        seen = hands.hand_pose2d[row, side]
        placed = people.take([row]).pixels(hands.hand_joints[row, side][None] / 1000)[0]
        size, about = np.ptp(seen, axis=0).max(), (seen - seen[0], placed - placed[0])
        ratio = (about[0] * about[1]).sum() / (about[1] ** 2).sum()
        assert 0.7 < ratio < 1.3
        assert np.linalg.norm(placed[0] - seen[0]) < 0.08 * size
        assert np.linalg.norm(ratio * about[1] - about[0], axis=1).mean() < 0.08 * size
        residual = np.abs(placed - seen).mean() * 500 / (1.25 * size)
        assert hands.hand_residual[row, side] == pytest.approx(residual, rel=0.04)
    camera = people.camera_image * np.float32([1 / 1.2, 1 / 1.2, 1.2, 1.2])  # a larger body farther away
    larger = replace(people, vertices=1.2 * people.vertices, lens=1.2 * people.lens, camera_image=camera)
    larger = lifter(larger, [frame], [selection])
    np.testing.assert_allclose(larger.hands.hand_joints, 1.2 * hands.hand_joints, rtol=1e-4, atol=1e-2)


def test_people_in_a_mirror_have_the_hands_exchanged(predictor, lifter, people, frame, selection):
    hands = lifter(people, [frame], [selection]).hands
    partners = predictor.mesh_model.flip_vertex_ids
    swapped = replace(frame, hands=mirror_points(frame.hands, EVERYBODY, SIZE[0])[:, ::-1])
    other = replace(
        people,
        vertices=mirrored(people.vertices[:, partners]),
        lens=mirrored(people.lens),
        camera_image=people.camera_image * np.float32([1, 1, -1, 1]),
    )
    found = lifter(other, [swapped], [selection]).hands
    for key in ("hand_vertices", "hand_joints"):
        expected = mirrored(getattr(hands, key)[:, ::-1])
        np.testing.assert_allclose(getattr(found, key), expected, atol=2e-4 if key == "hand_vertices" else 0.2)
    assert [found.sides(row) for row in range(2)] == [[0, 1], [0]]


def test_weak_cameras_see_hands_straight_ahead(lifter, people, frame, selection):
    """A hand before the camera's side is turned as far as the camera of its body does not look there."""
    unknown = replace(people, lens=np.full_like(people.lens, np.nan))
    flat, deep = (lifter(given, [frame], [selection]).hands.hand_vertices[0, 1] for given in (unknown, people))
    flat, deep = ((hand - hand.mean(axis=0)).astype(np.float64) for hand in (flat, deep))
    u, _, v = np.linalg.svd(flat.T @ deep)
    turn = np.degrees(np.arccos((np.trace(u @ v) - 1) / 2))
    place = people.lens[0] + people.vertices[0].mean(axis=0)
    assert turn > 0.5 * np.degrees(np.arctan(np.linalg.norm(place[:2]) / place[2]))


def test_hands_that_show_too_little_or_belong_to_others_are_left_out(predictor, people, frame, selection):
    lifter = HandLifter(predictor.mesh_model, DemoOptions(hands=True, device="cpu"))
    pairs = frame.hands.copy()
    pairs[:, 1, 3:] = np.nan
    hands = lifter(people, [replace(frame, hands=pairs)], [selection]).hands
    assert [hands.sides(row) for row in range(2)] == [[0], []]
    (line,) = lifter.lines
    assert line.startswith("Warning: 2 of 3 hands left out; the first: a.jpg, right hand of person 0, ")
    others = frame.hands.copy()
    others[0, 0, :, :2] += 200
    others[0, 1, :, :2] = others[0, 1, :1, :2] + 10 * (others[0, 1, :, :2] - others[0, 1, :1, :2])
    hands = lifter(people, [replace(frame, hands=others)], [selection]).hands  # of somebody else, and of no human size
    assert [hands.sides(row) for row in range(2)] == [[], [1]]
    assert lifter.lines[0].startswith("Warning: 4 of 6 hands left out")
    assert lifter(people, [replace(frame, hands=None)], [selection]).hands.sides(0) == []
    wrists = frame.hands[:, :, :1, :2]
    for factor in (3, 0.3):
        others = frame.hands.copy()
        others[..., :2] = wrists + factor * (others[..., :2] - wrists)
        hands = lifter(people, [replace(frame, hands=others)], [selection]).hands
        assert [hands.sides(row) for row in range(2)] == [[], []], factor


def test_people_carried_over_frames_without_anybody_have_no_hands(lifter, people, frame, selection):
    empty = replace(frame, poses=frame.poses[:0], hands=frame.hands[:0])
    hands = lifter(people, [empty], [replace(selection, kept=np.full(2, -1))]).hands
    assert [hands.sides(row) for row in range(2)] == [[], []]


def test_whole_people_have_no_second_hand(lifter, people, frame, selection):
    whole = lifter(people, [frame], [selection])
    body_num, faces = people.vertices.shape[1], people.faces
    for row, sides in enumerate(([0, 1], [1])):
        own = whole.row_faces[row]
        bodies = own[(own < body_num).all(axis=1)]
        replaced = whole.hands.replaced_faces[sides].any(axis=0)
        kept = int((~replaced).sum())
        np.testing.assert_array_equal(bodies[:kept], faces[~replaced])
        assert 0 < len(bodies) - kept < 20 * len(sides)  # which close the stumps
        assert trimesh.Trimesh(people.vertices[row], bodies, process=False).is_watertight
        assert 100 < replaced.sum() / len(sides) < 400
        assert len(own) == len(bodies) + len(sides) * len(whole.hands.hand_faces)
        assert len(whole.drawn[row]) == len(whole.placed[row]) == body_num + 778 * len(sides)
        # outward, also of the left hand
        for vertices, part, _, name in zip(*whole.take([row]).parts(whole.take([row]).whole, ["p"])):
            mesh = trimesh.Trimesh(vertices - vertices.mean(axis=0), part, process=False)  # open: about its middle
            assert mesh.volume > 0, name


def test_arrays_of_hands_are_read_back_and_do_not_mix_with_others(lifter, people, frame, selection, tmp_path):
    whole = lifter(people, [frame], [selection])
    save_npz(tmp_path / "a.npz", whole.take(slice(1, None)))
    read = load_npz(tmp_path / "a.npz")
    for field in fields(HandArrays):
        expected = getattr(whole.take([1]).hands, field.name)
        np.testing.assert_array_equal(getattr(read.hands, field.name), expected)
    save_npz(tmp_path / "b.npz", people)
    assert load_npz(tmp_path / "b.npz").hands is None
    assert set(np.load(tmp_path / "b.npz")) == {field.name for field in fields(PeopleArrays)} - {"hands"}
    with NpzWriter(tmp_path / "c.npz") as writer:
        writer.append(whole)
        with pytest.raises(ValueError, match="some people have hands"):
            writer.append(people)


# ---------------------------------------------------------------------------------------------------------- the demo


def openpose(path, *people: tuple[np.ndarray, np.ndarray], sides=(0, 1)) -> None:
    """People as OpenPose writes them."""
    order = [0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
    entries = []
    for body, hands in people:
        joints = [(body[5] + body[6]) / 2 if place is None else body[place] for place in order]
        entry = {"pose_keypoints_2d": scored(np.array(joints)).ravel().tolist()}
        for side in sides:
            entry[f"hand_{('left', 'right')[side]}_keypoints_2d"] = scored(hands[side]).ravel().tolist()
        entries.append(entry)
    path.write_text(json.dumps({"version": 1.3, "people": entries}))


def test_demo_writes_hands_of_several_people(run_demo, tmp_path, capsys):
    openpose(tmp_path / "two.json", whole_body(0.6, (20, 20)), whole_body(0.4, (270, 60)))
    cv2.imwrite(str(tmp_path / "two.png"), np.zeros((330, 480, 3), np.uint8))
    given = (
        "--input_pose",
        tmp_path / "two.json",
        "--input_img",
        tmp_path / "two.png",
        "--save",
        "npz,glb,ply,obj,html,params,bvh",
    )
    assert run_demo(*given, "--hands") == 0
    said = capsys.readouterr().out
    assert "Hands: " in said
    assert "Not in params, bvh: the hands of --hands" in said
    result = tmp_path / "result"
    nodes = {f"person_{row}{part}" for row in range(2) for part in ("", "_left_hand", "_right_hand")}
    scene = trimesh.load_scene(result / "two_mesh.glb")
    assert set(scene.geometry) == set(scene.graph.nodes_geometry) == nodes
    people = load_npz(result / "two_mesh.npz")
    hand = scene.geometry["person_1_left_hand"].vertices
    np.testing.assert_allclose(
        hand, (people.hands.hand_vertices[1, 0] + people.translation[1]) * [1, -1, -1], atol=1e-5
    )
    text = (result / "two_mesh_1.obj").read_text().splitlines()
    assert [line[2:] for line in text if line[0] == "g"] == ["person_1", "person_1_left_hand", "person_1_right_hand"]
    faces = sum(len(own) for own in people.row_faces)
    assert len(trimesh.load_mesh(result / "two_mesh.ply", process=False).faces) == faces
    assert sum(line[0] == "f" for line in text) == len(people.row_faces[1])
    page = (result / "two_mesh.html").read_text().partition('application/json">')[2].partition("</script>")[0]
    assert [person["faces"][1] for person in json.loads(page)["frames"][0]["people"]] == [
        own.size for own in people.row_faces
    ]
    assert json.loads(page)["frames"][0]["people"][1]["faces"] == [0, people.row_faces[0].size]  # kept once
    drawn = cv2.imread(str(result / "two_mesh_1.png"))
    points = people.pixels(people.hands.hand_joints[:, 1] / 1000).round().astype(int)
    palm = points[0, [0, 5, 9, 13]]
    assert (drawn[palm[:, 1], palm[:, 0]].max(axis=1) > 0).all()
    assert cv2.imread(str(result / "two_views.png")).max() > 0


def test_demo_writes_hands_of_sequences(run_demo, tmp_path):
    (tmp_path / "film").mkdir()
    for number in range(3):
        sides = (0, 1) if number != 1 else (1,)
        path = tmp_path / "film" / f"a_{number:012d}_keypoints.json"
        openpose(path, whole_body(0.6, (20 + 2 * number, 20)), sides=sides)
    assert run_demo("--input_pose", tmp_path / "film", "--hands", "--save", "npz,glb,html", "--smooth", "output") == 0
    people = load_npz(tmp_path / "result/film_mesh.npz")
    assert [people.hands.sides(row) for row in range(3)] == [[0, 1], [1], [0, 1]]
    step = np.linalg.norm(np.diff(people.hands.hand_joints[:, 1], axis=0), axis=-1).mean()
    assert step < 10  # mm
    nodes = [set(trimesh.load_scene(path).geometry) for path in sorted((tmp_path / "result/film_meshes").iterdir())]
    assert [len(names) for names in nodes] == [3, 2, 3]


def test_hands_are_refused_where_there_are_none(run_demo, tmp_path, capsys):
    openpose(tmp_path / "a.json", whole_body(1, (0, 0)), sides=())
    for arguments, message in (
        (("--input_pose", tmp_path / "a.json"), "holds no hands; they come from OpenPose's --hand"),
        ((), "holds no hands"),
        (("--joint_set", "mano"), "leave --hands out"),
    ):
        assert run_demo(*arguments, "--hands") == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "result").exists()
