"""The demo on sequences: films, arrays, tracks, smoothing, constant shape, memory."""

import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from data.convert.bvh import read_bvh
from lib.body.lbs import lbs
from lib.demo.fits import SequenceFits
from lib.demo.sequence_files import FrameResult
from lib.demo.smoothing import PoseSmoother
from lib.export import load_npz
from lib.joints.tables import JOINT_SETS
from lib.mesh.mesh_model import load_mesh_model
from lib.poses import Selection
from tests.support.demo_inputs import sample
from tests.support.files.bvh_clips import positions_of
from tests.support.gltf import Gltf

FRAME_BY_FRAME = "--temporal", "off"  # what people who are unseen for a moment are shown by
FRAMES = 6


@pytest.fixture
def walk(tmp_path):
    """Two people who move apart, with track numbers left to the demo, second absent in one frame; (T, 2, 17, 3)."""
    pose = (sample() - sample().min(axis=0)) * 0.35
    poses = np.ones((FRAMES, 2, 17, 3))
    for number in range(FRAMES):
        poses[number, 0, :, :2] = pose + np.array([60 - 5 * number, 20])
        poses[number, 1, :, :2] = pose + np.array([130 + 5 * number, 25])
    poses[2, 1] = np.nan
    np.save(tmp_path / "walk.npy", poses)
    return tmp_path / "walk.npy"


def film_frames(path) -> list[np.ndarray]:
    stream, frames = cv2.VideoCapture(str(path)), []
    while True:
        found, frame = stream.read()
        if not found:
            return frames
        frames.append(frame)


@pytest.fixture
def run_demo(run_demo):
    """With the network's vertices: what these tests are about does not depend on the mesh, and they are the fastest."""
    return lambda *arguments, **options: run_demo("--mesh", "network", *arguments, **options)


def test_film_and_arrays_of_two_people(run_demo, walk, tmp_path, capsys):
    assert run_demo("--input_pose", walk, "--smooth", "--fps", "10") == 0
    result = tmp_path / "result"
    assert {path.name for path in result.iterdir()} == {"walk_mesh.mp4", "walk_mesh.npz"}
    people = load_npz(result / "walk_mesh.npz")
    # the second is unseen in one frame, and carried over it
    assert people.track.tolist() == [0, 1] * FRAMES
    assert np.flatnonzero(people.carried).tolist() == [5]
    assert people.frame.tolist()[-2:] == ["5", "5"]
    # the camera follows the people: the first goes left, the second right
    x = people.translation[:, 0]
    assert x[people.track == 0][-1] < x[people.track == 0][0]
    assert x[people.track == 1][-1] > x[people.track == 1][0]
    frames = film_frames(result / "walk_mesh.mp4")
    assert len(frames) == FRAMES
    assert all(frame.max() > 100 for frame in frames)
    said = capsys.readouterr().out
    assert "Renderer: software" in said
    assert "Warning: the" not in said  # joints and meshes fit


def test_joints_of_another_source_are_noticed_once(run_demo, walk, tmp_path, capsys):
    """The second person, absent in one frame, has Human3.6M's joints, not COCO's."""
    poses = np.load(walk)
    wrong = sample("human36")[:, :2]
    poses[:, 1, :, :2] = (wrong - wrong.min(axis=0)) * 0.35 + np.array([130, 25])
    np.save(walk, poses)
    assert run_demo(*FRAME_BY_FRAME, "--input_pose", walk, "--save", "npz") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Warning: the")]
    assert line.startswith(
        f"Warning: the meshes of person 1 fit the poses badly in {FRAMES - 1} of {FRAMES - 1} frames"
    )
    np.save(walk, poses[:, 1])
    assert run_demo(*FRAME_BY_FRAME, "--input_pose", walk, "--video", "--check_input") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Warning: the")]
    assert line.endswith("--format human36")


def test_many_people_who_fit_badly_are_counted():
    fits = SequenceFits()
    tracks = np.arange(6)
    for number in range(10):
        residual = np.where((tracks > 0) & (number < 2), 40.0, 5.0)
        people = SimpleNamespace(track=tracks, lift_residual=residual)
        list(
            fits.watched(
                iter([FrameResult(number, "", people, None, None, []), FrameResult(99, "", None, None, None, [])])
            )
        )
    first, second, others = fits.lines
    assert first.startswith("Warning: the meshes of person 1 fit the poses badly in 2 of 10 frames (median 5 pixels")
    assert "person 2" in second
    assert others == "Warning: so do those of 3 more"


