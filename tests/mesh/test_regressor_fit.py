"""Fitting joint regressors: planted ones are found again."""

import numpy as np
import pytest
import torch

from lib.body.lbs import lbs
from lib.body.pose_prior import PosePrior
from lib.joints.lookup import get_joint_set
from lib.mesh.mesh_model import load_mesh_model
from lib.mesh.regressor_fit import fit_regressor
from main.fit_regressor import main, read_pairs


def meshes(model, count: int, seed: int = 0) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    pose = PosePrior.load().sample(count, generator)
    vertices, _ = lbs(model.params(), pose, torch.randn(count, 10, generator=generator))
    return vertices.double().numpy()


def planted(vertices: np.ndarray, seed: int, joints: int = 6, used: int = 4) -> np.ndarray:
    """A regressor (J, V): each row reads a few of the vertices that stay around a random one."""
    rng = np.random.default_rng(seed)
    matrix = np.zeros((joints, vertices.shape[1]))
    for row in matrix:
        centre = vertices[:, rng.integers(vertices.shape[1]), None]
        near = np.argsort(np.linalg.norm(vertices - centre, axis=2).max(axis=0))[:40]
        row[rng.choice(near, used, replace=False)] = rng.dirichlet(5 * np.ones(used))
    return matrix


@pytest.mark.parametrize("seed", range(3))
def test_finds_a_planted_regressor(body, seed):
    vertices = meshes(body, 80, seed)
    truth = planted(vertices, seed)
    result = fit_regressor(vertices, truth @ vertices)
    assert result.largest.max() < 0.05  # mm
    assert (result.used <= 8).all()
    # where the body is stiff, other vertices describe the same point: then the joints of new meshes agree
    found = np.abs(result.matrix - truth).max(axis=1) < 0.02
    assert found.mean() > 0.8
    new = meshes(body, 20, seed + 100)
    np.testing.assert_allclose(result.matrix @ new, truth @ new, atol=5e-4)


def test_rows_are_weights_even_for_joints_outside_of_the_mesh(body):
    vertices = meshes(body, 5)
    middle = vertices.mean(axis=1)
    joints = np.stack([middle, middle + np.array([0, 5.0, 0])], axis=1)
    result = fit_regressor(vertices, joints, max_vertices=6)
    assert (result.matrix >= 0).all()
    np.testing.assert_allclose(result.matrix.sum(axis=1), 1, atol=1e-6)
    assert (result.used <= 6).all()
    assert result.mean[1] > 1000  # no weighted mean of vertices is there


def test_noise_and_the_published_regressors_generalise():
    """COCO keypoints of the full-size body with 5 mm of noise: new meshes within 3 mm, a fit within seconds."""
    model = load_mesh_model("body", "open_6890")
    vertices = meshes(model, 130)
    truth = model.joint_regressor("coco") @ vertices
    noisy = truth + np.random.default_rng(0).normal(scale=0.005, size=truth.shape)
    result = fit_regressor(vertices[:100], noisy[:100])
    errors = np.linalg.norm(result.matrix @ vertices[100:] - truth[100:], axis=2)
    assert errors.mean() < 0.003
    assert result.used.max() <= 32


def test_command_writes_what_a_joint_set_file_reads(tmp_path, monkeypatch, capsys, body):
    vertices = meshes(body, 30)
    truth = planted(vertices, 0, joints=2)
    np.savez(tmp_path / "pairs.npz", vertices=vertices.astype(np.float32), joints=truth @ vertices)
    command = ["fit_regressor.py", "--pairs", str(tmp_path / "pairs.npz"), "--output", str(tmp_path / "mine.npy")]
    monkeypatch.setattr("sys.argv", [*command, "--holdout", "0.2"])
    main()
    printed = capsys.readouterr().out
    assert "24 meshes of 1723 vertices" in printed
    assert "6 held-out meshes: mean 0.0" in printed
    (tmp_path / "mine.yml").write_text(
        "mesh: open_1723\nregressor: mine.npy\njoints: [A, B]\nroot: A\nbones: [[A, B]]\n", encoding="utf-8"
    )
    matrix = body.joint_regressor(get_joint_set(str(tmp_path / "mine.yml")))
    np.testing.assert_allclose(matrix @ vertices, truth @ vertices, atol=1e-4)


def test_wrong_pairs_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a .npz with vertices"):
        read_pairs(tmp_path / "absent.npz")
    np.savez(tmp_path / "other.npz", mesh=np.zeros(3))
    with pytest.raises(ValueError, match="has no vertices, joints, only mesh; expected a .npz with"):
        read_pairs(tmp_path / "other.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(ValueError, match="is no NumPy file"):
        read_pairs(tmp_path / "text.npz")
    with pytest.raises(ValueError, match=r"expected vertices \(N, V, 3\)"):
        fit_regressor(np.zeros((4, 3)), np.zeros((4, 3)))
    with pytest.raises(ValueError, match="2 meshes and 3 sets of joints"):
        fit_regressor(np.zeros((2, 5, 3)), np.zeros((3, 1, 3)))
    with pytest.raises(ValueError, match="NaN"):
        fit_regressor(np.full((1, 5, 3), np.nan), np.zeros((1, 1, 3)))
