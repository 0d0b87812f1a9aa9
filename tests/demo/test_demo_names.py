"""Output files: a name of its own for each image, whatever images are called; nothing of an earlier run stays."""

import json

import cv2
import numpy as np
import pytest

from lib.demo.images import ImageFolder, checked_canvas, read_image
from lib.demo.names import output_stems
from lib.export import load_npz
from lib.poses import Frame
from tests.support.demo_inputs import sample
from tests.support.made_inputs import png


def people(count: int = 1) -> list:
    pose = np.concatenate([sample()[:17], np.ones((17, 1))], axis=1)
    return [(pose + np.array((300 * number, 0, 0))).tolist() for number in range(count)]


@pytest.fixture
def run_demo(run_demo):
    """With the network's vertices: what these tests are about does not depend on the mesh, and they are the fastest."""
    return lambda *arguments, **options: run_demo("--mesh", "network", *arguments, **options)


@pytest.mark.parametrize(
    ("names", "stems"),
    [
        (["a.jpg", "b.jpg"], ["a", "b"]),
        (["a.jpg", "a.png"], ["a.jpg", "a.png"]),
        (["vid.0001", "vid.0002"], ["vid.0001", "vid.0002"]),
        (["dir1/s.jpg", "dir2/s.jpg"], ["dir1_s", "dir2_s"]),
        (["dir1/s.jpg", "dir2/s.jpg", "dir1_s.jpg"], ["dir1_s.jpg", "dir2_s", "dir1_s"]),
        (["A.jpg", "a.jpg"], ["A.jpg", "a.jpg_2"]),
        (["", "..", "\0.jpg", "../../etc/x.jpg"], ["pose", "pose_2", "jpg", "x"]),
    ],
)
def test_stems(names, stems):
    assert output_stems(names) == stems


def test_stems_of_many_long_names_differ_and_fit_a_file_system():
    names = ["ü" * 240 + f"{number}.jpg" for number in range(2000)]
    stems = output_stems(names)
    assert len(set(stems)) == len(names)
    assert max(len(stem.encode()) for stem in stems) < 130


def test_images_of_one_name_do_not_share_a_result_and_a_bad_name_costs_that_image_only(run_demo, tmp_path):
    names = ["a.jpg", "a.png", "", "\0", "b" * 240 + ".jpg", "\x1b[31m"]
    (tmp_path / "people.json").write_text(json.dumps({name: people() for name in names}))
    assert run_demo("--input_pose", tmp_path / "people.json", "--save", "npz") == 0
    results = list((tmp_path / "result").glob("*_mesh.npz"))
    assert len(results) == len(names)
    assert sorted(load_npz(path).frame[0] for path in results) == sorted(name.rstrip("\0") for name in names)


