"""Checkpoints: files of the original release, round trips, atomic writing, finding files."""

import os
import random
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.files import copy_checkpoint, identity, load_checkpoint, save_checkpoint
from lib.checkpoints.finding import find_checkpoint, search_places
from lib.checkpoints.random_state import get_rng_state, set_rng_state
from lib.graph.mesh_graph import MeshGraph
from lib.joints.tables import COCO
from lib.models.posenet import PoseNet
from lib.settings.config import Config
from tests.helpers import ROOT, assert_close, golden
from tests.support.files.checkpoint_files import ORIGINAL, original, small_posenet, write_content

ORIGINAL_KEYS = ["epoch", "model_state_dict", "optim_state_dict", "scheduler_state_dict", "train_log", "test_log"]


def small(model=None, **changes):
    values = {"epoch": 3, "train_log": [1.5], "test_log": {"surface": [], "joint": [80.0]}}
    return Checkpoint.of(model or small_posenet(), **(values | changes))


def save_small(path, model=None, **changes):
    save_checkpoint(path, small(model, **changes))
    return path


# -------------------------------------------------------------------------------------------------- original files


@pytest.mark.parametrize("name", ORIGINAL)
def test_original_file_gives_the_original_output(name):
    data = golden("ckpt_posenet_io")
    model = PoseNet(17, width=64)
    load_checkpoint(original(name)).load_into(model)
    with torch.no_grad():
        output = model.eval()(torch.from_numpy(data["x"]))
    assert_close(output.flatten(1), data["eval_out"], 1e-6)


@pytest.mark.parametrize("name", ORIGINAL)
def test_logs_of_original_files_become_plain_numbers(name):
    checkpoint = load_checkpoint(original(name))
    assert checkpoint.epoch == 30
    assert checkpoint.train_log == [35.21, 30.5]
    assert checkpoint.test_log == {"surface": [9999.9, 101.5], "joint": [88.25, 80.125]}
    assert all(type(value) is float for values in checkpoint.test_log.values() for value in values)
    assert checkpoint.scheduler["milestones"] == {20: 1}
    assert checkpoint.graph is checkpoint.settings is checkpoint.rng is None
    assert (checkpoint.stage, checkpoint.joint_set.name) == ("posenet", "human36")  # by their shapes


@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "int64", "uint8", "bool"])
def test_numpy_scalars_as_numpy_1_and_2_write_them(tmp_path, module, kind):
    path, value = tmp_path / "a.pth.tar", np.ones(1, dtype=kind)[0]
    # the old file format is plain pickles, in which the module's name can be exchanged
    torch.save({"model_state_dict": {}, "train_log": [value]}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    for written in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
        content = content.replace(b"c" + written + b"\n", b"c" + module + b"\n")
    assert b"c" + module + b"\n" in content
    path.write_bytes(content)
    (loaded,) = load_checkpoint(path).train_log
    assert loaded == 1
    assert type(loaded) is type(value.item())


# ----------------------------------------------------------------------------------------------------- round trips


def test_layout_is_the_originals_plus_ours(tmp_path):
    checkpoint = torch.load(save_small(tmp_path / "a.pth.tar"), weights_only=True)
    assert list(checkpoint) == [*ORIGINAL_KEYS, "graph", "config", "rng", "digest"]
    assert type(checkpoint["model_state_dict"]) is OrderedDict
    assert set(checkpoint["model_state_dict"]) == set(load_checkpoint(original("newzip")).state)


def test_new_files_hold_plain_numbers_only(tmp_path):
    logs = {"surface": [np.float64(1.5)], "joint": [np.float32(2.5), torch.tensor(3.5)]}
    path = save_small(tmp_path / "a.pth.tar", epoch=np.int64(4), train_log=[np.float32(0.5)], test_log=logs)
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["test_log"] == {"surface": [1.5], "joint": [2.5, 3.5]}
    assert checkpoint["train_log"] == [0.5]
    assert type(checkpoint["epoch"]) is int


def test_wrapped_model_is_saved_without_prefix(tmp_path):
    model = small_posenet()
    path = save_small(tmp_path / "a.pth.tar", nn.DataParallel(model))
    state = torch.load(path, weights_only=True)["model_state_dict"]
    assert list(state) == list(model.state_dict())
    torch.save({"model_state_dict": {f"module.{key}": value for key, value in state.items()}}, path)
    assert list(load_checkpoint(path).state) == list(state)


def test_graph_and_settings_travel(tmp_path, body):
    graph, cfg = MeshGraph.build(body.faces, COCO, 6), Config().changed(MODEL={"posenet_width": 8})
    checkpoint = load_checkpoint(save_small(tmp_path / "a.pth.tar", graph=graph, settings=cfg))
    assert np.array_equal(checkpoint.graph.reverse, graph.reverse)
    assert all((a != b).nnz == 0 for a, b in zip(checkpoint.graph.laplacians, graph.laplacians))
    assert checkpoint.settings == checkpoint.trained == cfg
    assert checkpoint.joint_set == COCO
    assert checkpoint.mesh_model(root=tmp_path).name == "open_1723"


def test_settings_and_graphs_of_another_version_name_the_file(tmp_path):
    path = save_small(tmp_path / "a.pth.tar")
    content = torch.load(path, weights_only=True)
    for key, value, words in (
        ("config", {"MODEL": {"posenet_size": 8}}, "MODEL.posenet_size not exist"),
        ("graph", {"version": 99}, "graph state has version 99"),
        ("epoch", "three", "its epoch is 'three'"),
        ("test_log", [1.0], "its test_log is"),
    ):
        write_content(path, {**content, key: value})
        with pytest.raises(ValueError, match=rf"a\.pth\.tar cannot be used: .*{words}"):
            load_checkpoint(path)


def test_half_precision_file(tmp_path):
    model = small_posenet()
    with torch.no_grad():
        model.linear_stages[0].w2.weight[0, 0] = 1e6  # does not fit float16: this matrix must stay
    optimizer, cfg = torch.optim.RMSprop(model.parameters()), Config().changed(TRAIN={"init_path": "/home/me/w"})
    path = tmp_path / "a.pth.tar"
    save_checkpoint(path, small(model, optimizer=optimizer.state_dict(), settings=cfg).released())
    stored = torch.load(path, weights_only=True)
    assert stored["optim_state_dict"] is stored["rng"] is None
    assert stored["config"]["TRAIN"]["init_path"] == stored["config"]["MODEL"]["posenet_path"] == ""
    assert stored["model_state_dict"]["w1.weight"].dtype == torch.float16
    assert stored["model_state_dict"]["w1.bias"].dtype == torch.float32
    assert stored["model_state_dict"]["linear_stages.0.w2.weight"].dtype == torch.float32
    other = small_posenet(seed=1)
    load_checkpoint(path).load_into(other)
    for key, value in other.state_dict().items():
        expected = model.state_dict()[key]
        assert value.dtype == expected.dtype
        assert_close(value, expected, 1e-3, key)


def test_bare_state_dict_is_accepted(tmp_path):
    torch.save(small_posenet().state_dict(), tmp_path / "weights.pth")
    other = small_posenet(seed=1)
    load_checkpoint(tmp_path / "weights.pth").load_into(other)
    assert torch.equal(other.w1.weight, small_posenet().w1.weight)


def test_random_state_round_trip(tmp_path):
    def draw():
        return torch.rand(3).tolist(), np.random.randn(3).tolist(), random.gauss(0, 1), random.random()  # noqa: NPY002

    random.gauss(0, 1), np.random.randn()  # noqa: NPY002 - leaves a cached half of a pair in both generators
    model = small_posenet()  # draws its weights before the state is taken
    path = save_small(tmp_path / "a.pth.tar", model, rng=get_rng_state())
    expected = draw()
    assert draw() != expected
    set_rng_state(load_checkpoint(path).rng)
    assert draw() == expected
    with pytest.raises(ValueError, match="not a state of the random generators"):
        set_rng_state({"torch": 1})


# -------------------------------------------------------------------------------------------------- atomic writing


def test_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = save_small(tmp_path / "a.pth.tar")

    def fail(checkpoint, stream):
        stream.write(b"half a file")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save_small(path, epoch=9)
    assert os.listdir(tmp_path) == ["a.pth.tar"]
    assert load_checkpoint(path).epoch == 3


def test_copy_is_independent_of_the_first_name(tmp_path):
    first = save_small(tmp_path / "checkpoint1.pth.tar")
    best = tmp_path / "sub" / "best.pth.tar"
    copy_checkpoint(first, best)
    save_small(first, epoch=9)
    assert load_checkpoint(best).epoch == 3
    copy_checkpoint(first, best)
    assert load_checkpoint(best).epoch == 9
    assert os.listdir(best.parent) == ["best.pth.tar"]


def test_identity_of_a_file(tmp_path):
    path = tmp_path / "experiment" / "a" / "final.pth.tar"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"abc")
    found = identity(path, 3, tmp_path)
    assert found == {
        "path": "experiment/a/final.pth.tar",
        "epoch": 3,
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }
    assert identity(path, 3)["path"] == str(path)


