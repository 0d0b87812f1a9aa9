"""Checkpoint files of the original release, and small networks to save and load."""

import torch

from lib.checkpoints.digest import DIGEST
from lib.models.posenet import PoseNet
from tests.helpers import GOLDEN

ORIGINAL = ("legacy2020", "newzip")


def original(name):
    return GOLDEN / f"ckpt_posenet_hid64_{name}.pth.tar"


def write_content(path, content):
    """A file of what a checkpoint holds, changed: without the digest, as older ones are."""
    torch.save({key: value for key, value in content.items() if key != DIGEST}, path)


def small_posenet(seed=0, joints=17, width=8):
    torch.manual_seed(seed)
    return PoseNet(joints, width=width)
