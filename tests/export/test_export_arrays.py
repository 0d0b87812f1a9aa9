import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from lib.body.layer import BodyLayer
from lib.body.lbs import lbs
from lib.datasets.storage.motion_files import read_motion
from lib.export import NpzWriter, PeopleArrays, load_npz, project_perspective, save_amass, save_npz, save_params
from lib.geometry.camera_fit import project_to_image
from lib.joints.lookup import get_joint_set
from lib.mesh.fit_params import ParamFit, fit_params
from lib.mesh.mesh_model import load_mesh_model
from lib.predictor import MeshPrediction

SIZE = (640, 480)
JOINTS = get_joint_set("coco").joints


def prediction(batch=3, vertex_num=40, seed=0) -> MeshPrediction:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(batch, *shape, generator=generator)

    box = torch.tensor([[100.0, 50, 200, 200]]).expand(batch, 4)
    camera = torch.tensor([[0.9, 0.1, -0.2]]).expand(batch, 3)
    joints = 300 * draw(19, 3)
    residual, nothing, unknown = draw().abs(), draw(0), torch.full((batch, 3), torch.nan)
    seen = (unknown, unknown[:, 0], unknown[:, :2], torch.zeros(batch, dtype=torch.bool))
    return MeshPrediction(
        100 * draw(19, 2), draw(vertex_num, 3), joints, 300 * draw(19, 3), camera, box, residual, residual,
        unknown[:, 0], *[nothing] * 3, *seen,
    )  # fmt: skip


def people(batch=3, seed=0, **options) -> PeopleArrays:
    faces = np.arange(12).reshape(4, 3)
    return PeopleArrays.from_prediction(prediction(batch, seed=seed), faces, SIZE, JOINTS, **options)


def test_units_and_cameras(tmp_path):
    source = prediction()
    save_npz(tmp_path / "a.npz", people(tracks=np.array([4, 5, 4]), frames=["a.jpg", "a.jpg", "b.jpg"], focal=900))
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        result = dict(arrays)
    assert result["joints"].dtype == np.float32
    np.testing.assert_array_equal(result["joints"], source.joints)
    np.testing.assert_array_equal(result["vertices"], source.mesh)
    np.testing.assert_array_equal(result["pose3d"], source.pose3d)
    assert result["frame"].tolist() == ["a.jpg", "a.jpg", "b.jpg"]
    assert result["track"].tolist() == [4, 5, 4]
    assert result["joint_names"].tolist() == list(JOINTS)
    assert result["focal"] == 900
    assert result["image_size"].tolist() == [640, 480]
    # the three cameras show the plane of the root at the same pixels
    flat = source.joints.numpy() * np.array([1e-3, 1e-3, 0], np.float32)
    s, tx, ty = result["camera_crop"].T[..., None]
    crop = (flat[..., :2] + np.stack([tx, ty], -1)) * s[..., None] * 100 + 100 + result["box"][:, None, :2]
    image = project_to_image(torch.from_numpy(result["camera_image"]), torch.from_numpy(flat), SIZE)
    full = project_perspective(flat + result["translation"][:, None], SIZE, 900)
    np.testing.assert_allclose(crop, image, atol=1e-3)
    np.testing.assert_allclose(full, image, atol=1e-2)


def test_files_without_surfaces_are_still_read(tmp_path):
    save_npz(tmp_path / "a.npz", people())
    with np.load(tmp_path / "a.npz") as stored:
        old = {
            key: stored[key] for key in stored.files if key not in ("lens", "pose", "betas", "trans", "risk", "carried")
        }
    np.savez(tmp_path / "old.npz", **old)
    loaded = load_npz(tmp_path / "old.npz")
    assert np.isnan(loaded.lens).all()
    assert loaded.pose.shape == (3, 0)
    assert loaded.carried.tolist() == [False] * 3
    np.testing.assert_array_equal(loaded.drawn, loaded.vertices)


