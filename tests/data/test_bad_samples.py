"""Samples that can be read but not used: the error names data set and record; the two commands end with one line."""

import re
import sys
from itertools import chain

import pytest
import torch

from lib.datasets.loader import BatchLoader
from lib.datasets.mixing import MultipleDatasets
from lib.datasets.pose_dataset import stream
from lib.mesh.mesh_model import REGRESSOR_FILES
from lib.settings.reading import merge
from tests.helpers import write_config
from tests.support.files.damaged_files import MISSING, Damaged

# data set -> file, keys and value that leave no usable 2D pose or 3D joints, and what the error calls the record
UNUSABLE = {
    "MuCo": ("MuCo-3DHP.json", ("images", 2, "f"), [0.0, 0.0], r"annotation 2\d .*unaugmented_set/02/000002\.jpg"),
    "COCO": ("smplify_train.json", ("1003", "cam_param", "s"), 0.0, r"annotation 1003 .*train2017/000000000103\.jpg"),
    "SURREAL": ("val.json", ("annotations", 3, "smpl_param", "shape"), [3e38] * 10, r"annotation 1003 .*\.jpg"),
    "FreiHAND": ("train_data.json", ("4", "mano_param", "shape"), [3e38] * 10, r"annotation 204 .*00000004\.jpg"),
}


@pytest.fixture
def unusable(damaged):
    """``unusable(name, **settings)``: a data set with one unusable sample, and the error that names it."""

    def make(name, **settings):
        data = damaged(name, **settings)
        file, keys, value, record = UNUSABLE[name]
        data.put(file, keys, value)
        return data, f"{name} {data.mode}: .*: {record}"

    return make


@pytest.mark.parametrize("model", ["posenet", "pose2mesh_net"])
@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_samples_are_named(unusable, name, model):
    data, words = unusable(name)
    dataset = data.build(model=model)
    with pytest.raises(ValueError, match=words):
        dataset.batch(range(len(dataset)), stream(0))
    with pytest.raises(ValueError, match=words):
        all(dataset[index] for index in range(len(dataset)))


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("mixed", [False, True])
def test_loaders_name_them_in_one_line(unusable, tiny_root, tmp_path, workers, mixed):
    data, words = unusable("COCO", use_gt_input=True)
    dataset = data.build()
    if mixed:
        dataset = MultipleDatasets([Damaged(tiny_root, tmp_path, "MuCo").build(), dataset])
    loader = BatchLoader(dataset, 4, shuffle=True, workers=workers)
    with pytest.raises(ValueError, match=words) as error:
        list(chain.from_iterable(map(loader.epoch, range(20))))  # mixing may leave it out of an epoch
    assert "\n" not in str(error.value)


def test_many_unusable_samples_are_not_all_listed(unusable):
    data, words = unusable("MuCo")
    with pytest.raises(ValueError, match=rf"{words}\)$"):
        data.build().batch([2, 0, 2], stream(0))  # one of them twice
    data.edit("MuCo-3DHP.json", lambda content: [image.update(f=[0, 0]) for image in content["images"]])
    with pytest.raises(ValueError, match="and 3 more$"):
        data.build().batch(range(8), stream(0))


def test_people_behind_the_camera_are_used_as_published(unusable):
    data, _ = unusable("SURREAL")
    data.restore()
    data.put("val.json", ("annotations", 3, "smpl_param", "trans"), [0.0, 0.0, -4.0])
    data.settings["use_gt_input"] = True
    batch = data.build().batch(range(8), stream(0))
    assert torch.isfinite(batch.inputs["pose2d"]).all()
    assert torch.isfinite(batch.targets["lift_pose3d"]).all()


@pytest.fixture
def broken_root(tiny_root, tmp_path):
    """A root with sound body models, Human3.6M and COCO."""
    root = tmp_path / "root"
    (root / "data").mkdir(parents=True)
    for name in ("smplpytorch", "manopth"):
        (root / name).symlink_to(tiny_root / name)
    sets = {name: Damaged(tiny_root, root, name) for name in ("Human36M", "COCO")}
    for subject in (1, 5, 6, 7, 8):
        for part in ("data", "camera", "joint_3d", "smpl_param"):
            file = f"data/Human36M/annotations/Human36M_subject{subject}_{part}.json"
            (root / file).symlink_to(tiny_root / file)
    for file in REGRESSOR_FILES.values():
        (root / file).symlink_to(tiny_root / file)
    return root, sets


WHOLE_PROGRAM = {
    "training": ("COCO", ("smplify_train.json", ("1004", "smpl_param", "pose"), [0.0] * 71), "annotation 1004 "),
    "test": ("Human36M", ("subject11_joint_3d.json", ("8", "1", "0"), MISSING), "annotation "),
    "detections": ("Human36M", ("testset.json", ("s_09_act_08_subact_01_ca_01_000001.jpg",), MISSING), "s_09_act_08"),
}


@pytest.mark.parametrize("cache", ["", "data/.cache"])
@pytest.mark.parametrize("kind", WHOLE_PROGRAM)
def test_the_command_ends_with_one_line(broken_root, tmp_path, monkeypatch, capfd, kind, cache):
    import main.train

    root, sets = broken_root
    name, change, words = WHOLE_PROGRAM[kind]
    sets[name].put(*change)
    cfg = merge(
        {
            "DATASET": {
                "train_list": ["Human36M", "COCO"],
                "test_list": ["Human36M"],
                "input_joint_set": "human36",
                "use_gt_input": False,
                "workers": 0,
                "cache": cache,
            },
            "MODEL": {"name": "posenet", "posenet_width": 32},
            "TRAIN": {"batch_size": 8, "end_epoch": 1},
        }
    )
    config, runs = write_config(tmp_path / "settings.yml", cfg), tmp_path / "runs"
    given = ["--cfg", config, "--gpu", "", "--experiment", runs, "--root", root]
    monkeypatch.setattr(sys, "argv", ["train", *map(str, given)])
    with pytest.raises(SystemExit) as stop:
        main.train.main()
    said = capfd.readouterr()
    assert stop.value.code == 2
    (line,) = (line for line in said.err.splitlines() if "%|" not in line and line.strip())
    assert re.match(rf"error: {root}/data/{name}/.*\.json: .*{words}", line), line
    assert not runs.exists()
    expected = {"training": 1, "test": 2, "detections": 2}[kind]
    assert len(re.findall(r"^\w+ train: \d+ samples; left out: \d+ ", said.out, flags=re.MULTILINE)) == expected


def test_left_out_records_are_told_once(broken_root, capfd):
    _, sets = broken_root
    loader = BatchLoader(sets["COCO"].build(), 4, workers=2)
    for epoch in range(2):
        assert len(list(loader.epoch(epoch))) == len(loader)
    said = capfd.readouterr()
    assert said.out.count("left out") == 1
    assert said.err == ""
