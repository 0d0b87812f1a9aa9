"""Bad input to the two commands: one line that users can act on, nothing left behind."""

import os
import pickle
import re
import sys
from dataclasses import replace

import pytest
import torch
import yaml

from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.files import save_checkpoint
from lib.core.base import Options, Trainer
from tests.helpers import write_config


class Exploit:
    def __reduce__(self):
        return os.system, ("touch exploited",)


def bad_inputs(tmp_path, small_config):
    """Name -> (script, arguments, words the one-line error must hold)."""
    cfg = small_config("posenet", "coco", "coco")
    config = write_config(tmp_path / "good.yml", cfg)
    mesh_config = write_config(tmp_path / "mesh.yml", small_config("pose2mesh_net", "coco"))

    def changed(name, **sections):
        values = cfg.to_dict()
        for section, entries in sections.items():
            values.setdefault(section, {}).update(entries)
        path = tmp_path / f"{name}.yml"
        path.write_text(yaml.safe_dump(values))
        return path

    trainer = Trainer(cfg, Options(experiment=tmp_path))
    good = tmp_path / "good.pth.tar"
    save_checkpoint(good, Checkpoint.of(trainer.model))
    truncated = tmp_path / "truncated.pth.tar"
    truncated.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    malicious = tmp_path / "malicious.pth.tar"
    torch.save({"model_state_dict": Exploit()}, malicious)
    plain_pickle = tmp_path / "pickle.pth.tar"
    plain_pickle.write_bytes(pickle.dumps(Exploit()))
    hand = Trainer(small_config("posenet", "mano", "mano"), Options(experiment=tmp_path))
    other_set = tmp_path / "hand.pth.tar"
    save_checkpoint(other_set, Checkpoint.of(hand.model))
    mesh = Trainer(small_config("pose2mesh_net", "coco"), Options(experiment=tmp_path))
    graph = replace(mesh.stage.graph, topology_hash="0" * 16)
    other_mesh = tmp_path / "other_mesh.pth.tar"
    save_checkpoint(other_mesh, Checkpoint.of(mesh.model, graph=graph))
    no_graph = tmp_path / "no_graph.pth.tar"
    save_checkpoint(no_graph, Checkpoint.of(mesh.model))
    with torch.no_grad():
        trainer.model.w2.bias[0] = float("nan")
    not_finite = tmp_path / "not_finite.pth.tar"
    save_checkpoint(not_finite, Checkpoint.of(trainer.model))
    empty = tmp_path / "empty_motion"
    empty.mkdir()
    return {
        "missing config": ("train", ["--cfg", tmp_path / "no.yml"], ["no.yml", "not found"]),
        "unknown key": ("train", ["--cfg", changed("key", TRAIN={"epochs": 3})], ["TRAIN.epochs", "end_epoch"]),
        "unknown joint set": ("train", ["--cfg", changed("set", DATASET={"input_joint_set": "body25"})], ["human36"]),
        "unknown data set": ("train", ["--cfg", changed("data", DATASET={"train_list": ["CMU"]})], ["AMASS"]),
        "no data set": ("train", ["--cfg", changed("none", DATASET={"train_list": []})], ["train_list is empty"]),
        "empty data set": ("train", ["--cfg", changed("empty", SYNTHETIC={"samples_per_epoch": 0})], ["samples_per"]),
        "bad name": ("train", ["--cfg", config, "--name", "a/b"], ["--name 'a/b'", "letters, digits, - and _"]),
        "bad seed": ("train", ["--cfg", config, "--seed", "-1"], ["--seed -1"]),
        "run folder is a file": ("train", ["--cfg", config, "--experiment", good], ["good.pth.tar"]),
        "flip with mesh": ("train", ["--cfg", write_config(tmp_path / "flip.yml", small_config(
            "pose2mesh_net", "coco", AUG={"flip": True}))], ["PoseNet only"]),
        "no graph in weights": ("test", ["--cfg", mesh_config, "--weights", no_graph], ["original release"]),
        "NaN weights": ("test", ["--cfg", config, "--weights", not_finite], ["NaN"]),
        "empty test list": ("train", ["--cfg", changed("tests", DATASET={"test_list": []})], ["test_list is empty"]),
        "empty folder": ("train", ["--cfg", changed("folder", SYNTHETIC={"motion": [str(empty)]})], ["empty_motion"]),
        "bad gpu": ("train", ["--cfg", config, "--gpu", "zero"], ["--gpu"]),
        "missing weights": ("test", ["--cfg", config, "--weights", tmp_path / "no"], ["No checkpoint exists!"]),
        "truncated weights": ("test", ["--cfg", config, "--weights", truncated], ["truncated.pth.tar"]),
        "malicious weights": ("test", ["--cfg", config, "--weights", malicious], ["system"]),
        "malicious pickle": ("test", ["--cfg", config, "--weights", plain_pickle], ["nothing was executed"]),
        "other joint set": ("test", ["--cfg", config, "--weights", other_set], ["w1.weight"]),
        "other topology": ("test", ["--cfg", mesh_config, "--weights", other_mesh], ["0" * 16]),
        "no posenet run": (
            "train",
            ["--cfg", write_config(tmp_path / "pre.yml", small_config(
                "pose2mesh_net", "coco", MODEL={"posenet_pretrained": True, "posenet_path": ""}))],
            ["MODEL.posenet_path"],
        ),
    }  # fmt: skip


def test_bad_input_gets_one_line_and_leaves_no_trace(tmp_path, small_config, monkeypatch, capsys):
    """All in this process, for speed; ``run_command`` is what the scripts call."""
    import main.test
    import main.train

    monkeypatch.chdir(tmp_path)
    experiment = tmp_path / "runs"
    for name, (script, arguments, words) in bad_inputs(tmp_path, small_config).items():
        module = {"train": main.train, "test": main.test}[script]
        before = sorted(tmp_path.rglob("*"))
        given = ["--experiment", experiment, *([] if "--gpu" in arguments else ["--gpu", ""]), *arguments]
        monkeypatch.setattr(sys, "argv", [script, *map(str, given)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            module.main()
        error = capsys.readouterr().err.strip().splitlines()
        assert stop.value.code not in (0, None), name
        assert re.match("error: ", error[-1]), (name, error)
        assert len([line for line in error if line.startswith(("error", "Traceback"))]) == 1, (name, error)
        for word in words:
            assert word in error[-1], (name, word, error[-1])
        assert sorted(tmp_path.rglob("*")) == before, f"{name} left files behind"
