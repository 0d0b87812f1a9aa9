"""One person's frames lifted together: any length, gaps, frame rates, cameras, shapes, and the same while they come."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lib.joints.lookup import get_joint_set
from lib.predictor import Circumstances, Pose2MeshPredictor, SequenceLifter, StreamLifter, sequences
from tests.support.temporal import walk, write_temporal

COCO = get_joint_set("coco")
SIZE = (800, 600)
LENS = 1000.0, (400.0, 300.0)


@pytest.fixture(scope="module")
def temporal(tmp_path_factory):
    return write_temporal(tmp_path_factory.mktemp("temporal") / "final.pth.tar")


@pytest.fixture(scope="module")
def lifter(temporal):
    return SequenceLifter(COCO, temporal)


@pytest.fixture(scope="module")
def predictor(weights, temporal):
    return Pose2MeshPredictor("coco", weights["coco"], "cpu", mesh="network", temporal=temporal)


def lift(lifter, poses, numbers=None, fps=30.0, seen=None):
    poses = COCO.add_derived(poses)
    seen = np.isfinite(poses).all(axis=2) if seen is None else seen
    numbers = np.arange(len(poses)) if numbers is None else numbers
    return lifter.lift(lifter.runs(poses, seen, numbers, fps), fps, *LENS)


def assert_same(found, wanted):
    for name in ("joints", "root"):
        torch.testing.assert_close(getattr(found, name), getattr(wanted, name), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("count", [1, 2, 80, 81, 82, 300])
def test_any_length(lifter, count):
    people = lift(lifter, walk(count))
    assert people.joints.shape == (count, 19, 3)
    assert people.known.all()
    assert people.joints.abs().max() > 100  # millimetres
    assert (people.root[:, 2] > 1).all()


def test_frames_without_the_person_are_those_that_saw_no_joint(lifter):
    poses, gone = walk(60), [20, 21, 22, 41]
    kept = np.setdiff1d(np.arange(60), gone)
    hidden = poses.copy()
    hidden[gone] = np.nan
    assert_same(lift(lifter, poses[kept], kept), lift(lifter, hidden)[torch.from_numpy(kept)])
    # in between the joints are on a straight line, and where they are tells nothing else
    filled = lift(lifter, hidden).pose2d[20:23, :17].numpy()
    np.testing.assert_allclose(filled[1], (poses[19] + poses[23]) / 2, atol=1e-3)


def test_after_half_a_second_without_the_person_the_sequence_starts_anew(lifter):
    poses = walk(60)
    for gap, apart in ((15, False), (16, True)):
        numbers = np.r_[0:30, 30 + gap : 60 + gap]
        together = lift(lifter, poses, numbers)
        alone = [lift(lifter, poses[:30]), lift(lifter, poses[30:])]
        same = torch.allclose(together.joints, torch.cat([part.joints for part in alone]), atol=1e-2)
        assert same is apart


def test_numbers_count_from_anywhere(lifter):
    poses = walk(90)
    assert_same(lift(lifter, poses, np.arange(90) + 12345), lift(lifter, poses))


def test_a_joint_that_was_not_seen_counts_for_nothing_whatever_it_says(predictor):
    poses, scores = walk(40), np.ones((40, 17))
    scores[5:9, 3] = 0.1
    scores[20, 10] = 0
    hidden = poses.copy()
    hidden[scores <= 0.1] = np.nan
    poses[scores <= 0.1] = 0
    found = predictor.predict_sequence(poses, known=Circumstances(SIZE, scores=scores))
    wanted = predictor.predict_sequence(hidden, known=Circumstances(SIZE))
    torch.testing.assert_close(found.mesh, wanted.mesh)
    torch.testing.assert_close(found.pose2d, wanted.pose2d)


def test_a_joint_that_no_frame_saw_is_guessed_from_the_others(predictor):
    poses = walk(20, jitter=0)
    hidden = poses.copy()
    hidden[:, 0] = np.nan
    found = predictor.predict_sequence(hidden).pose2d[:, 0].numpy()
    assert np.linalg.norm(found - poses[:, 0], axis=1).max() < 0.3 * np.ptp(poses[0], axis=0).max()
    hidden[:, :10] = np.nan
    with pytest.raises(ValueError, match="frame 0 and those after it: 10 of 17 joints missing"):
        predictor.predict_sequence(hidden)


def test_other_frame_rates_are_those_of_the_lifter(lifter):
    poses = walk(121)
    assert_same(lift(lifter, poses, fps=60.0)[0:121:2], lift(lifter, poses[::2]))
    slow = lift(lifter, poses[::3], fps=10.0)
    assert (slow.joints - lift(lifter, poses)[::3].joints).abs().max() < 100
    assert_same(lift(lifter, poses, fps=25.0), lift(lifter, poses))
    ends = lift(lifter, walk(3), fps=1000.0)  # all of them within two milliseconds
    assert_same(ends[0:3:2], lift(lifter, walk(3)[::2]))


@pytest.mark.parametrize("before", [0, 7, 59])
def test_the_stream_lifts_as_all_at_once_where_it_sees_as_much(lifter, before):
    poses, tracks = COCO.add_derived(walk(60)), np.array([4])
    seen = np.ones((60, 19), bool)
    stream = StreamLifter(lifter, 30.0)
    for number in range(60):
        stream.add(number, tracks, poses[number : number + 1], seen[number : number + 1])
    assert_same(stream.lift(59 - before, tracks, *LENS), lift(lifter, walk(60))[59 - before : 60 - before])


def test_the_stream_forgets(lifter):
    """What the lifter does not reach, and those who left; who has no number, or was not there, is not lifted."""
    stream, seen = StreamLifter(lifter, 30.0), np.ones((1, 19), bool)
    poses = COCO.add_derived(walk(200))
    for number in range(200):
        stream.add(number, np.array([number // 60]), poses[number : number + 1], seen)
    assert sorted(stream._seen) == [1, 2, 3]  # the last 81 pictures
    assert sum(map(len, stream._seen.values())) == 81
    assert_same(stream.lift(199, np.array([3]), *LENS), lift(lifter, walk(200)[180:])[19:])
    assert stream.lift(199, np.array([-1, 0, 3, 2]), *LENS).known.tolist() == [False, False, True, False]
    assert len(stream.lift(199, np.array([], int), *LENS)) == 0


@pytest.mark.parametrize("fps", [7.0, 60.0])
def test_the_stream_reaches_as_far_at_other_frame_rates(lifter, fps):
    stream, tracks, seen = StreamLifter(lifter, fps), np.array([0]), np.ones((1, 19), bool)
    poses = COCO.add_derived(walk(200))
    for number in range(200):
        stream.add(number, tracks, poses[number : number + 1], seen)
    kept = len(stream._seen[0])
    assert kept == {7.0: 19, 60.0: 161}[fps]  # 80 / 30 seconds
    assert_same(stream.lift(199, tracks, *LENS), lift(lifter, walk(200)[-kept:], fps=fps)[kept - 1 :])


def test_the_mesh_stands_where_the_lifter_says(predictor, lifter):
    poses = walk(12)
    people = lifter.lift(
        lifter.runs(COCO.add_derived(poses), np.ones((12, 19), bool), np.arange(12), 30.0), 30.0, *LENS
    )
    found = predictor.predict_sequence(poses, known=Circumstances(SIZE, focal=1000.0))
    assert len(found) == 12
    torch.testing.assert_close(found.joints[:, COCO.root] / 1000 + found.translation, people.root)
    torch.testing.assert_close(found.pose3d, people.joints)
    torch.testing.assert_close(found.focal, torch.full((12,), 1000.0))
    assert found.risk.isnan().all()
    # the weak camera agrees with it where the origin is
    middle = found.box[:, :2] + found.box[:, 2:] / 2
    weak = found.camera[:, 1:] * found.camera[:, :1] * found.box[:, 2:] / 2 + middle
    sees = 1000 * found.translation[:, :2] / found.translation[:, 2:] + torch.tensor([400.0, 300.0])
    torch.testing.assert_close(weak, sees)


@pytest.mark.parametrize("type_", [torch.float64, torch.bfloat16])
def test_tensors_are_taken_with_gradients_and_of_any_type(predictor, type_):
    poses = torch.from_numpy(walk(3)).to(type_)
    scores = torch.ones(3, 17, requires_grad=True)
    found = predictor.predict_sequence(poses.clone().requires_grad_(), known=Circumstances(SIZE, scores=scores))
    wanted = predictor.predict_sequence(poses.double().numpy(), known=Circumstances(SIZE))
    torch.testing.assert_close(found.mesh, wanted.mesh)


def test_who_stands_in_the_camera_has_the_mesh_of_somebody_before_it(predictor):
    """Seen from nowhere a mesh would be anything; so it is made for the place where the person is put."""
    people = lift(predictor.sequence_lifter, walk(3))
    near = replace(people, root=people.root * torch.tensor([[1e-3], [-1.0], [1e-2]]))
    found = predictor.predict_lifted(near)
    place = near.root * (0.5 / near.root[:, 2:].clamp_min(1e-3))
    place[:, 2] = 0.5
    wanted = predictor.predict_lifted(replace(people, root=place))
    torch.testing.assert_close(found.mesh, wanted.mesh)
    torch.testing.assert_close(found.joints[:, COCO.root] / 1000 + found.translation, place)


def test_of_unknown_pictures_one_camera_is_assumed(predictor):
    poses = walk(50)
    found = predictor.predict_sequence(poses)
    assert found.focal.unique().numel() == 1
    assert found.principal.unique(dim=0).tolist() == [
        pytest.approx((poses.min((0, 1)) + poses.max((0, 1))) / 2, abs=1e-3)
    ]
    height = np.ptp(poses[..., 1], axis=1).mean() / found.focal[0].item()  # of the distance
    assert 1 / 4 < height < 1 / 2
    given = predictor.predict_sequence(poses, known=Circumstances(focal=700.0))
    assert given.focal.unique().tolist() == [700.0]
    torch.testing.assert_close(given.principal, found.principal)


def test_surfaces_have_one_shape(weights, temporal):
    predictor = Pose2MeshPredictor("coco", weights["coco"], "cpu", mesh="refined", temporal=temporal)
    found = predictor.predict_sequence(walk(5), known=Circumstances(SIZE))
    assert (found.betas == found.betas[0]).all()
    assert found.betas.any()
    known = predictor.predict_sequence(walk(5), known=Circumstances(SIZE, betas=np.full(10, 0.5, np.float32)))
    assert (known.betas == 0.5).all()
    assert len(predictor.predict_sequence(np.zeros((0, 17, 2)))) == 0


def test_meshes_and_windows_are_made_a_few_at_a_time(predictor, monkeypatch):
    meshes, windows = [], []
    inner = sequences.frame_meshes
    monkeypatch.setattr(
        sequences, "frame_meshes", lambda net, x, scale: meshes.append(len(x.root)) or inner(net, x, scale)
    )
    hook = predictor.sequence_lifter.network.register_forward_pre_hook(lambda _, given: windows.append(len(given[0])))
    predictor.predict_sequence(walk(330), known=Circumstances(SIZE))
    hook.remove()
    assert (max(meshes), sum(meshes)) == (64, 330)
    assert max(windows) <= 8 < sum(windows)


def test_what_cannot_be_lifted_is_refused(predictor, weights, temporal):
    poses = walk(4)
    cases = [
        ({"poses": poses[0]}, "expected poses \\(T, 17 or 19, 2\\)"),
        ({"poses": poses, "fps": 2.0}, "5 to 1000 frames per second"),
        ({"poses": poses, "known": Circumstances(scores=np.ones((3, 17)))}, "4 poses of 17 joints have scores"),
        ({"poses": poses, "known": Circumstances(frames=np.array([0, 2, 2, 3]))}, "have to increase"),
        ({"poses": poses, "known": Circumstances(frames=np.arange(3))}, "4 frames have numbers"),
        ({"poses": poses, "known": Circumstances(left=np.ones(4, bool))}, "no left hands"),
        ({"poses": poses, "known": Circumstances(focal=-1.0)}, "focal length"),
        ({"poses": 0 * poses + 5}, "too small"),
        ({"poses": poses, "known": Circumstances(frames=np.arange(4) / 2)}, "whole numbers"),
        ({"poses": poses, "known": Circumstances((0, 600))}, "positive pixels"),
        ({"poses": poses, "known": Circumstances((800, np.nan))}, "positive pixels"),
        ({"poses": poses, "known": Circumstances((800, 600, 3))}, "positive pixels"),
        ({"poses": poses, "known": Circumstances(SIZE, betas=np.full(10, np.nan))}, "betas are NaN"),
    ]
    for arguments, message in cases:
        with pytest.raises(ValueError, match=message):
            predictor.predict_sequence(**arguments)
    with pytest.raises(FileNotFoundError, match="no temporal lifter for joint set 'human36'; there are some for coco"):
        Pose2MeshPredictor("human36", weights["human36"], "cpu", mesh="network").predict_sequence(poses)
    with pytest.raises(ValueError, match="takes coco joints, not human36"):
        SequenceLifter(get_joint_set("human36"), temporal)
    with pytest.raises(ValueError, match="holds pose2mesh_net; sequences need"):
        SequenceLifter(COCO, weights["coco"])