def test_smoothed_cameras_agree_in_crop_image_and_space(run_demo, walk, tmp_path):
    assert run_demo(*FRAME_BY_FRAME, "--input_pose", walk, "--save", "npz") == 0
    assert load_npz(tmp_path / "result" / "walk_mesh.npz").track.tolist() == [0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1]
    assert run_demo(*FRAME_BY_FRAME, "--input_pose", walk, "--smooth", "output", "--save", "npz") == 0
    people = load_npz(tmp_path / "result" / "walk_mesh.npz")
    side = people.box[:, 2:3]
    centre = people.box[:, :2] + people.box[:, 2:] / 2
    in_crop = people.camera_crop[:, 1:] * people.camera_crop[:, :1] * side / 2 + centre  # of the mesh's origin
    in_image = (people.camera_image[:, 2:] * people.camera_image[:, :2] + 1) * people.image_size / 2
    np.testing.assert_allclose(in_crop, in_image, atol=0.01)
    in_space = people.focal * people.translation[:, :2] / people.translation[:, 2:] + people.image_size / 2
    np.testing.assert_allclose(in_space, in_image, atol=0.01)


def test_constant_shape_and_parameters(run_demo, walk, tmp_path, capsys):
    save = ["--save", "npz,params,amass,obj,gif,html,png"]
    assert run_demo(*FRAME_BY_FRAME, "--input_pose", walk, "--constant_shape", *save) == 0
    result = tmp_path / "result"
    params = np.load(result / "walk_params.npz")
    for track in (0, 1):
        betas = params["betas"][params["track"] == track]
        assert (betas == betas[0]).all()
        motion = np.load(result / f"walk_person_{track}_poses.npz")
        assert motion["poses"].shape == (FRAMES - track, 156)
        assert motion["mocap_framerate"] == 30
    people = load_npz(result / "walk_mesh.npz")
    # the meshes are those of the parameters
    pose, betas = (torch.from_numpy(params[key]) for key in ("poses", "betas"))
    body = lbs(load_mesh_model("body", "open_1723").params(), pose, betas)[0]
    np.testing.assert_allclose(people.placed, body.numpy() + params["transl"][:, None], atol=1e-4)
    assert len(list((result / "walk_meshes").glob("*.obj"))) == FRAMES
    assert len(list((result / "walk_frames").glob("*.png"))) == FRAMES
    assert (result / "walk_mesh.gif").read_bytes()[:6] == b"GIF89a"
    said = capsys.readouterr().out
    assert "Parameters: mean distance" in said
    assert "Unseen: person_1 in 1 of 6 frames; amass leaves these frames out\n" in said


def test_skeletons_of_two_people(run_demo, walk, tmp_path, capsys):
    """Where the parameters stand, upright; the second person, absent in frame 2, keeps the pose of frame 1."""
    result = tmp_path / "result"
    result.mkdir()
    (result / "walk_person_7.bvh").write_text("of an earlier run")
    assert run_demo(*FRAME_BY_FRAME, "--input_pose", walk, "--save", "bvh,rigged,params", "--fps", "10") == 0
    assert {path.name for path in result.iterdir()} == {
        "walk_params.npz", "walk_person_0.bvh", "walk_person_1.bvh", "walk_rigged.glb",
    }  # fmt: skip
    said = capsys.readouterr().out
    assert "Rigged: skinned vertices are" in said
    assert "Unseen: person_1 in 1 of 6 frames; bvh keeps the pose before, rigged keeps the pose before\n" in said
    params, file = np.load(result / "walk_params.npz"), Gltf(result / "walk_rigged.glb")
    model = load_mesh_model("body", "open_1723")
    joints = lbs(model.params(), *(torch.from_numpy(params[key]) for key in ("poses", "betas")))[1].numpy()
    joints = (joints + params["transl"][:, None]) * [1, -1, -1]
    for track, rows in ((0, [0, 1, 2, 3, 4, 5]), (1, [0, 1, 1, 2, 3, 4])):
        own = joints[params["track"] == track][rows]
        clip = read_bvh(result / f"walk_person_{track}.bvh")
        assert clip.fps == pytest.approx(10)
        np.testing.assert_allclose(
            positions_of(clip)[:, [clip.index(name) for name in JOINT_SETS["smpl"].joints]], own, atol=1e-4
        )
        person = f"person_{track}"
        found = [file.joints(person, file.world(person, number / 10)) for number in range(FRAMES)]
        np.testing.assert_allclose(found, own, atol=1e-4)


