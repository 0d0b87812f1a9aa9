"""The demo, end to end with small random networks: outputs, bad input."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from lib.demo import sample_pose_path
from lib.demo.command import wrote
from lib.joints.tables import JOINT_SETS
from lib.mesh.mesh_model import load_mesh_model
from tests.support.demo_inputs import sample

PICTURES = ("demo_pose2d.png", "demo_mesh.png")
OUTPUT_NAMES = (*PICTURES, "demo_views.png", "demo_mesh.obj", "demo_mesh.glb")


@pytest.fixture
def run(demo_main, weights, tmp_path):
    """Run the demo on the CPU with small weights; returns the exit code."""

    def call(*arguments, joint_set="coco", output=tmp_path / "result"):
        defaults = ["--joint_set", joint_set, "--output", output, "--device", "cpu"]
        if "--weights" not in arguments:
            defaults += ["--weights", weights[joint_set]]
        if "--renderer" not in arguments:
            defaults += ["--renderer", "software"]
        return demo_main([str(a) for a in (*defaults, *arguments)])

    return call


# ------------------------------------------------------------------------------------------------------- end to end


@pytest.mark.parametrize("joint_set", JOINT_SETS)
def test_demo_without_input_writes_all_results(joint_set, run, tmp_path, capsys):
    import trimesh

    assert run(joint_set=joint_set) == 0
    result = tmp_path / "result"
    assert sorted(p.name for p in result.iterdir()) == sorted(OUTPUT_NAMES)
    width, height = (int(1.5 * m) for m in sample(joint_set).max(axis=0))
    for name in PICTURES:
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
    for text in ("Mesh model: open", "final.pth.tar", f"{width} x {height}", "Camera: ", "software", "demo_mesh.glb"):
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
    for name in PICTURES:
        picture = cv2.imread(str(tmp_path / "result" / name))
        assert picture.shape == photo.shape
        assert np.array_equal(picture[:50, :50], photo[:50, :50])


def test_missing_joints_are_filled_and_named(run, tmp_path, capsys):
    pose = sample() + np.array([100, 150])
    pose[3], pose[4, 1], pose[7, 0] = 0, np.nan, np.inf
    np.save(tmp_path / "pose.npy", pose)
    cv2.imwrite(str(tmp_path / "small.png"), np.zeros((310, 244, 3), np.uint8))
    assert run("--input_pose", tmp_path / "pose.npy", "--input_img", tmp_path / "small.png") == 0
    out = capsys.readouterr().out
    assert "person 0: 3 missing joint(s) filled: L_Ear, R_Ear, L_Elbow" in out
    assert "outside the picture" in out
    assert run("--input_pose", tmp_path / "pose.npy", "--no_fill") == 2
    assert "3 joint(s) missing, not filled as asked" in capsys.readouterr().err


def test_gpu_flag_falls_back_to_the_cpu(demo_main, weights, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    arguments = ["--gpu", "0", "--weights", weights["coco"], "--output", tmp_path, "--renderer", "software"]
    assert demo_main([str(a) for a in arguments]) == 0
    assert "running on the CPU" in capsys.readouterr().out


# ----------------------------------------------------------------------------------------------------- bad input


def bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    """Unusable pose files and what the message must say."""
    good = sample()
    arrays = {
        "too few joints": (
            good[:16],
            "has 16 joints, which no known source of a body has; known: 15, 17, 18",
        ),
        "joints of the hand": (np.ones((21, 2)), "those of a hand (mano21); a body is wanted: add"),
        "transposed": (good.T, "it is transposed: save array.T"),
        "one column": (good[:, :1], "expected .npy or .npz with numbers of shape (J, 2 or 3) for one person"),
        "all missing": (np.full((19, 2), np.nan), "no joint has coordinates"),
        "one point": (np.full((19, 2), 5.0), "spread over at least 2 pixels"),
        "one column of pixels": (good * [0, 1], "outside any picture"),
        "fractions": (good / 1000, "fractions of the image"),
        "text": (np.full((19, 2), "a"), "holds an array of <U1"),
        "complex": (good * 1j, "holds an array of complex"),
        "negative": (good - 2000, "negative"),
        "huge": (good * 1e6, "give pixels"),
    }
    files = {}
    for name, (array, message) in arrays.items():
        np.save(folder / f"{name}.npy", array)
        files[name] = (folder / f"{name}.npy", message)
    np.save(folder / "pickled.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.savez(folder / "archive.npz", a=good, b=good)
    (folder / "words.npy").write_text("1 2 3")
    (folder / "empty.npy").touch()
    (folder / "cut.npy").write_bytes((sample_pose_path("coco")).read_bytes()[:150])
    files["pickled"] = (folder / "pickled.npy", "the first a dict with the keys a, none of the known layouts")
    for name in ("words.npy", "empty.npy"):
        files[name] = (folder / name, "is no NumPy file")
    files["cut"] = (folder / "cut.npy", "cannot be read")
    files["archive"] = (folder / "archive.npz", "has no poses, only a, b; expected")
    files["missing"] = (folder / "nothing.npy", "not found")
    files["folder"] = (folder, "has no .json files")
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
        (["--joint_set", "body25"], "choose one of human36, coco, smpl, mano or a joint set file"),
        (["--save", "obj,fbx"], "unknown format 'fbx'; choose from obj, glb, ply"),
        (["--save", "mp4"], "mp4 needs a sequence (see --video)"),
        (["--joint_set", "mano", "--video", "--save", "npz,amass"], "--save amass is for bodies"),
        (["--smooth"], "--smooth need frames that follow each other"),
        (["--video", "--fps", "0"], "--fps must be between 0 and 1000"),
        (["--format", "yolo"], "unknown format 'yolo'"),
        (["--input_pose", ".", "--joint_set", "mano"], "person(s) without hands; hands come from"),
        (["--input_pose", ".", "--detect"], "--input_pose and --detect exclude each other"),
        (["--detect"], "give one with --input_img"),
        (["--focal", "0"], "focal length must be a positive number"),
    ]
    for arguments, message in cases:
        assert run(*arguments) == 2, arguments
        error = capsys.readouterr().err
        assert message in error, error
        assert error.count("\n") == 1
    assert not (tmp_path / "result").exists()


def test_an_error_while_writing_keeps_earlier_results(run, tmp_path, monkeypatch):
    assert run() == 0
    before = {name: (tmp_path / "result" / name).read_bytes() for name in OUTPUT_NAMES}

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("lib.export.save_mesh", fail)
    np.save(tmp_path / "pose.npy", sample() * 1.2)
    assert run("--input_pose", tmp_path / "pose.npy") == 2
    assert {p.name: p.read_bytes() for p in (tmp_path / "result").iterdir()} == before


def test_help_lists_every_joint_order(demo_main, capsys):
    with pytest.raises(SystemExit, match="0"):
        demo_main(["--help"])
    text = capsys.readouterr().out
    assert all(joint_set.describe() in text for joint_set in JOINT_SETS.values())


def test_errors_of_options_are_short(demo_main, capsys):
    for arguments in (["--height", "1.8", "--betas", "1"], ["--nonsense"], ["--hand_side", "both"]):
        with pytest.raises(SystemExit, match="2"):
            demo_main(arguments)
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 2
        assert "--help" in lines[0]
        assert arguments[0] in lines[1]


def test_every_kind_of_file_is_named():
    few = [Path("out") / name for name in ("a.png", "a.obj", "b.png")]
    assert wrote(few) == "out/a.png, out/a.obj, out/b.png"
    many = [Path("out") / f"{number}{ending}" for ending in (".png", ".obj") for number in range(9)]
    many.append(Path("out/a.npz"))
    assert wrote(many) == "out/0.png and 8 more .png, out/0.obj and 8 more .obj, out/a.npz"


def test_turntables_of_pictures_and_sequences(run, tmp_path, capsys):
    from lib.files.images import open_film

    def frames(path):
        return round(open_film(path).get(7))  # cv2.CAP_PROP_FRAME_COUNT

    output = tmp_path / "result"
    assert run("--turntable", "--fps", 2) == 0
    assert sorted(path.name for path in output.iterdir()) == sorted((*OUTPUT_NAMES, "demo_turntable.mp4"))
    assert frames(output / "demo_turntable.mp4") == 10
    sequence = np.stack([sample("coco")] * 4)
    np.save(tmp_path / "walk.npy", sequence)
    film = ("--input_pose", tmp_path / "walk.npy", "--video", "--turntable", "--fps", 2)
    assert run(*film, "--save", "gif", output=tmp_path / "film") == 0
    assert {path.name for path in (tmp_path / "film").iterdir()} == {"walk_mesh.gif", "walk_turntable.gif"}
    assert frames(tmp_path / "film" / "walk_turntable.gif") == 8  # played twice
    assert run("--save", "gif", output=tmp_path / "none") == 2
    assert "gif needs a sequence" in capsys.readouterr().err
