"""Predictions from an ONNX file without PyTorch are the predictor's."""

import subprocess
import sys

import numpy as np
import pytest

from lib import ROOT
from lib.geometry.camera_fit import fit_weak_perspective as fit_with_torch
from lib.onnx.onnx_export import export_onnx, load_trained, sample_keypoints
from lib.predictor import MeshPrediction, Pose2MeshPredictor
from lib.predictor.array_camera import fit_weak_perspective
from lib.predictor.onnx_predictor import OnnxPredictor
from tests.helpers import require_onnx

WITHOUT_TORCH = """
import sys
sys.path.insert(0, sys.argv[1])

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "cv2", "scipy", "yaml", "onnx"):
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Missing())
import numpy as np
from lib.predictor.onnx_predictor import OnnxPredictor

predictor = OnnxPredictor(sys.argv[2])
found = predictor(np.load(sys.argv[3]), batch_size=2)
np.savez(sys.argv[4], faces=predictor.faces, view=found.image_camera((640, 480)), **found.to_numpy())
"""


@pytest.fixture(scope="module", params=["coco", "mano"])
def exported(request, weights, tmp_path_factory):
    require_onnx()
    predictor = Pose2MeshPredictor(None, weights[request.param], "cpu", mesh="network")
    path = export_onnx(load_trained(weights[request.param]), tmp_path_factory.mktemp("onnx") / "net.onnx")
    return predictor, path, sample_keypoints(predictor.joint_set, 5)


def test_without_pytorch_it_gives_what_the_predictor_gives(exported, tmp_path):
    predictor, path, poses = exported
    np.save(tmp_path / "poses.npy", poses)
    command = [sys.executable, "-c", WITHOUT_TORCH, ROOT, path, tmp_path / "poses.npy", tmp_path / "found.npz"]
    subprocess.run(command, check=True, cwd=tmp_path)
    expected, found = predictor(poses), np.load(tmp_path / "found.npz")
    wanted = {**expected.to_numpy(), "view": expected.image_camera((640, 480)), "faces": predictor.mesh_model.faces}
    for name in found.files:
        size = np.abs(np.asarray(wanted[name])).max()
        np.testing.assert_allclose(found[name], wanted[name], atol=2e-5 * size, rtol=0, err_msg=name)


def test_people_one_by_one_and_nobody(exported):
    _, path, poses = exported
    predictor = OnnxPredictor(path, threads=1)
    prediction = predictor(poses)
    assert set(prediction.to_numpy()) <= set(MeshPrediction.__dataclass_fields__)
    for pose, person in zip(poses, prediction, strict=True):
        alone = predictor(pose)[0]
        np.testing.assert_allclose(alone.mesh, person.mesh, atol=1e-5)
        assert person.image_camera((640, 480)).shape == (4,)
    far = predictor(poses.astype(np.float64) + 1e6)
    np.testing.assert_allclose(far.mesh, prediction.mesh, atol=1e-5)
    nobody = predictor(poses[:0])
    assert len(nobody) == 0
    assert nobody.mesh.shape[1:] == prediction.mesh.shape[1:]
    assert len(prediction[[True, False, True, False, False]]) == 2


def test_bad_input_is_refused_as_by_the_predictor(exported):
    predictor, path, poses = exported
    without_torch, missing = OnnxPredictor(path), poses.copy()
    missing[1, 2] = np.nan
    for bad in (missing, poses[:, :5], poses * 0, poses.astype(str), np.dstack([poses, poses])):
        with pytest.raises(ValueError) as one:
            predictor(bad)
        with pytest.raises(ValueError) as other:
            without_torch(bad)
        assert str(one.value) == str(other.value)


def test_files_that_are_none_are_refused(exported, weights, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no ONNX file .*none.onnx"):
        OnnxPredictor(tmp_path / "none.onnx")
    path = tmp_path / "cut.onnx"
    path.write_bytes(exported[1].read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"cut.onnx: not an ONNX file, or damaged"):
        OnnxPredictor(path)
    export_onnx(load_trained(weights["coco"], "posenet"), path)
    with pytest.raises(ValueError, match=r"cut.onnx: its metadata are not those of a mesh network .*--stage pose2mesh"):
        OnnxPredictor(path)


@pytest.mark.parametrize("count", [2, 5, 16, 17])
def test_camera_fit_is_that_of_pytorch(count):
    import torch

    rng = np.random.default_rng(count)
    joints, target = rng.normal(size=(6, count, 3)), 250 + 80 * rng.normal(size=(6, count, 2))
    joints[0, :, 0] = 0.3  # on one vertical
    target[1] = 500 - 90 * joints[1, :, :2]  # seen upside down: the smallest scale is the best
    found = fit_weak_perspective(joints, target)
    expected = fit_with_torch(torch.from_numpy(joints), torch.from_numpy(target))
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