# ---------------------------------------------------------------------------------------------------- finding files


def test_folder_means_final_then_best(tmp_path):
    order = ["checkpoint/best.pth.tar", "checkpoint/final.pth.tar", "best.pth.tar", "final.pth.tar"]
    for name in order:
        save_small(tmp_path / name)
        assert find_checkpoint(tmp_path) == tmp_path / name


def test_missing_file_says_where_it_looked_and_what_is_near(tmp_path):
    save_small(tmp_path / "run" / "checkpoint" / "checkpoint7.pth.tar")
    with pytest.raises(FileNotFoundError, match="No checkpoint exists!") as error:
        load_checkpoint(tmp_path / "run")
    for name in ("final.pth.tar", "best.pth.tar", "checkpoint7.pth.tar"):
        assert name in str(error.value)
    with pytest.raises(FileNotFoundError, match=r"Looked for: .*nowhere.pth.tar"):
        load_checkpoint(tmp_path / "nowhere.pth.tar")


def test_order_of_places(tmp_path, monkeypatch):
    """--experiment before the working directory, then --root, then the repository."""
    monkeypatch.chdir(tmp_path)
    name = Path("experiment", "no_such_weights", "final.pth.tar")
    runs, root = tmp_path / "runs", tmp_path / "root"
    expected = [runs / "no_such_weights" / "final.pth.tar", tmp_path / name, root / name, ROOT / name]
    assert [place.resolve() for place in search_places(f"./{name}", runs, root)] == expected
    for place in reversed(expected[:-1]):
        place.parent.mkdir(parents=True)
        save_small(place)
        assert find_checkpoint(name, runs, root).resolve() == place
    assert search_places(tmp_path / "x", runs, root) == [tmp_path / "x"]
    assert len(search_places("other.pth.tar", runs, root)) == 3


def test_best_stands_in_for_a_missing_final(tmp_path):
    save_small(tmp_path / "best.pth.tar")
    assert find_checkpoint(tmp_path / "final.pth.tar") == tmp_path / "best.pth.tar"
    with pytest.raises(FileNotFoundError):
        find_checkpoint(tmp_path / "checkpoint3.pth.tar")
    save_small(tmp_path / "final.pth.tar")
    assert find_checkpoint(tmp_path / "final.pth.tar") == tmp_path / "final.pth.tar"
