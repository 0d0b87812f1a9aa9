"""The demo and the predictor, end to end with small random networks: outputs, input checks, choice of weights."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import lib.predictor as predictor_module
from lib.aug_utils import standardise
from lib.core.checkpoint import save_checkpoint
from lib.core.config import Config
from lib.demo_pipeline import OUTPUT_NAMES, load_pose, sample_pose_path
from lib.joint_sets import JOINT_SETS, get_joint_set
from lib.mesh_graph import MeshGraph
from lib.mesh_model import load_mesh_model
from lib.models.pose2mesh_net import build_pose2mesh
from lib.models.project_net import project, project_to_image
from lib.predictor import Pose2MeshPredictor, camera_crop, check_poses, find_weights, resolve_device
from tests.helpers import ROOT, assert_close, golden


def write_weights(path: Path, joint_set: str, body: str, levels: int = 6) -> Path:
    """A checkpoint of a narrow network with random weights."""
    torch.manual_seed(0)
    cfg = Config()
    cfg.DATASET.input_joint_set = cfg.DATASET.target_joint_set = joint_set
    cfg.MODEL.body, cfg.MODEL.posenet_width = body, 16
    cfg.MODEL.mesh_channels = [[5, 8], *([[8, 8]] * (levels - 1)), [8, 3]]
    kind = get_joint_set(joint_set)
    graph = MeshGraph.build(load_mesh_model(kind.body, body).faces, kind, levels)
    save_checkpoint(
        path,
        epoch=1,
        model=build_pose2mesh(cfg, graph),
        train_log=[],
        test_log={"surface": [], "joint": []},
        graph_state=graph.to_state(),
        config=cfg.to_dict(),
    )
    return path


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    bodies = {"human36": "open_1723", "coco": "open_1723", "smpl": "open_1723", "mano": "open_hand"}
    return {name: write_weights(folder / name / "final.pth.tar", name, body) for name, body in bodies.items()}


@pytest.fixture(scope="session")
def predictor(weights) -> Pose2MeshPredictor:
    return Pose2MeshPredictor("coco", weights["coco"], "cpu")


@pytest.fixture(scope="session")
def demo_main():
    spec = importlib.util.spec_from_file_location("demo_run", ROOT / "demo" / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture
def run(demo_main, weights, tmp_path):
    """Run the demo on the CPU with small weights; returns the exit code."""

    def call(*arguments, joint_set="coco", output=tmp_path / "result"):
        defaults = ["--joint_set", joint_set, "--output", output, "--device", "cpu"]
        if "--weights" not in arguments:
            defaults += ["--weights", weights[joint_set]]
        if "--renderer" not in arguments:
            defaults += ["--renderer", "matplotlib"]
        return demo_main([str(a) for a in (*defaults, *arguments)])

    return call


def sample(joint_set: str = "coco") -> np.ndarray:
    return np.load(sample_pose_path(joint_set))


# ------------------------------------------------------------------------------------------------------- end to end


@pytest.mark.parametrize("joint_set", JOINT_SETS)
def test_demo_without_input_writes_all_results(joint_set, run, tmp_path, capsys):
    import trimesh

    assert run(joint_set=joint_set) == 0
    result = tmp_path / "result"
    assert sorted(p.name for p in result.iterdir()) == sorted(OUTPUT_NAMES)
    width, height = (int(1.5 * m) for m in sample(joint_set).max(axis=0))
    for name in OUTPUT_NAMES[:2]:
        picture = cv2.imread(str(result / name))
        assert picture.shape == (height, width, 3)
        assert picture.any()
    vertex_num = load_mesh_model(*("hand", "open_hand") if joint_set == "mano" else ("body", "open_1723")).vertex_num
    lines = (result / "demo_mesh.obj").read_text().splitlines()
    vertices = np.array([line.split()[1:] for line in lines if line.startswith("v ")], dtype=float)
    assert vertices.shape == (vertex_num, 3)
    glb = trimesh.load(result / "demo_mesh.glb", force="mesh", process=False)
    np.testing.assert_allclose(glb.vertices, vertices * [1, -1, -1], atol=1e-6)  # metres, y up
    out = capsys.readouterr().out
    for text in ("Mesh model: open", "final.pth.tar", f"{width} x {height}", "Camera: ", "matplotlib", "demo_mesh.glb"):
        assert text in out


def test_results_are_the_same_in_every_run(run, tmp_path):
    for folder in ("a", "b"):
        assert run(output=tmp_path / folder) == 0
    for name in OUTPUT_NAMES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert run("--seed", 3, output=tmp_path / "c") == 0
    assert (tmp_path / "a/demo_mesh.png").read_bytes() != (tmp_path / "c/demo_mesh.png").read_bytes()
    assert (tmp_path / "a/demo_mesh.obj").read_bytes() == (tmp_path / "c/demo_mesh.obj").read_bytes()


def test_image_keeps_its_size_and_background(run, tmp_path):
    photo = np.random.default_rng(0).integers(0, 255, (640, 410, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    assert run("--input_img", tmp_path / "photo.png") == 0
    for name in OUTPUT_NAMES[:2]:
        picture = cv2.imread(str(tmp_path / "result" / name))
        assert picture.shape == photo.shape
        assert np.array_equal(picture[:50, :50], photo[:50, :50])


def test_warnings_for_input_that_runs_but_misleads(run, tmp_path, capsys):
    pose = sample()
    pose[3] = 0
    np.save(tmp_path / "pose.npy", pose)
    cv2.imwrite(str(tmp_path / "small.png"), np.zeros((64, 64, 3), np.uint8))
    assert run("--input_pose", tmp_path / "pose.npy", "--input_img", tmp_path / "small.png") == 0
    out = capsys.readouterr().out
    assert "1 joint(s) at (0, 0)" in out
    assert "outside the picture" in out


def test_gpu_flag_falls_back_to_the_cpu(demo_main, weights, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    arguments = ["--gpu", "0", "--weights", weights["coco"], "--output", tmp_path, "--renderer", "matplotlib"]
    assert demo_main([str(a) for a in arguments]) == 0
    assert "running on the CPU" in capsys.readouterr().out


# ----------------------------------------------------------------------------------------------------- bad input


def bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    """Unusable pose files and what the message must say."""
    good = sample()
    nan, infinite = good.copy(), good.copy()
    nan[4, 1], infinite[7, 0] = np.nan, np.inf
    arrays = {
        "too few joints": (good[:16], "expected (19, 2), or (17, 2) without Pelvis, Neck"),
        "joints of the hand": (np.ones((21, 2)), "as many joints as --joint_set mano"),
        "transposed": (good.T, "it is transposed: save array.T"),
        "batch": (good[None], "save array[0]"),
        "one column": (good[:, :1], "joints in order: 0 Nose, 1 L_Eye"),
        "nan": (nan, "joint 4 (R_Ear) is NaN or infinite"),
        "infinite": (infinite, "joint 7 (L_Elbow) is NaN or infinite"),
        "one point": (np.full((19, 2), 5.0), "too small"),
        "one column of pixels": (good * [0, 1], "too small"),
        "fractions": (good / 1000, "coordinates must be pixels"),
        "text": (np.full((19, 2), "a"), "expected numbers"),
        "complex": (good * 1j, "expected numbers"),
        "negative": (good - 2000, "negative"),
        "huge": (good * 1e6, "give pixels"),
    }
    files = {}
    for name, (array, message) in arrays.items():
        np.save(folder / f"{name}.npy", array)
        files[name] = (folder / f"{name}.npy", message)
    np.save(folder / "pickled.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.savez(folder / "archive.npz", pose=good)
    (folder / "words.npy").write_text("1 2 3")
    (folder / "empty.npy").touch()
    (folder / "cut.npy").write_bytes((sample_pose_path("coco")).read_bytes()[:150])
    for name in ("pickled.npy", "words.npy", "empty.npy", "cut.npy"):
        files[name] = (folder / name, "not a .npy file with plain numbers")
    files["archive"] = (folder / "archive.npz", "archive")
    files["missing"] = (folder / "nothing.npy", "not found")
    files["folder"] = (folder, "is a folder")
    return files


def test_bad_pose_files_give_one_clear_line_and_change_nothing(run, tmp_path, capsys):
    result = tmp_path / "result"
    result.mkdir()
    for name in OUTPUT_NAMES:
        (result / name).write_text("earlier")
    (tmp_path / "poses").mkdir()
    for case, (path, message) in bad_files(tmp_path / "poses").items():
        assert run("--input_pose", path) == 2, case
        error = capsys.readouterr().err
        assert message in error, f"{case}: {error}"
        assert error.startswith("error: "), case
        assert error.count("\n") == 1, f"{case}: {error}"
    assert [(result / name).read_text() for name in OUTPUT_NAMES] == ["earlier"] * len(OUTPUT_NAMES)
    assert len(list(result.iterdir())) == len(OUTPUT_NAMES)


def test_other_bad_arguments(run, weights, tmp_path, capsys):
    (tmp_path / "photo.png").write_text("no image")
    (tmp_path / "file").touch()
    cases = [
        (["--input_img", tmp_path / "photo.png"], "not an image"),
        (["--input_img", tmp_path / "none.png"], "not found"),
        (["--device", "cuda:99"], "this machine has"),
        (["--device", "gpu"], "unknown device 'gpu'"),
        (["--weights", tmp_path / "none"], "none"),
        (["--weights", tmp_path / "photo.png"], "could not be read"),
        (["--weights", weights["human36"]], "use --joint_set human36"),
        (["--body", "open_6890"], "trained for another mesh: theirs has 1723 vertices"),
        (["--body", "nobody"], "unknown body model 'nobody'"),
        (["--output", tmp_path / "file"], "file"),
    ]
    for arguments, message in cases:
        assert run(*arguments) == 2, arguments
        error = capsys.readouterr().err
        assert message in error, error
        assert error.count("\n") == 1
    assert not (tmp_path / "result").exists()
    with pytest.raises(SystemExit, match="2"):
        run("--joint_set", "body25")
    assert "coco" in capsys.readouterr().err


def test_an_error_while_writing_keeps_earlier_results(run, tmp_path, monkeypatch):
    assert run() == 0
    before = {name: (tmp_path / "result" / name).read_bytes() for name in OUTPUT_NAMES}

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("lib.demo_pipeline.save_glb", fail)
    np.save(tmp_path / "pose.npy", sample() * 1.2)
    assert run("--input_pose", tmp_path / "pose.npy") == 2
    assert {p.name: p.read_bytes() for p in (tmp_path / "result").iterdir()} == before


def test_help_lists_every_joint_order(demo_main, capsys):
    with pytest.raises(SystemExit, match="0"):
        demo_main(["--help"])
    text = capsys.readouterr().out
    assert all(joint_set.describe() in text for joint_set in JOINT_SETS.values())


# ------------------------------------------------------------------------------------------------------ pose files


@pytest.mark.parametrize("joint_set", JOINT_SETS)
def test_shipped_samples_load(joint_set):
    pose, scores = load_pose(sample_pose_path(joint_set), get_joint_set(joint_set))
    assert pose.shape == (get_joint_set(joint_set).joint_num, 2)
    assert scores is None


def test_coco_files_may_leave_out_pelvis_and_neck(tmp_path):
    values = golden("demo")
    np.save(tmp_path / "pose.npy", values["coco_in"])
    pose, scores = load_pose(tmp_path / "pose.npy", get_joint_set("coco"))
    assert_close(np.concatenate([pose, scores[:, None]], axis=1), values["coco_pelvis_neck_out"])


def test_whole_number_poses_are_not_truncated(predictor):
    pose = sample().round()
    whole, real = predictor.predict(pose[None].astype(np.int64)), predictor.predict(pose[None])
    assert torch.equal(whole.mesh, real.mesh)
    assert torch.equal(whole.camera, real.camera)


def test_network_input_and_crop_match_the_original():
    values = golden("demo")
    pose = torch.from_numpy(check_poses(values["demo_int64_in"][None], get_joint_set("human36")))
    # the original truncated this file to whole crop pixels; its numbers for the same pose as floats are the right ones
    assert_close(standardise(pose), values["demo_float32_net_in"])
    box, target = camera_crop(pose)
    assert_close(box[0], values["demo_float32_bbox"])
    assert_close(target[0], values["demo_float32_target"])
    assert np.abs(values["demo_int64_net_in"] - values["demo_float32_net_in"]).max() > 1e-3


# ------------------------------------------------------------------------------------------------------- predictor


def test_prediction_shapes_and_units(predictor):
    prediction = predictor.predict(sample()[None].repeat(3, axis=0))
    assert prediction.mesh.shape == (3, 1723, 3)
    assert prediction.joints.shape == prediction.pose3d.shape == (3, 19, 3)
    assert prediction.camera.shape == (3, 3)
    assert prediction.image_camera((640, 480)).shape == (3, 4)
    regressor = torch.from_numpy(load_mesh_model("body", "open_1723").joint_regressor("coco"))
    joints = regressor @ prediction.mesh[0]
    assert_close(prediction.joints[0, :17], joints)
    assert_close(prediction.joints[0, 17], (joints[11] + joints[12]) / 2)
    target = camera_crop(prediction.pose2d.double())[1]
    errors = (project(prediction.camera.double(), prediction.joints.double()) - target).abs().mean((1, 2))
    assert_close(errors, prediction.residual, 1e-4)


def test_batches_equal_single_poses(predictor):
    generator = np.random.default_rng(0)
    poses = sample()[None, :17] + generator.normal(0, 5, (5, 17, 2))
    together = predictor.predict(poses, batch_size=2)
    for k, pose in enumerate(poses):
        alone = predictor.predict(torch.from_numpy(pose)[None])
        assert_close(together.mesh[k], alone.mesh[0])
        assert_close(together.camera[k], alone.camera[0], 1e-3)


def test_moving_and_scaling_a_pose_moves_the_overlay_with_it(predictor):
    pose = sample().astype(np.float64)
    first, second = predictor.predict(pose[None]), predictor.predict(2 * pose[None] + 100)
    assert_close(second.mesh, first.mesh)
    size = (900, 700)
    pixels = [project_to_image(p.image_camera(size), p.mesh, size) for p in (first, second)]
    assert_close(pixels[1], 2 * pixels[0] + 100, 0.01)


def test_wrong_poses_are_refused_with_the_joint_order(predictor):
    with pytest.raises(ValueError, match=r"\(B, 17 or 19, 2\).*got \(2, 18, 2\).*17 Pelvis, 18 Neck"):
        predictor.predict(np.ones((2, 18, 2)))
    with pytest.raises(ValueError, match="pose 1 is"):
        predictor.predict(np.stack([sample(), np.zeros((19, 2))]))
    with pytest.raises(ValueError, match=r"got \(0, 19, 2\)"):
        predictor.predict(np.zeros((0, 19, 2)))


def test_devices():
    assert resolve_device("cpu").type == "cpu"
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for name in ("cuda:x", "cuda:", "tpu", "cpu:0"):
        with pytest.raises(ValueError, match="unknown device"):
            resolve_device(name)


# --------------------------------------------------------------------------------------------------- choice of weights


def fake_root(folder: Path, *weights: str) -> Path:
    """A repository root with the open models and empty weight files."""
    (folder / "asset").symlink_to(ROOT / "asset", target_is_directory=True)
    for name in weights:
        (folder / "experiment" / name).mkdir(parents=True)
        (folder / "experiment" / name / "final.pth.tar").touch()
    return folder


@pytest.mark.parametrize("name", JOINT_SETS)
def test_open_weights_are_taken_without_licensed_files(name, tmp_path):
    folders = predictor_module.OPEN_WEIGHTS[name], predictor_module.ORIGINAL_WEIGHTS[name]
    chosen = find_weights(get_joint_set(name), fake_root(tmp_path, *folders))
    assert chosen.parent.name == folders[0]


def test_original_weights_are_taken_with_licensed_files(tmp_path, monkeypatch):
    root = fake_root(tmp_path, predictor_module.OPEN_WEIGHTS["coco"], predictor_module.ORIGINAL_WEIGHTS["coco"])
    licensed = type("Licensed", (), {"name": "smpl"})
    monkeypatch.setattr(predictor_module, "load_mesh_model", lambda *_: licensed)
    assert find_weights(get_joint_set("coco"), root).parent.name == predictor_module.ORIGINAL_WEIGHTS["coco"]


def test_missing_weights_name_both_places(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"manoJ_open.*manoJ_train_freihand.*Pose2Mesh_RELEASE"):
        find_weights(get_joint_set("mano"), fake_root(tmp_path))
    root = (
        fake_root(tmp_path / "b", predictor_module.ORIGINAL_WEIGHTS["coco"]) if (tmp_path / "b").mkdir() is None else 0
    )
    with pytest.raises(FileNotFoundError, match="it needs the SMPL files as well"):
        find_weights(get_joint_set("coco"), root)


def test_topology_finds_the_body_when_the_settings_leave_it_open(weights):
    checkpoint = torch.load(weights["coco"], weights_only=True)
    model, graph = predictor_module._mesh_and_graph(checkpoint, get_joint_set("coco"), "auto", ROOT)
    assert model.name == "open_1723"
    assert graph.topology_hash == model.topology_hash


def test_original_weights_refuse_open_bodies():
    with pytest.raises(ValueError, match="fit SMPL only, not open_6890"):
        predictor_module._mesh_and_graph({"graph": None}, get_joint_set("coco"), "open_6890", ROOT)
    # the same number of vertices is not enough: the level sizes of the coarsening are checked too
    same_size = str(ROOT / "asset/open_body/open_body_6890.npz")
    with pytest.raises(ValueError, match="SMPL mesh coarsens to levels of"):
        predictor_module._mesh_and_graph({"graph": None}, get_joint_set("coco"), same_size, ROOT)


def test_original_weights_get_the_graph_of_their_mesh(monkeypatch):
    asked = []
    faces = golden("legacy_order")["smpl2020.faces"]  # a stand-in that coarsens as SMPL does
    licensed = type("Licensed", (), {"faces": faces})
    monkeypatch.setattr(predictor_module, "load_mesh_model", lambda *arguments: asked.append(arguments) or licensed)
    _, graph = predictor_module._mesh_and_graph({"graph": None}, get_joint_set("coco"), "auto", ROOT)
    assert asked == [("body", "smpl", ROOT)]
    graph.check_topology(faces)
    assert graph.sizes[0] == 12288


def test_posenet_weights_are_refused(tmp_path, weights):
    checkpoint = torch.load(weights["coco"], weights_only=True)
    checkpoint["config"]["MODEL"]["name"] = "posenet"
    torch.save(checkpoint, tmp_path / "posenet.pth.tar")
    with pytest.raises(ValueError, match="holds posenet weights"):
        Pose2MeshPredictor("coco", tmp_path / "posenet.pth.tar", "cpu")
