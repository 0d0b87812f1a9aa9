"""Frames that do not supervise: the loss is that of the others."""

import pytest
import torch

from lib.core.sequence_loss import SequenceLoss
from lib.models.temporal import LiftedFrames


@pytest.fixture
def lifted():
    generator = torch.Generator().manual_seed(0)
    joints, root = 100 * torch.randn(3, 6, 5, 3, generator=generator), torch.rand(3, 6, 3, generator=generator) + 2
    found = LiftedFrames(joints + torch.randn(joints.shape, generator=generator), root + 0.01)
    return found, joints, root


def test_value_and_gradient_stay_where_all_frames_are_valid(lifted):
    found, joints, root = lifted
    gradients = []
    for valid in (None, torch.ones(3, 6)):
        lift = found.joints.clone().requires_grad_()
        total, _ = SequenceLoss()(LiftedFrames(lift, found.root), joints, root, valid)
        total.backward()
        gradients.append((total.detach(), lift.grad))
    assert all(torch.equal(*pair) for pair in zip(*gradients))
    # the plain means, to the bit
    _, terms = SequenceLoss()(found, joints, root)
    assert torch.equal(terms["joint loss"], (found.joints - joints).norm(dim=-1).mean())
    assert torch.equal(terms["depth loss"], 200 * (found.root[..., 2] / root[..., 2]).log().abs().mean())


def test_invalid_frames_count_nothing(lifted):
    found, joints, root = lifted
    valid = torch.ones(3, 6)
    valid[:, 4:] = 0
    _, wanted = SequenceLoss()(LiftedFrames(found.joints[:, :4], found.root[:, :4]), joints[:, :4], root[:, :4])
    found.joints[:, 4:] += 1000
    found.root[:, 4:] += 1
    _, terms = SequenceLoss()(found, joints, root, valid)
    torch.testing.assert_close(terms, wanted)
    total, _ = SequenceLoss()(found, joints, root, torch.zeros(3, 6))
    assert total == 0