def test_batches_give_the_same_file_as_all_at_once(tmp_path):
    parts = [people(2, seed=n, frames=[f"{n}a", f"{n}b"], tracks=np.array([0, 1])) for n in range(3)]
    with NpzWriter(tmp_path / "parts.npz") as writer:
        for part in parts:
            writer.append(part)
    whole = load_npz(tmp_path / "parts.npz")
    assert len(whole) == writer.rows == 6
    for n, part in enumerate(parts):
        for key, values in part.arrays().items():
            rows = slice(None) if key in ("faces", "joint_names", "focal", "image_size") else slice(2 * n, 2 * n + 2)
            np.testing.assert_array_equal(whole.arrays()[key][rows] if values.ndim else whole.arrays()[key], values)
    save_npz(tmp_path / "one.npz", whole)
    for key, values in load_npz(tmp_path / "one.npz").arrays().items():
        np.testing.assert_array_equal(values, whole.arrays()[key])
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["one.npz", "parts.npz"]


def test_errors_leave_the_older_file(tmp_path):
    path = tmp_path / "a.npz"
    path.write_text("old")
    first, other = people(), replace(people(), focal=np.float32(1))

    def write(*batches):
        with NpzWriter(path) as writer:
            for batch in batches:
                writer.append(batch)

    with pytest.raises(ValueError, match="focal differs"):
        write(first, other)
    with pytest.raises(ValueError, match="vertices is"):
        write(first, replace(first, vertices=first.vertices[:, :20]))
    with pytest.raises(ValueError, match="longer than 64"):
        write(first, people(frames=["x" * 65] * 3))
    with pytest.raises(ValueError, match="no people"):
        write()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.npz"]
    assert path.read_text() == "old"
    with pytest.raises(ValueError, match="expected an .npz file of predictions"):
        load_npz(path)
    with pytest.raises(FileNotFoundError):
        load_npz(tmp_path / "none.npz")
    for options in ({"tracks": np.zeros(2, int)}, {"frames": ["a"]}, {"confidence": np.ones((3, 2))}):
        with pytest.raises(ValueError, match="3 people"):
            people(**options)


def test_memory_of_the_writer_does_not_grow(tmp_path):
    batch = people(50)
    tracemalloc.start()
    try:
        with NpzWriter(tmp_path / "a.npz") as writer:
            for _ in range(100):
                writer.append(batch)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tmp_path / "a.npz").stat().st_size > 100 * batch.vertices.nbytes
    assert peak < 3_000_000  # copies of one batch and one block of a megabyte; the file has over 9 MB


# ------------------------------------------------------------------------------------------------------ parameters


@pytest.fixture(scope="module")
def motion() -> tuple[torch.Tensor, ParamFit]:
    """Meshes of four frames of one body and their parameters."""
    model = load_mesh_model("body", "open_1723")
    generator = torch.Generator().manual_seed(0)
    pose = 0.2 * torch.randn(4, 72, generator=generator)
    pose[:, 0] += torch.pi
    vertices, _ = lbs(model.params(), pose, torch.linspace(-1, 1, 10).expand(4, -1))
    vertices = vertices + torch.tensor([0.2, 0.1, 3.0])
    return vertices, fit_params(vertices, model, groups=torch.zeros(4, dtype=torch.long))


def test_params_have_the_names_of_smplx(motion, tmp_path):
    vertices, fit = motion
    model = load_mesh_model("body", "open_1723")
    shift = np.tile(np.float32([0, 0, 1]), (4, 1))
    frames = ["a", "b", "c", "d"]
    save_params(tmp_path / "p.npz", fit, model, np.arange(4), frames, shift)
    save_params(tmp_path / "p.json", fit, model, np.arange(4), frames, shift)
    with np.load(tmp_path / "p.npz", allow_pickle=False) as arrays:
        result = dict(arrays)
    shapes = {"global_orient": 3, "body_pose": 69, "betas": 10, "transl": 3, "poses": 72, "trans": 3}
    assert {key: result[key].shape for key in shapes} == {key: (4, width) for key, width in shapes.items()}
    loaded = json.loads((tmp_path / "p.json").read_text())
    assert loaded.keys() == result.keys()
    np.testing.assert_allclose(loaded["body_pose"], result["body_pose"], rtol=1e-6)
    assert loaded["frame"] == frames
    assert loaded["model"] == "open_1723"
    # what a layer makes of them
    layer = BodyLayer(model.arrays())
    pose = np.concatenate([result["global_orient"], result["body_pose"]], axis=1)
    mesh, _ = layer(*(torch.from_numpy(values) for values in (pose, result["betas"], result["transl"])))
    torch.testing.assert_close(mesh - torch.from_numpy(shift)[:, None], vertices, atol=3e-4, rtol=0)


