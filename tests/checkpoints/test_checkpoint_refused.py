"""Checkpoints that are refused, and weights that do not fit the model."""

import os
import pickle
import random

import numpy as np
import pytest
import torch

from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.files import load_checkpoint
from lib.models.posenet import PoseNet
from tests.support.files.checkpoint_files import ORIGINAL, original, small_posenet

# ---------------------------------------------------------------------------------------------------- refused files


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


class Evaluating:
    def __reduce__(self):
        return eval, ("1 + 1",)


@pytest.mark.parametrize("legacy", [True, False])
def test_malicious_file_is_refused_by_name_and_not_executed(tmp_path, legacy):
    target, path = tmp_path / "executed", tmp_path / "a.pth.tar"
    content = {"model_state_dict": {}, "train_log": Malicious(target)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ValueError, match=r"refused: it asks to call \w+\.mkdir.*Nothing was executed"):
        load_checkpoint(path)
    assert not target.exists()
    torch.save({"model_state_dict": Evaluating()}, path)
    with pytest.raises(ValueError, match=r"refused: it asks to call eval"):
        load_checkpoint(path)


def test_allow_list_is_not_registered_globally():
    load_checkpoint(original("newzip"))
    with pytest.raises(pickle.UnpicklingError):
        torch.load(original("newzip"), weights_only=True)


def test_numpy_objects_other_than_plain_numbers_are_refused(tmp_path):
    for value in (np.arange(3), np.datetime64("2020-01-01"), np.str_("text")):
        torch.save({"model_state_dict": {}, "train_log": value}, tmp_path / "a.pth.tar")
        with pytest.raises(ValueError):
            load_checkpoint(tmp_path / "a.pth.tar")


@pytest.mark.parametrize("name", ORIGINAL)
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_truncated_file(tmp_path, name, share):
    content = original(name).read_bytes()
    path = tmp_path / "a.pth.tar"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"a\.pth\.tar .*(cut short or damaged|is empty)"):
        load_checkpoint(path)


@pytest.mark.parametrize("name", ORIGINAL)
def test_damaged_file_never_raises_anything_else(tmp_path, name):
    content, path, draw = original(name).read_bytes(), tmp_path / "a.pth.tar", random.Random(0)
    refused = 0
    for _ in range(40):
        damaged = bytearray(content)
        for position in draw.sample(range(4000), 8):
            damaged[position] = draw.randrange(256)
        path.write_bytes(damaged)
        try:
            load_checkpoint(path)
        except ValueError:
            refused += 1
    assert refused > 20


def test_file_of_another_program(tmp_path):
    path = tmp_path / "a.pth.tar"
    torch.save({"state_dict": {"conv1.weight": torch.zeros(2)}, "arch": "resnet"}, path)
    with pytest.raises(ValueError, match=r"not a Pose2Mesh checkpoint: it holds a dict with the keys state_dict, arch"):
        load_checkpoint(path)
    torch.save({"conv1.weight": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match=r"conv1\.weight"):
        load_checkpoint(path)
    torch.save([1, 2], path)
    with pytest.raises(ValueError, match="an object of type list"):
        load_checkpoint(path)
    path.write_text("<html>quota exceeded</html>")
    with pytest.raises(ValueError, match="not a checkpoint"):
        load_checkpoint(path)


# -------------------------------------------------------------------------------------------- weights that do not fit


def test_other_joint_set_and_width_are_explained():
    checkpoint = load_checkpoint(original("newzip"))
    with pytest.raises(ValueError, match=r"takes 17 joints, the model 19 .*input_joint_set(.|\n)*w1\.weight is"):
        checkpoint.load_into(PoseNet(19, width=64))
    with pytest.raises(ValueError, match=r"PoseNet is 64 wide, the model's 32"):
        checkpoint.load_into(PoseNet(17, width=32))


def test_stages_mixed_up_are_explained():
    posenet = load_checkpoint(original("newzip"))
    both = {f"pose_lifter.{key}": value for key, value in posenet.state.items()}
    both["pose2mesh.fc.weight"] = torch.zeros(8, 4)
    with pytest.raises(ValueError, match=r"holds Pose2Mesh .*, the model is PoseNet alone"):
        Checkpoint(both).load_into(PoseNet(17, width=64))


def test_missing_and_unknown_keys_are_named():
    model = small_posenet()
    state = model.state_dict()
    del state["w2.bias"]
    state["w9.bias"] = torch.zeros(3)
    with pytest.raises(ValueError, match=r"missing in the file: w2\.bias\nunknown to the model: w9\.bias"):
        Checkpoint(state).load_into(model)


def test_refused_weights_leave_the_model_as_it_was():
    model = small_posenet(joints=19)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError, match="does not fit"):
        Checkpoint.of(small_posenet(seed=1)).load_into(model)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
