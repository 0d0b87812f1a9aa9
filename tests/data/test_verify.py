"""data/verify.py: nothing wrong with the tiny set; planted errors are found and named; contact sheets."""

import json
import shutil

import cv2
import numpy as np
import pytest

from data.verify import main, settings_of, verify, with_files
from lib.datasets.registry import DATASETS, dataset_class
from lib.joints.lookup import get_joint_set
from lib.mesh.mesh_model import REGRESSOR_FILES, load_mesh_model

CHECKS = {"files", "counts", "finite", "pose", "betas", "contact sheet"}
FITS = {"size of fits", "fits 2D"}
NAMES = with_files()
SPLITS = [(name, split) for name in NAMES for split in dataset_class(name).splits]


def test_sets_that_need_no_files_are_not_checked():
    assert set(DATASETS) - set(NAMES) == {"Synthetic"}


@pytest.fixture
def root_with(tiny_root, tmp_path):
    """``root_with(name)``: a root with that one data set, free to be changed, and the model files."""

    def make(*names):
        root = tmp_path / "root"
        for folder in ("smplpytorch", "manopth"):
            root.mkdir(exist_ok=True)
            (root / folder).symlink_to(tiny_root / folder)
        for name in names:
            shutil.copytree(tiny_root / "data" / name, root / "data" / name)
        for file in REGRESSOR_FILES.values():
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(tiny_root / file, root / file)
        return root

    return make


def edit(path, change):
    content = json.loads(path.read_text())
    result = change(content)
    path.write_text(json.dumps(content if result is None else result))


@pytest.fixture(scope="module")
def models(tiny_root):
    return {kind: load_mesh_model(kind, "auto", tiny_root) for kind in ("body", "hand")}


def run(root, name, split, tmp_path, models=None):
    """Findings by check; several of one check keep the worst."""
    found = {}
    for finding in verify(name, split, root, samples=50, output=tmp_path / "out", models=models):
        if finding.check not in found or finding.level == "FAIL":
            found[finding.check] = finding
    return found


def failed(found):
    return {check for check, finding in found.items() if finding.level == "FAIL"}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_wrong_with_the_tiny_set(root_with, models, tmp_path, name):
    root = root_with(name)
    for split in dataset_class(name).splits:
        found = run(root, name, split, tmp_path, models)
        assert {finding.level for finding in found.values()} == {"OK"}
        checks = set(found)
        assert checks >= CHECKS
        assert checks >= FITS or (name, split) in (("FreiHAND", "test"), ("AMASS", "train"))
        sheet = cv2.imread(str(tmp_path / "out" / f"{name}_{split}.png"))
        assert sheet.shape[1] == 4 * 320
        assert (sheet.shape[0] - 30) % (320 + 22) == 0
        # on grey canvases, whatever has a colour was drawn
        assert np.count_nonzero(np.ptp(sheet, axis=2) > 60) > 5000


@pytest.mark.parametrize("name, split", SPLITS)
def test_the_files_are_those_that_the_data_set_reads(root_with, models, name, split):
    root = root_with(name)
    config = settings_of(dataset_class(name)).changed(DATASET={"cache": ""})
    model = models[get_joint_set(config.DATASET.input_joint_set).body]
    dataset = dataset_class(name)(split, config, model, root=root)
    needed = dataset.needed_files(split, root)
    assert {file.path for file in needed} == set(dataset.files())
    assert all(file.source.startswith("get it from https://") or name == "COCO" for file in needed)


def test_translations_in_millimetres(root_with, models, tmp_path):
    root = root_with("SURREAL")

    def change(content):
        for annotation in content["annotations"]:
            smpl = annotation["smpl_param"]
            smpl["trans"] = [1000 * value for value in smpl["trans"]]

    edit(root / "data/SURREAL/data/val.json", change)
    found = run(root, "SURREAL", "test", tmp_path, models)
    assert failed(found) >= {"distance of fits", "fits place", "detections"}
    assert "is trans in metres" in found["distance of fits"].text


def test_joints_in_metres(root_with, models, tmp_path):
    root = root_with("MuCo")

    def change(content):
        for annotation in content["annotations"]:
            annotation["keypoints_cam"] = (np.array(annotation["keypoints_cam"]) / 1000).tolist()

    edit(root / "data/MuCo/data/MuCo-3DHP.json", change)
    found = run(root, "MuCo", "train", tmp_path, models)
    assert failed(found) >= {"annotated joints", "fits 3D"}
    assert "in millimetres" in found["annotated joints"].text


def test_shifted_detections(root_with, models, tmp_path):
    root = root_with("PW3D")

    def change(content):
        for entry in content:
            entry["keypoints"] = [[x + 200, y, score] for x, y, score in entry["keypoints"]]

    edit(root / "data/PW3D/data/darkpose_3dpw_testset_output.json", change)
    found = run(root, "PW3D", "test", tmp_path, models)
    assert failed(found) == {"detections"}
    assert found["detections"].text.startswith(("199.", "200."))


