"""The new data set of data/README.md works as written, and is as short as promised."""

import importlib.util
import json
import re

import pytest

from lib.datasets.annotations import Detections
from lib.datasets.pose_dataset import stream
from tests.helpers import ROOT


@pytest.fixture
def new_class(tmp_path):
    """The class in the guide's code block."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "data" / "README.md").read_text(), flags=re.DOTALL)
    assert len(code.splitlines()) <= 80
    path = tmp_path / "my_data.py"
    path.write_text(code)
    spec = importlib.util.spec_from_file_location("my_data", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MyData


def write_files(folder):
    """Two persons, one of them without a fit."""
    folder.mkdir(parents=True)
    camera = {"focal": [1000.0, 1000.0], "princpt": [500.0, 500.0]}
    fit = {"pose": [0.1] * 72, "shape": [0.0] * 10, "trans": [0.0, 0.0, 4.0], "gender": "neutral"}
    person = {"bbox": [100, 100, 200, 400], "image_id": 7}
    content = {
        "images": [{"id": 7, "file_name": "7.jpg", "width": 1000, "height": 1000, "cam_param": camera}],
        "annotations": [{"id": 1, **person, "smpl_param": fit}, {"id": 2, **person}],
    }
    for split in ("train", "test"):
        (folder / f"{split}.json").write_text(json.dumps(content))
    keypoints = [[3.0 * joint, float(joint**2)] for joint in range(17)]
    (folder / "detections.json").write_text(json.dumps([{"annotation_id": 1, "keypoints": keypoints}]))


@pytest.mark.parametrize("name", ["posenet", "pose2mesh_net"])
def test_a_new_data_set_trains_and_tests(new_class, tmp_path, small_config, name, capsys):
    write_files(tmp_path / "data" / "MyData")
    cfg = small_config(name, "coco", DATASET={"use_gt_input": False, "cache": "cache"})
    train, test = (new_class(mode, cfg, root=tmp_path) for mode in ("train", "test"))
    assert "MyData test: 1 samples; left out: 1 without an SMPL fit" in capsys.readouterr().out
    assert len(train) == len(test) == 1
    sample = test.batch([0], stream(0))
    pose2d = sample[0] if name == "posenet" else sample[0]["pose2d"]
    assert pose2d.shape == (1, 19, 2)
    assert pose2d[0, :17, 1].argmax() == 16  # the detection, not the projection
    assert new_class("train", cfg, root=tmp_path).records.folder is not None  # from the cache


def test_detections_may_be_flat_and_the_file_may_start_with_a_mark(tmp_path):
    """COCO results list keypoints without nesting; some editors put a byte-order mark first."""
    path = tmp_path / "detections.json"
    entries = [{"image_id": 7, "keypoints": [1.0, 2.0, 0.5, 3.0, 5.0, 0.6]}, {"image_id": 8, "keypoints": [1, 2, 3, 5]}]
    path.write_text(json.dumps(entries), encoding="utf-8-sig")
    poses = Detections.from_list(path, 2, "image_id").of([8, 7])
    assert poses.tolist() == [[[1, 2], [3, 5]], [[1, 2], [3, 5]]]
