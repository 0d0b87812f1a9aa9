"""Left hands: mirrored, lifted as right ones, mirrored back, through the predictor to every file and picture."""

import json

import numpy as np
import pytest
import torch

from lib.body.lbs import lbs
from lib.export import PeopleArrays, load_npz, params_of, save_npz
from lib.geometry.mirror import mirror_points, mirror_pose
from lib.poses import Frame, PoseSequence, assign_tracks, select_people
from lib.predictor import Circumstances, Film, Pose2MeshPredictor
from tests.helpers import ROOT

SIZE = (640, 480)
WEIGHTS = ROOT / "experiment/pose2mesh_manoJ_open"
MIRRORED = ("mesh", "joints", "pose3d", "trans", "translation")
SAME = ("residual", "lift_residual", "betas", "focal")


@pytest.fixture(scope="module", params=["network", "refined"])
def predictor(request) -> Pose2MeshPredictor:
    return Pose2MeshPredictor("mano", WEIGHTS, "cpu", mesh=request.param)


@pytest.fixture(scope="module")
def poses() -> np.ndarray:
    """(2, 21, 2): the sample hand, and smaller beside the middle."""
    pose = np.load(ROOT / "demo/sample_pose_mano.npy")[:, :2].astype(np.float64)
    pose -= pose.min(axis=0)
    return np.stack([pose * 200 / np.ptp(pose), pose * 120 / np.ptp(pose) + [40, 300]])


def mirrored(poses: np.ndarray) -> np.ndarray:
    return np.stack([SIZE[0] - poses[..., 0], poses[..., 1]], axis=-1)


def volume(mesh, faces) -> float:
    """Signed, about the mesh's middle: positive for faces that turn counter-clockwise seen from outside."""
    a, b, c = np.moveaxis((np.asarray(mesh, np.float64) - np.asarray(mesh).mean(axis=0))[faces], 1, 0)
    return float(np.einsum("fc,fc->", a, np.cross(b, c)))


def people_of(predictor, prediction) -> PeopleArrays:
    faces, joints = predictor.mesh_model.faces, predictor.joint_set.joints
    return PeopleArrays.from_prediction(prediction, faces, SIZE, joints, focal=700.0)


@pytest.mark.parametrize("size", [SIZE, None])
def test_a_left_hand_is_the_mirror_image_of_a_right_one(predictor, poses, size):
    right = predictor.predict(poses, known=Circumstances(size, 700.0))
    given = mirrored(poses)
    left = predictor.predict(given, known=Circumstances(size, 700.0, left=np.ones(2, bool)))
    everybody = torch.ones(2, dtype=torch.bool)
    assert torch.equal(left.left, everybody)
    assert not right.left.any()
    for name in MIRRORED:
        expected = getattr(right, name)
        expected = mirror_points(expected, everybody) if expected.shape[1] else expected
        torch.testing.assert_close(getattr(left, name), expected, atol=1e-6, rtol=1e-6, equal_nan=True)
    for name in SAME:
        torch.testing.assert_close(getattr(left, name), getattr(right, name), equal_nan=True)
    torch.testing.assert_close(left.pose, mirror_pose(right.pose, everybody), atol=1e-6, rtol=0)
    torch.testing.assert_close(left.camera, right.camera * torch.tensor([1, -1, 1]), atol=1e-6, rtol=0)
    np.testing.assert_allclose(left.pose2d, given, atol=1e-4)
    seen = mirrored(right.principal.numpy())
    np.testing.assert_allclose(left.principal, seen, atol=1e-3)
    corner = right.box.numpy()
    np.testing.assert_allclose(left.box[:, 0], SIZE[0] - corner[:, 0] - corner[:, 2], atol=1e-3)
    cameras = right.image_camera(SIZE).numpy() * [1, 1, -1, 1]
    np.testing.assert_allclose(left.image_camera(SIZE), cameras, atol=1e-5)


def test_left_and_right_hands_in_one_call_are_those_alone(predictor, poses):
    given, left = np.stack([mirrored(poses)[0], poses[1]]), np.array([True, False])
    both = predictor.predict(given, known=Circumstances(SIZE, left=left))
    for row in range(2):
        alone = predictor.predict(given[row], known=Circumstances(SIZE, left=left[row : row + 1]))
        torch.testing.assert_close(both.mesh[row], alone.mesh[0], atol=1e-4, rtol=0)
    regressed = predictor.regress(both.mesh) * 1000
    torch.testing.assert_close(regressed, both.joints, atol=1e-3, rtol=0)