def test_detections_in_another_joint_order(root_with, models, tmp_path):
    root = root_with("FreiHAND")

    def change(content):
        for entry in content:
            entry["keypoints"] = entry["keypoints"][::-1]

    edit(root / "data/FreiHAND/data/hrnet_output_on_testset.json", change)
    assert failed(run(root, "FreiHAND", "test", tmp_path, models)) == {"detections"}


def test_poses_in_degrees_and_boxes_as_corners(root_with, models, tmp_path):
    root = root_with("COCO")

    def degrees(content):
        for fit in content.values():
            fit["smpl_param"]["pose"] = np.degrees(fit["smpl_param"]["pose"]).tolist()

    def corners(content):
        for annotation in content["annotations"]:
            x, y, width, height = annotation["bbox"]
            annotation["bbox"] = [x, y, x + width, y + height]

    edit(root / "data/COCO/annotations/coco_smplify_train.json", degrees)
    edit(root / "data/COCO/annotations/person_keypoints_train2017.json", corners)
    assert failed(run(root, "COCO", "train", tmp_path, models)) >= {"pose", "rejected fits"}


def test_fits_of_other_frames(root_with, models, tmp_path):
    root = root_with("Human36M")
    for subject in (9, 11):
        path = root / f"data/Human36M/annotations/Human36M_subject{subject}_camera.json"

        def change(content):
            for camera in content.values():
                camera["t"] = [value / 1000 for value in camera["t"]]

        edit(path, change)
    assert "in the image" in failed(run(root, "Human36M", "test", tmp_path, models))


def test_missing_files_are_all_listed_with_their_sources(root_with, tmp_path):
    root = root_with("Human36M")
    (root / "data/Human36M/annotations/Human36M_subject9_smpl_param.json").unlink()
    (root / "data/Human36M/absnet_output_on_testset.json").unlink()
    (root / REGRESSOR_FILES["coco"]).unlink()
    findings = verify("Human36M", "test", root, 10, tmp_path / "out")
    assert [finding.level for finding in findings] == ["FAIL"] * 3
    texts = " ".join(finding.text for finding in findings)
    for part in ("Human36M_subject9_smpl_param.json", "absnet_output", "J_regressor_coco.npy", "drive.google.com"):
        assert part in texts


def test_without_detections_or_models_the_rest_is_checked(root_with, models, tmp_path):
    root = root_with("PW3D")
    (root / "data/PW3D/data/darkpose_3dpw_testset_output.json").unlink()
    found = run(root, "PW3D", "test", tmp_path, models)
    assert failed(found) == {"files"}
    assert found["fits 3D"].level == "OK"
    assert "detections" not in found
    (root / "smplpytorch").unlink()
    found = run(root, "PW3D", "test", tmp_path)
    assert "smpl.is.tue.mpg.de" in found["files"].text
    assert found["counts"].level == "OK"
    assert found["fits"].text.startswith("not checked")


def test_damaged_annotations_are_named(root_with, models, tmp_path):
    root = root_with("SURREAL")
    path = root / "data/SURREAL/data/train.json"
    path.write_bytes(path.read_bytes()[:1000])
    found = run(root, "SURREAL", "train", tmp_path, models)
    assert failed(found) == {"annotations"}
    assert str(path) in found["annotations"].text


def test_all_passes_over_sets_that_are_not_there(root_with, tmp_path, capsys):
    root = root_with("FreiHAND")
    assert main(["all", "--root", str(root), "--output", str(tmp_path / "out"), "--split", "train"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("WARN") for line in lines) == 5
    assert main(["SURREAL", "--root", str(root), "--output", str(tmp_path / "out")]) == 1


@pytest.mark.parametrize("arguments", [["LSP"], ["PW3D", "--split", "train"], ["COCO", "--samples", "0"]])
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert capsys.readouterr().err


def test_exit_status_and_summary(root_with, tmp_path, capsys):
    root = root_with("FreiHAND")
    arguments = ["FreiHAND", "--root", str(root), "--output", str(tmp_path / "out")]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].endswith(" OK, 0 WARN, 0 FAIL")
    assert sum(line.startswith("OK   FreiHAND test: ") for line in lines) == 14
    (root / "data/FreiHAND/data/hrnet_output_on_trainset.json").unlink()
    assert main([*arguments, "--split", "test"]) == 0
    assert main([*arguments, "--split", "train"]) == 1


def test_images_are_drawn_under_the_joints(root_with, models, tmp_path):
    root = root_with("PW3D")
    found = run(root, "PW3D", "test", tmp_path, models)
    assert "3 of 11 images found" in found["contact sheet"].text
