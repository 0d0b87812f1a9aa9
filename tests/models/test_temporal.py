"""The temporal lifter: what it starts from, mirrors, lengths, windows."""

import pytest
import torch

from lib.geometry.person_view import person_view
from lib.joints.tables import COCO
from lib.models.lifters import build_lifter
from lib.models.sequence_meshes import frame_meshes
from lib.models.temporal import LiftedFrames
from lib.models.temporal_windows import lift_clip, window_starts
from lib.settings.config import Config
from tests.support.networks import disturbed

FRAMES = 9
FOCAL, PRINCPT = torch.tensor([1200.0, 1200.0]), torch.tensor([640.0, 360.0])


def lifter(mirror=False, trained=True):
    model = {"name": "posenet", "lifter": "temporal", "posenet_width": 32, "posenet_mirror": mirror}
    model |= {"temporal_width": 16, "temporal_blocks": 2, "temporal_heads": 2, "temporal_frames": FRAMES}
    cfg = Config().changed(DATASET={"input_joint_set": "coco", "input_scale": "common", "window": FRAMES}, MODEL=model)
    torch.manual_seed(0)
    built = build_lifter(cfg).eval()
    if trained:
        disturbed(built)
        torch.nn.init.normal_(built.head.weight, std=0.05)
    return built.requires_grad_(False)


def poses(frames, count=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    pose = 80 * torch.randn(count, 1, COCO.joint_num, 2, generator=generator) + torch.tensor([700.0, 300.0])
    return pose + 3 * torch.randn(count, frames, COCO.joint_num, 2, generator=generator).cumsum(dim=1)


def seen_of(pose2d):
    return torch.ones(pose2d.shape[:-1])


def test_untrained_it_gives_the_single_frames_poses_turned_back():
    network, pose2d = lifter(trained=False), poses(FRAMES, 2)
    cameras = FOCAL.expand(2, 2), PRINCPT.expand(2, 2)
    lifted = network(pose2d, seen_of(pose2d), *cameras)
    view = person_view(pose2d, *(value[:, None] for value in cameras))
    single = network.frame(view.pose2d.flatten(2).flatten(0, 1)).view(2, FRAMES, -1, 3)
    wanted = view.to_camera(single - single[:, :, COCO.root, None])
    assert (lifted.joints - wanted).abs().max() < 1e-3
    # the root starts at the smoothed direction, as far away as a usual body's spread says
    assert (lifted.root @ view.rotation[0, 0].T)[0, 0, :2].abs().max() < 1e-5
    assert (lifted.root.norm(dim=2) * view.size[..., 0] - 0.35).abs().max() < 1e-5


def test_mirrored_input_gives_the_mirrored_output():
    network, pose2d = lifter(mirror=True), poses(FRAMES)
    seen = seen_of(pose2d)
    seen[:, 2:4, 7] = 0
    lifted = network(pose2d, seen, FOCAL[None], PRINCPT[None])
    order = network.mirror.order
    other = torch.stack([2 * PRINCPT[0] - pose2d[..., 0], pose2d[..., 1]], dim=3)[:, :, order]
    mirrored = network(other, seen[:, :, order], FOCAL[None], PRINCPT[None])
    sign = torch.tensor([-1.0, 1.0, 1.0])
    assert (lifted.joints - sign * mirrored.joints[:, :, order]).abs().max() < 1e-3
    assert (lifted.root - sign * mirrored.root).abs().max() < 1e-5


def test_people_do_not_meet():
    network, pose2d = lifter(), poses(FRAMES, 3)
    cameras = FOCAL.expand(3, 2), PRINCPT.expand(3, 2)
    together = network(pose2d, seen_of(pose2d), *cameras)
    order = torch.tensor([2, 0, 1])
    permuted = network(pose2d[order], seen_of(pose2d), *cameras)
    assert (together.joints[order] - permuted.joints).abs().max() < 1e-3
    alone = network(pose2d[1:2], seen_of(pose2d[1:2]), FOCAL[None], PRINCPT[None])
    assert (together.joints[1:2] - alone.joints).abs().max() < 1e-3


def test_what_was_not_seen_counts():
    network, pose2d = lifter(), poses(FRAMES)
    seen = seen_of(pose2d)
    seen[:, 4] = 0
    apart = (
        network(pose2d, seen, FOCAL[None], PRINCPT[None]).joints
        - network(pose2d, seen_of(pose2d), FOCAL[None], PRINCPT[None]).joints
    )
    assert (apart.abs().amax(dim=(2, 3)) > 1e-4).all()  # in frames around, too


@pytest.mark.parametrize("length", [1, 2, FRAMES, FRAMES + 1, 40])
def test_clips_of_any_length(length):
    network, pose2d = lifter(), poses(length)[0]
    lifted = lift_clip(network, pose2d, seen_of(pose2d), FOCAL, PRINCPT)
    assert lifted.joints.shape == (length, COCO.joint_num, 3)
    assert lifted.root.shape == (length, 3)
    assert torch.isfinite(lifted.joints).all()
    assert lifted.joints[:, COCO.root].abs().max() < 1e-4
    if length <= FRAMES:
        whole = network(pose2d[None], seen_of(pose2d)[None], FOCAL[None], PRINCPT[None])
        assert (whole.joints[0] - lifted.joints).abs().max() < 1e-3


def test_windows_cover_everything_and_change_slowly():
    for length in (1, 8, 9, 10, 50, 51):
        reach = min(FRAMES, length)
        starts = window_starts(length, reach)
        covered = {frame for start in starts for frame in range(start, start + reach)}
        assert covered == set(range(length))
        assert starts == sorted(set(starts))
    # far from the end of a clip nothing depends on how it goes on
    network, pose2d = lifter(), poses(60)[0]
    long, short = (lift_clip(network, part, seen_of(part), FOCAL, PRINCPT).joints for part in (pose2d, pose2d[:54]))
    assert (long[:36] - short[:36]).abs().max() < 1e-3


def test_other_input_is_refused():
    network = lifter()
    for pose2d in (poses(FRAMES + 1), poses(3)[:, :, :17]):
        with pytest.raises(ValueError, match=f"takes .B, 1 to {FRAMES}, 19, 2"):
            network(pose2d, seen_of(pose2d), FOCAL[None], PRINCPT[None])


def test_meshes_turn_with_the_camera():
    """Somebody seen from the same side elsewhere in the picture has the same mesh, turned."""

    class Flat:
        @staticmethod
        def mesh(pose2d, pose3d):
            return torch.cat([pose2d, pose3d[..., 2:] / 1000], dim=2)

    joints = 300 * torch.randn(1, COCO.joint_num, 3, generator=torch.Generator().manual_seed(0))
    ahead = frame_meshes(Flat, LiftedFrames(joints, torch.tensor([[0.0, 0.0, 5.0]])), "common")
    cos, sin = 0.8, 0.6
    turn = torch.tensor([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
    aside = frame_meshes(Flat, LiftedFrames(joints @ turn.T, torch.tensor([[0.0, 0.0, 5.0]]) @ turn.T), "common")
    assert (ahead @ turn.T - aside).abs().max() < 1e-5