def test_image_names_do_not_leave_the_folder(tmp_path):
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "secret.png"), np.zeros((4, 4, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.zeros((4, 4, 3), np.uint8))
    images = ImageFolder(tmp_path / "images")
    for name in ("../secret.png", str(tmp_path / "secret.png"), "x/../../secret.png", "\0", "x" * 300):
        with pytest.raises((FileNotFoundError, OSError, ValueError)):
            images.read(0, Frame(name, np.zeros((0, 17, 3))))
    assert images.path(0, Frame("../a.png", np.zeros((0, 17, 3)))) == tmp_path / "images" / "a.png"


def test_a_run_with_fewer_people_leaves_no_files_of_the_one_before(run_demo, tmp_path):
    result = tmp_path / "result"
    result.mkdir()
    (result / "other_mesh_1.obj").write_text("mine")
    for count in (3, 2):
        poses = {"a.jpg": people(count), "b.jpg": people(1)}
        (tmp_path / "people.json").write_text(json.dumps(poses))
        assert run_demo("--input_pose", tmp_path / "people.json", "--save", "obj") == 0
        assert len(list(result.glob("a_mesh_*.obj"))) == len(list(result.glob("a_pose2d_*.png"))) == count
    assert (result / "other_mesh_1.obj").read_text() == "mine"


def test_a_shorter_sequence_leaves_no_frames_of_the_one_before(run_demo, tmp_path):
    (tmp_path / "result" / "poses_frames").mkdir(parents=True)
    (tmp_path / "result" / "poses_frames" / "notes.txt").write_text("mine")
    for count in (3, 2):
        np.save(tmp_path / "poses.npy", np.repeat(sample()[None], count, axis=0))
        assert run_demo("--input_pose", tmp_path / "poses.npy", "--video", "--save", "obj,png,amass") == 0
        assert len(list((tmp_path / "result" / "poses_meshes").iterdir())) == count
        assert len(list((tmp_path / "result" / "poses_frames").glob("*.png"))) == count
    assert (tmp_path / "result" / "poses_frames" / "notes.txt").is_file()


def test_very_long_frame_names_do_not_blow_up_arrays(run_demo, tmp_path):
    poses = [{"image_id": f"{number}{'x' * 100_000}.jpg", "keypoints": np.ravel(people()).tolist(), "idx": 0}
             for number in range(2)]  # fmt: skip
    (tmp_path / "p.json").write_text(json.dumps(poses))
    assert run_demo("--input_pose", tmp_path / "p.json", "--video", "--save", "npz") == 0
    assert load_npz(tmp_path / "result" / "p_mesh.npz").frame.dtype.itemsize <= 4 * 256


def test_pictures_of_absurd_size_are_refused_before_they_are_unpacked(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png(30000, 30000, 0))
    with pytest.raises(ValueError, match=r"bomb\.png claims 30000 x 30000 pixels"):
        read_image(tmp_path / "bomb.png")
    with open(tmp_path / "sparse.jpg", "wb") as stream:
        stream.truncate(20 << 30)
    with pytest.raises(ValueError, match=r"sparse\.jpg is larger than"):
        read_image(tmp_path / "sparse.jpg")
    for ending in ("png", "jpg", "bmp"):
        cv2.imwrite(str(tmp_path / f"good.{ending}"), np.zeros((5, 7, 3), np.uint8))
        assert read_image(tmp_path / f"good.{ending}").shape == (5, 7, 3)
    assert checked_canvas(640, 480.9) == (640, 480)
    for size in ((1e30, 10), (np.inf, 10), (np.nan, 10), (9000, 9000), (0, 10)):
        with pytest.raises(ValueError):
            checked_canvas(*size)


def test_empty_options_and_crowds_are_errors(run_demo, tmp_path, capsys):
    for option in ("input_pose", "input_img", "weights", "joint_set"):
        assert run_demo(f"--{option}", "") == 2
        assert f"--{option} is empty" in capsys.readouterr().err
    np.save(tmp_path / "crowd.npy", sample() + 500 * np.arange(1001)[:, None, None])
    assert run_demo("--input_pose", tmp_path / "crowd.npy") == 2
    assert "crowd.npy: 1001 people in one picture" in capsys.readouterr().err


def test_replaced_results_are_named_and_nothing_else_is_touched(run_demo, tmp_path, capsys):
    result = tmp_path / "result"
    poses = ["--input_pose", tmp_path / "people.json"]
    for images, count, save in ((("a.jpg", "b.jpg"), 2, "npz"), (("a.jpg", "b.jpg"), 1, "ply")):
        (tmp_path / "people.json").write_text(json.dumps({name: people(count) for name in images}))
        assert run_demo(*poses, "--save", save) == 0
        replaced = "Replaced, of an earlier run: " in capsys.readouterr().out
        assert replaced == (save == "ply")
        (result / "a_mesh.png").write_text("mine")  # no name of ours where there are several images
    names = {f"{stem}_{end}" for stem in "ab" for end in ("pose2d_0.png", "mesh_0.png", "views.png", "mesh.ply")}
    assert {path.name for path in result.iterdir()} == names | {"a_mesh.npz", "b_mesh.npz", "a_mesh.png"}


def test_a_sequence_that_fails_keeps_earlier_results_and_one_that_ends_replaces_them(run_demo, tmp_path, monkeypatch):
    result, poses = tmp_path / "result", np.repeat(sample()[None], 3, axis=0)
    np.save(tmp_path / "poses.npy", poses)
    arguments = ["--input_pose", tmp_path / "poses.npy", "--video", "--save", "gif,obj,npz"]
    assert run_demo(*arguments) == 0
    before = {path: path.read_bytes() for path in result.rglob("*") if path.is_file()}
    assert len(before) == 5
    np.save(tmp_path / "poses.npy", poses[:2] * 1.2)
    with monkeypatch.context() as patch:
        patch.setattr("lib.export.NpzWriter.close", lambda self: (_ for _ in ()).throw(OSError("disk full")))
        assert run_demo(*arguments) == 2
    assert {path: path.read_bytes() for path in result.rglob("*") if path.is_file()} == before
    assert run_demo(*arguments) == 0
    after = {path: path.read_bytes() for path in result.rglob("*") if path.is_file()}
    assert len(after) == 4
    assert all(before[path] != content for path, content in after.items())
