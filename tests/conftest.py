"""Fixtures shared by the tests: open models, small settings, small weights."""

import importlib.util
import os
from pathlib import Path

import pytest
import torch

from lib import ROOT
from lib.mesh.mesh_model import load_mesh_model
from lib.settings.reading import merge
from tests.support.networks import BODY_PLAN, HAND_PLAN


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs):
    """Several test processes have one thread each: theirs would wait for one another's cores, spinning."""
    if len(specs) > 1:
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by OpenMP and OpenBLAS when they are loaded


@pytest.fixture(autouse=True)
def _same_random_numbers_every_time():
    torch.manual_seed(0)


@pytest.fixture(scope="module", params=["open_1723", "open_6890", "open_hand"])
def open_model(request):
    """Each of the open bodies and the open hand."""
    return load_mesh_model("hand" if request.param == "open_hand" else "body", request.param)


@pytest.fixture(scope="module")
def body():
    """The light open body."""
    return load_mesh_model("body", "open_1723")


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> dict[str, Path]:
    """Joint set -> checkpoint of a narrow random network on an open model."""
    from tests.support.demo_inputs import write_weights  # imports the whole demo, which few tests need

    folder = tmp_path_factory.mktemp("weights")
    bodies = {"human36": "open_1723", "coco": "open_1723", "smpl": "open_1723", "mano": "open_hand"}
    return {name: write_weights(folder / name / "final.pth.tar", name, body) for name, body in bodies.items()}


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory) -> Path:
    """Root folder with a tiny set of every data set and stand-ins for the licensed model files; only to be read."""
    from data.tiny import write_tiny

    folder = tmp_path_factory.mktemp("tiny")
    write_tiny(folder)
    return folder


@pytest.fixture(scope="session")
def reference_root(tmp_path_factory) -> Path:
    """Root folder with the annotation trees and stand-in body models of the original's items (optional files)."""
    from tests.support.golden_items import make_root

    return make_root(tmp_path_factory.mktemp("reference"))


@pytest.fixture(scope="session")
def reference_models(reference_root):
    from tests.support.golden_items import load_models

    return load_models(reference_root)


@pytest.fixture
def without_plots(monkeypatch):
    """Trainings draw no learning curves, which would take longer than they do."""
    from lib.core import base

    monkeypatch.setattr(base, "save_plot", lambda *_: None)


@pytest.fixture(scope="session")
def demo_main():
    """``main`` of demo/run.py."""
    spec = importlib.util.spec_from_file_location("demo_run", ROOT / "demo" / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture
def run_demo(demo_main, tmp_path):
    """Run the demo with the shipped weights on the CPU, results to ``tmp_path/result``; returns the exit code."""

    def call(*arguments, output=tmp_path / "result"):
        defaults = ["--output", output, "--device", "cpu", "--renderer", "software"]
        return demo_main([str(a) for a in (*defaults, *arguments)])

    return call


@pytest.fixture(scope="session")
def small_config():
    """``small_config(name, joint_set, **sections)``: settings of a tiny network on the open models."""

    def make(name: str = "posenet", joint_set: str = "coco", target: str = "", **sections):
        hand = joint_set == "mano"
        values = {
            "DATASET": {
                "train_list": ["Synthetic"],
                "test_list": ["Synthetic"],
                "input_joint_set": joint_set,
                "target_joint_set": target or ("human36" if joint_set == "coco" else joint_set),
                "workers": 0,
                "cache": "",
            },
            "MODEL": {
                "name": name,
                "body": "open_hand" if hand else "open_1723",
                "posenet_width": 32,
                "graph_levels": 6 if hand else 8,
                "mesh_channels": HAND_PLAN if hand else BODY_PLAN,
            },
            "TRAIN": {"batch_size": 16, "end_epoch": 2, "optimizer": "adam"},
            "SYNTHETIC": {"samples_per_epoch": 64, "test_samples": 32},
            "TEST": {"batch_size": 16},
        }
        for section, entries in sections.items():
            values.setdefault(section, {}).update(entries)
        return merge(values)

    return make