def test_array_of_one_person_and_a_video_below_it(run_demo, walk, tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 12, (320, 240))
    for number in range(FRAMES):
        writer.write(np.full((240, 320, 3), 20 * number + 30, np.uint8))
    writer.release()
    np.save(tmp_path / "one.npy", np.load(walk)[:, 0])
    assert run_demo("--input_pose", tmp_path / "one.npy", "--input_img", tmp_path / "v.avi", "--save", "mp4") == 0
    frames = film_frames(tmp_path / "result" / "one_mesh.mp4")
    assert [frame.shape for frame in frames] == [(240, 320, 3)] * FRAMES
    corners = [int(frame[2, 300, 0]) for frame in frames]
    np.testing.assert_allclose(corners, [20 * number + 30 for number in range(FRAMES)], atol=6)


def test_a_broken_sequence_leaves_no_files(run_demo, walk, tmp_path, capsys):
    (tmp_path / "images").mkdir()
    for number in range(FRAMES):
        side = 240 if number < 4 else 200
        cv2.imwrite(str(tmp_path / "images" / f"{number}.png"), np.zeros((side, side, 3), np.uint8))
    assert run_demo("--input_pose", walk, "--input_img", tmp_path / "images") == 2
    assert "picture of frame 4 is 200 x 200, the first one was 240 x 240" in capsys.readouterr().err
    assert list((tmp_path / "result").iterdir()) == []


def test_empty_frames_are_kept_in_the_film(run_demo, walk, tmp_path):
    poses = np.load(walk)
    poses[3] = np.nan
    np.save(walk, poses)
    assert run_demo(*FRAME_BY_FRAME, "--input_pose", walk) == 0
    frames = film_frames(tmp_path / "result" / "walk_mesh.mp4")
    assert len(frames) == FRAMES
    assert frames[3].max() < 20


def test_smoothing_halves_jitter_without_lag():
    """A limb that swings at 1 Hz by 0.1 of the person's size: less noise, nearly no delay."""
    rng, fps, count = np.random.default_rng(0), 30.0, 90
    body = np.array([[0.0, 0], [100, 400], [50, 200]])
    time = np.arange(count) / fps
    truth = body + np.stack([np.zeros((count, 3)), 40 * np.sin(2 * np.pi * time)[:, None] * [0, 0, 1]], axis=2)
    noisy = truth + rng.normal(0, 3, truth.shape)
    smoother = PoseSmoother(fps)
    smooth = np.stack([smoother(number, _one(pose)).poses[0] for number, pose in enumerate(noisy)])
    still = slice(10, None), slice(0, 2)

    def error(poses, part):
        return np.sqrt(np.square(poses - truth)[part].mean())

    def jitter(poses):
        return np.abs(np.diff(poses, 2, axis=0)).mean()

    assert error(smooth, still) < 0.65 * error(noisy, still)
    assert error(smooth, (slice(10, None), slice(2, 3))) < 1.2 * error(noisy, still)
    assert jitter(smooth) < 0.55 * jitter(noisy)


def _one(pose) -> Selection:
    joints = len(pose)
    row = np.zeros(1, np.int64)
    return Selection(pose[None], np.ones((1, joints)), np.zeros((1, joints), bool), row, row)


def test_tracks_that_return_start_anew():
    smoother = PoseSmoother(30.0)
    pose = np.array([[0.0, 0], [100, 400]])
    smoother(0, _one(pose))
    moved = smoother(30, _one(pose + 200)).poses[0]
    np.testing.assert_array_equal(moved, pose + 200)


def test_long_frame_names_that_come_late(run_demo, tmp_path):
    keypoints = np.column_stack([(sample() - sample().min(axis=0)) * 0.35 + 20, np.ones(17)]).ravel().tolist()
    names = [*(f"{number}.jpg" for number in range(70)), "folder/" * 20 + "70.jpg"]
    people = [{"image_id": name, "category_id": 1, "keypoints": keypoints, "score": 1, "idx": 1} for name in names]
    (tmp_path / "long.json").write_text(json.dumps(people))
    assert run_demo("--input_pose", tmp_path / "long.json", "--video", "--save", "npz") == 0
    assert load_npz(tmp_path / "result" / "long_mesh.npz").frame.tolist() == names


def test_alphapose_video_of_the_demo_is_two_people(run_demo, tmp_path):
    from lib.poses import assign_tracks, read_poses
    from tests.helpers import ROOT

    sequence = assign_tracks(read_poses(ROOT / "demo" / "demo_input_video.json"))
    assert sequence.is_video
    assert {track for frame in sequence.frames for track in frame.tracks.tolist()} == {0, 1}
    assert json.loads((ROOT / "demo" / "demo_input_video.json").read_text())[0]["image_id"] == sequence.frames[0].name