def test_hand_params(tmp_path):
    model = load_mesh_model("hand", "open_hand")
    save_params(tmp_path / "p.npz", fit_params(model.params().v_template[None], model), model)
    with np.load(tmp_path / "p.npz", allow_pickle=False) as arrays:
        assert arrays["hand_pose"].shape == (1, 45)
        assert "body_pose" not in arrays.files
        assert arrays["track"].tolist() == [-1]


@pytest.mark.parametrize("smplh", [True, False])
def test_amass_file(motion, tmp_path, smplh):
    vertices, fit = motion
    model = load_mesh_model("body", "open_1723")
    path = tmp_path / "walk_poses.npz"
    save_amass(path, fit, model, fps=25, smplh=smplh)
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["poses"].shape == (4, 156 if smplh else 72)
        assert arrays["mocap_framerate"] == 25
        trans = torch.from_numpy(arrays["trans"])
    clip = read_motion(path)
    mesh, _ = lbs(model.params(), torch.from_numpy(clip.poses), torch.from_numpy(clip.betas).expand(4, -1))
    mesh = mesh + trans[:, None]
    upright = torch.stack([vertices[..., 0], vertices[..., 2], -vertices[..., 1]], dim=-1)
    error = (mesh - upright).norm(dim=-1)
    assert error.median() < 2e-4
    if not smplh:  # SMPL+H has no hand joints like SMPL's
        assert error.max() < 1e-3


def test_hands_that_turn_are_in_amass_files_at_the_roots_of_the_fingers(motion, tmp_path):
    """In SMPL+H index, middle, little and ring finger start at joints 22, 25, 28, 31, of the right hand 37 and on."""
    _, fit = motion
    pose = fit.pose.clone()
    pose[:, 66:] = torch.tensor([0, 0, -0.5, 0.1, 0, 0.5])
    model = load_mesh_model("body", "open_1723")
    save_amass(tmp_path / "p.npz", replace(fit, pose=pose), model, fps=25)
    with np.load(tmp_path / "p.npz", allow_pickle=False) as arrays:
        joints = arrays["poses"].reshape(4, 52, 3)
    for roots, turn in (((22, 25, 28, 31), [0, 0, -0.5]), ((37, 40, 43, 46), [0.1, 0, 0.5])):
        assert (joints[:, roots] == np.float32(turn)).all()
        joints[:, roots] = 0
    assert not joints[:, 22:].any()


def test_unusable_params(motion, tmp_path):
    _, fit = motion
    model = load_mesh_model("body", "open_1723")
    with pytest.raises(ValueError, match="npz or .json"):
        save_params(tmp_path / "p.pkl", fit, model)
    with pytest.raises(ValueError, match="4 people"):
        save_params(tmp_path / "p.npz", fit, model, tracks=np.zeros(3, int))
    with pytest.raises(ValueError, match="4 people"):
        save_params(tmp_path / "p.npz", fit, model, translation=np.zeros(3))
    with pytest.raises(ValueError, match="one shape"):
        save_amass(tmp_path / "p.npz", replace(fit, betas=torch.randn(4, 10)), model, 30)
    with pytest.raises(ValueError, match="bodies"):
        save_amass(tmp_path / "p.npz", replace(fit, pose=fit.pose[:, :48]), model, 30)
    assert not list(tmp_path.iterdir())