def test_parameters_and_faces_of_a_left_hand(predictor, poses, tmp_path):
    left = np.array([True, False])
    result = predictor.predict(poses, known=Circumstances(SIZE, 700.0, left=left))
    people = people_of(predictor, result)
    signs = [volume(mesh, faces) for mesh, faces in zip(people.vertices, people.row_faces)]
    assert min(signs) > 0
    assert volume(people.vertices[0], people.faces) < 0
    fit = params_of(people, predictor.mesh_model)
    pose, trans = mirror_pose(fit.pose, left), mirror_points(fit.trans, left)
    surface = lbs(predictor.mesh_model.params(), pose, fit.betas)[0] + trans[:, None]
    apart = (mirror_points(surface, left) - torch.from_numpy(people.vertices)).norm(dim=-1)
    assert apart.mean() < (
        0.004 if predictor.mesh == "network" else 1e-5
    )  # metres; a network's vertices are no surface
    save_npz(tmp_path / "a.npz", people)
    assert load_npz(tmp_path / "a.npz").left.tolist() == [True, False]


def test_hands_of_3d_joints(predictor, poses):
    joints = predictor.predict(poses).pose3d
    left = np.ones(2, bool)
    one = predictor.predict_pose3d(joints).mesh
    other = predictor.predict_pose3d(mirror_points(joints, left), left=left).mesh
    torch.testing.assert_close(other, mirror_points(one, left), atol=1e-6, rtol=0)


def test_missing_joints_of_left_hands_are_those_of_mirrored_right_ones(poses):
    pose = np.concatenate([poses, np.ones((2, 21, 1))], axis=2)
    pose[:, [7, 12], 2] = 0
    before = select_people(np.nan_to_num(pose), "mano", "mano", tracks=np.arange(2), image_size=SIZE)
    assert before.filled[:, [7, 12]].all()
    turned = pose.copy()
    turned[..., 0] = SIZE[0] - pose[..., 0]
    left = select_people(turned, "mano", "mano", image_size=SIZE, left=np.ones(2, bool))
    assert left.left is not None
    assert left.left.all()
    np.testing.assert_allclose(left.poses, mirrored(before.poses), atol=1e-4)
    as_right = select_people(turned, "mano", "mano", image_size=SIZE)
    assert np.abs(as_right.poses - left.poses).max() > 0.5  # of right hands something else is expected
    with pytest.raises(ValueError, match="is of a body"):
        select_people(np.zeros((1, 17, 3)), "coco17", "coco", left=np.ones(1, bool))
    with pytest.raises(ValueError, match=r"expected left \(2,\)"):
        select_people(pose, "mano", "mano", left=np.ones(3, bool))


def test_hands_of_a_film_are_followed_by_side(poses):
    predictor = Pose2MeshPredictor("mano", WEIGHTS, "cpu", mesh="refined")
    frames, tracks = np.repeat(np.arange(3), 2), np.tile([4, 7], 3)
    film = [np.tile(given, (3, 1, 1)) for given in (poses, mirrored(poses))]

    def lift(given, **side):
        return predictor.predict(given, known=Circumstances(SIZE, film=Film(), frames=frames, tracks=tracks, **side))

    right, left = lift(film[0]), lift(film[1], left=np.ones(6, bool))
    torch.testing.assert_close(left.mesh, mirror_points(right.mesh, np.ones(6, bool)), atol=1e-6, rtol=0)
    # hands that lie on each other keep their numbers by their sides
    pose = np.concatenate([poses[:1], np.ones((1, 21, 1))], axis=2).astype(np.float32)
    pair = np.concatenate([pose, pose])
    sides = [np.array([True, False]), np.array([False, True])]
    sequence = assign_tracks(PoseSequence([Frame(str(n), pair, left=side) for n, side in enumerate(sides)], "mano"))
    assert [frame.tracks.tolist() for frame in sequence.frames] == [[0, 1], [1, 0]]
    assert [frame.left.tolist() for frame in sequence.frames] == [[True, False], [False, True]]


def test_demo_writes_left_hands(run_demo, tmp_path, capsys):
    assert run_demo("--joint_set", "mano", "--hand_side", "left", "--save", "npz,glb,params,obj,html") == 0
    assert "taken for right" not in capsys.readouterr().out
    result = tmp_path / "result"
    people = load_npz(next(result.glob("*mesh.npz")))
    assert people.left.tolist() == [True]
    params = np.load(next(result.glob("*params.npz")))
    assert params["left"].tolist() == [True]
    np.testing.assert_allclose(params["poses"], people.pose, atol=1e-6)
    lines = next(result.glob("*.obj")).read_text().splitlines()
    faces = np.array([[int(part.split("/")[0]) - 1 for part in line[2:].split()] for line in lines if line[0] == "f"])
    assert volume(people.vertices[0], faces) > 0
    data = next(result.glob("*.html")).read_text().partition('application/json">')[2].partition("</script>")[0]
    assert [person["turned"] for frame in json.loads(data)["frames"] for person in frame["people"]] == [True]
    assert run_demo("--joint_set", "mano", "--save", "npz") == 0
    assert "taken for right ones" in capsys.readouterr().out
    assert run_demo("--hand_side", "left") == 2
    assert "--hand_side is for hands" in capsys.readouterr().err
