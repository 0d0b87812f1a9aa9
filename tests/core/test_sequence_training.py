"""The temporal lifter is trained like the other stages: it learns, resumes to the bit, keeps its frozen part."""

import pytest
import torch

from data.Synthetic.sequences import SyntheticSequences
from lib.core import commands, tester
from lib.core.base import Options, Trainer
from lib.core.runs import seed_everything
from lib.core.sequence_loss import SequenceLoss
from lib.core.stage_choice import build_stage
from lib.datasets.pose_dataset import stream
from lib.models.temporal import LiftedFrames
from lib.units import MM_PER_M
from tests.datasets.sequences.conftest import motion  # noqa: F401  # a fixture
from tests.support.runs import run_command, same_weights, train

pytestmark = pytest.mark.usefixtures("without_plots")

FRAMES = 7
MODEL = {
    "lifter": "temporal",
    "temporal_width": 16,
    "temporal_blocks": 1,
    "temporal_heads": 2,
    "temporal_frames": FRAMES,
}


@pytest.fixture
def cfg(small_config, motion):  # noqa: F811
    drawn = {
        "motion": [str(motion)],
        "samples_per_epoch": 32,
        "test_samples": 2,
        "clean_share": 0.3,
        "jitter_share": 0.3,
    }
    return small_config(
        "posenet", "coco", DATASET={"window": FRAMES, "input_scale": "common"}, MODEL=MODEL, SYNTHETIC=drawn,
        TRAIN={"batch_size": 8, "end_epoch": 2, "lr": 0.003, "optimizer": "adamw", "clip_norm": 1.0},
    )  # fmt: skip


def test_windows_are_what_the_camera_sees(cfg):
    data = SyntheticSequences("train", cfg.changed(SYNTHETIC={"clean_share": 1.0}))
    batch = data.batch(range(6), stream(0))
    joints = batch.targets["lift_pose3d"] / MM_PER_M + batch.targets["root"][:, :, None]
    seen = joints[..., :2] / joints[..., 2:] * batch.inputs["focal"][:, :, None] + batch.inputs["princpt"][:, :, None]
    known = (batch.inputs["seen"] > 0)[:, :, :17]  # the others are means of pixels
    assert known.float().mean() > 0.8
    assert (seen - batch.inputs["pose2d"])[:, :, :17][known].abs().max() < 0.01
    assert joints[..., 2].min() > 0.5
    # one body all along: bones keep their lengths
    bones = (batch.targets["lift_pose3d"][:, :, 13] - batch.targets["lift_pose3d"][:, :, 15]).norm(dim=-1)
    assert (bones.std(dim=1) / bones.mean(dim=1)).max() < 0.08
    again = data.batch(range(6), stream(0))
    assert all(torch.equal(batch.inputs[key], again.inputs[key]) for key in batch.inputs)


def test_training_learns_and_leaves_the_frozen_lifter_alone(cfg):
    cfg = cfg.changed(MODEL={"posenet_freeze": True}, TRAIN={"lr": 0.01})
    seed_everything(0)
    trainer = Trainer(cfg, Options(seed=0))
    before = {key: value.clone() for key, value in trainer.model.state_dict().items()}
    trainer.model.train()
    batch = trainer.dataset.batch(range(8), stream(0))
    losses = [trainer.step(trainer.model, batch, 1)[0].item() for _ in range(40)]
    assert losses[-1] < 0.75 * losses[0]
    for key, value in trainer.model.state_dict().items():
        assert torch.equal(value, before[key]) == key.startswith("frame."), key


def test_resumed_training_ends_like_one_that_never_stopped(cfg, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    _, run = train(cfg, whole)
    train(cfg.changed(TRAIN={"end_epoch": 1}), parts)
    same_weights(run, run_command(commands.train, cfg, parts, resume_training=True))


def test_loss_is_zero_for_the_truth_and_counts_what_it_says():
    generator = torch.Generator().manual_seed(0)
    joints, root = 100 * torch.randn(2, 5, 4, 3, generator=generator), torch.rand(2, 5, 3, generator=generator) + 2
    total, terms = SequenceLoss()(LiftedFrames(joints, root), joints, root)
    assert total.abs() < 1e-3
    # all joints but the root 3 mm off, at rest: no step is wrong
    total, terms = SequenceLoss()(LiftedFrames(joints + torch.tensor([0.0, 3.0, 0.0]), root), joints, root)
    assert terms["joint loss"].item() == pytest.approx(3.0, rel=1e-4)
    assert terms["step loss"].abs() < 1e-3
    # a tenth further away along the line of sight: only depth, and steps along it
    total, terms = SequenceLoss()(LiftedFrames(joints, 1.1 * root), joints, root)
    assert terms["place loss"].abs() < 1e-2
    assert terms["depth loss"].item() == pytest.approx(200 * torch.tensor(1.1).log().item(), rel=1e-4)
    assert terms["joint loss"].abs() < 1e-4


def test_what_does_not_go_together_is_refused(cfg, motion, tmp_path):  # noqa: F811
    body = SyntheticSequences("train", cfg).mesh_model
    with pytest.raises(ValueError, match="DATASET.window trains the temporal lifter"):
        build_stage(cfg.changed(MODEL={"lifter": "mlp"}), body)
    with pytest.raises(ValueError, match="TEST.precision bf16 does nothing"):
        build_stage(cfg.changed(TEST={"precision": "bf16"}), body)
    with pytest.raises(ValueError, match="takes sequences: set DATASET.window"):
        build_stage(cfg.changed(DATASET={"window": 0}), body)
    with pytest.raises(ValueError, match="takes sequences"):
        build_stage(cfg.changed(MODEL={"name": "pose2mesh_net"}), body)
    with pytest.raises(ValueError, match="TEST.filter mean is of single frames in sequences"):
        build_stage(cfg.changed(TEST={"filter": "mean"}), body)
    with pytest.raises(ValueError, match="is more than the 3 frames of MODEL.temporal_frames"):
        build_stage(cfg.changed(MODEL={"temporal_frames": 3}), body).build_model()
    with pytest.raises(FileNotFoundError, match="TEST.mesh_path is nowhere"):
        build_stage(cfg.changed(TEST={"mesh_path": "nowhere"}), body).build_model()
    for name in ("save_predictions", "vis", "smooth"):
        with pytest.raises(ValueError, match=f"TEST.{name} is of tests on frames"):
            build_stage(cfg.changed(TEST={name: True}), body)
    with pytest.raises(ValueError, match="saved predictions are of tests on frames"):
        tester.Tester(cfg, Options()).check_predictions("nowhere")
    with pytest.raises(ValueError, match="SYNTHETIC.motion names no clips"):
        SyntheticSequences("train", cfg.changed(SYNTHETIC={"motion": []}))
    with pytest.raises(ValueError, match="has no sequences here"):
        Trainer(cfg.changed(DATASET={"train_list": ["MuCo"]}), Options())
