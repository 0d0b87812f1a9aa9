"""The tiny set: annotations that agree with one another, deterministic, never over other files."""

import json
import zipfile

import numpy as np
import pytest
import torch

from data.tiny import MARKER, WRITERS, write_tiny
from lib.body.hand import hand_joints
from lib.body.lbs import lbs
from lib.mesh.mesh_model import load_mesh_model
from tests.helpers import shared_path

DATA = [name for name in WRITERS if name != "PW3D"]


def read(root, relative):
    return json.loads((root / "data" / relative).read_text())


def tree(folder):
    return {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def smpl_body(tiny_root):
    return load_mesh_model("body", "smpl", tiny_root)


def layout(value):
    """Keys, nesting, lengths and types of a file's content; of a list of records the first stands for all."""
    if isinstance(value, dict):
        numbered = value and all(key.isdigit() or key.endswith(".jpg") for key in value)
        return {"*": layout(next(iter(value.values())))} if numbered else {key: layout(x) for key, x in value.items()}
    if isinstance(value, list):
        return [1 if value and isinstance(value[0], dict) else len(value), *(layout(item) for item in value[:1])]
    return type(value).__name__


def posed(model, smpl, gender="neutral"):
    """Vertices (V, 3) and joints (24, 3), metres, of a file's SMPL parameters."""
    pose, shape, trans = (torch.tensor(smpl[key], dtype=torch.float32)[None] for key in ("pose", "shape", "trans"))
    vertices, joints = lbs(model.params(gender), pose, shape)
    return (vertices + trans)[0].numpy(), (joints + trans)[0].numpy()


def pixels(points, focal, princpt):
    return points[:, :2] / points[:, 2:] * np.array(focal) + np.array(princpt)


def test_same_seed_same_files(tmp_path):
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_tiny(tmp_path / folder, samples=2, seed=seed, names=DATA)
    a, b, c = (tree(tmp_path / folder) for folder in "abc")
    assert set(a) == set(b) == set(c)
    assert all(a[name].read_bytes() == b[name].read_bytes() for name in a if name.suffix == ".json")
    drawn = [name for name in a if "smpl_param" in name.name or "hrnet" in name.name]
    assert len(drawn) > 7
    assert all(a[name].read_bytes() != c[name].read_bytes() for name in drawn)


def test_a_set_does_not_depend_on_the_others(tmp_path):
    write_tiny(tmp_path / "some", samples=2, names=["COCO"])
    write_tiny(tmp_path / "more", samples=2, names=["MuCo", "COCO"])
    name = "data/COCO/annotations/coco_smplify_train.json"
    assert (tmp_path / "some" / name).read_bytes() == (tmp_path / "more" / name).read_bytes()


def test_other_files_are_never_written_over(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(ValueError, match="did not write"):
        write_tiny(tmp_path / "mine", samples=2, names=["COCO"])
    assert list((tmp_path / "mine").iterdir()) == [tmp_path / "mine" / "thesis.txt"]
    write_tiny(tmp_path / "tiny", samples=2, names=["COCO"])
    assert (tmp_path / "tiny" / MARKER).is_file()
    write_tiny(tmp_path / "tiny", samples=3, names=["COCO"])
    assert len(read(tmp_path / "tiny", "COCO/annotations/person_keypoints_train2017.json")["images"]) == 3 + 5


@pytest.mark.parametrize("wrong, message", [({"samples": 1}, "at least 2"), ({"names": ["LSP"]}, "unknown name LSP")])
def test_wrong_arguments(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        write_tiny(tmp_path / "new", **wrong)
    assert not (tmp_path / "new").exists()


def test_model_files_stand_in_for_the_licensed_ones(tiny_root, smpl_body):
    hand = load_mesh_model("hand", "auto", tiny_root)
    assert load_mesh_model("body", "auto", tiny_root).name == "smpl"
    assert hand.name == "mano"
    opened = load_mesh_model("body", "open_6890")
    np.testing.assert_allclose(
        smpl_body.arrays()["v_template"][smpl_body.face_vertex_ids],
        opened.arrays()["v_template"][opened.face_vertex_ids],
        atol=1e-6,
    )
    for joint_set in ("human36", "coco", "smpl"):
        joints, wanted = (m.joint_regressor(joint_set) @ m.arrays()["v_template"] for m in (smpl_body, opened))
        np.testing.assert_allclose(joints, wanted, atol=1e-5)
    # the two vertices that stand for the tip of the middle finger are neighbours
    tips = hand.arrays()["v_template"]
    assert 0 < np.linalg.norm(tips[444] - tips[445]) < 0.01
    heights = {g: np.ptp(smpl_body.arrays(g)["v_template"][:, 1]) for g in ("neutral", "female", "male")}
    assert heights["female"] < heights["neutral"] < heights["male"]
    mirrored = smpl_body.arrays()["v_template"][smpl_body.flip_vertex_ids] * (-1, 1, 1)
    np.testing.assert_allclose(mirrored, smpl_body.arrays()["v_template"], atol=0.02)


def test_human36m_joints_cameras_fits_and_detections_agree(tiny_root, smpl_body):
    regressor = smpl_body.joint_regressor("human36")
    detections = read(tiny_root, "Human36M/absnet_output_on_testset.json")
    folder = "Human36M/annotations/Human36M_subject"
    errors, missing, offsets, kept = [], 0, [], []
    for subject in (1, 5, 6, 7, 8, 9, 11):
        data, camera, joints, fits = (
            read(tiny_root, f"{folder}{subject}_{kind}.json") for kind in ("data", "camera", "joint_3d", "smpl_param")
        )
        for image in data["images"]:
            keys = [str(image[key]) for key in ("action_idx", "subaction_idx", "frame_idx")]
            view = camera[str(image["cam_idx"])]
            world = np.array(joints[keys[0]][keys[1]][keys[2]])
            if subject in (9, 11) and image["frame_idx"] % 50 == 0:
                kept.append(image["file_name"].split("/")[1])
                joint_cam = world @ np.array(view["R"]).T + view["t"]
                found = np.array(detections[kept[-1]])
                offsets.append(np.linalg.norm(found[:, :2] - pixels(joint_cam, view["f"], view["c"]), axis=1).mean())
            fit = fits[keys[0]][keys[1]].get(keys[2])
            if fit is None:
                missing += 1
                continue
            errors.append(np.linalg.norm(1000 * regressor @ posed(smpl_body, fit)[0] - world, axis=1).mean())
    assert sorted(detections) == sorted(kept)
    assert missing == 3  # one image of subject 1, two of subject 9
    errors = np.array(errors)
    assert np.sum(errors > 25) == 4  # two images each of subjects 5 and 11
    assert errors[errors < 25].max() < 8
    assert 3 < np.mean(offsets) < 7


def test_coco_fits_project_onto_the_keypoints(tiny_root, smpl_body):
    people = read(tiny_root, "COCO/annotations/person_keypoints_train2017.json")["annotations"]
    fits = read(tiny_root, "COCO/annotations/coco_smplify_train.json")
    assert [(p["iscrowd"], p["num_keypoints"] == 0) for p in people[-5:-3]] == [(1, True), (0, True)]
    errors = {}
    for person in people:
        keypoints = np.array(person["keypoints"]).reshape(17, 3)
        assert person["num_keypoints"] == np.sum(keypoints[:, 2] > 0)
        fit = fits.get(str(person["id"]))
        if fit is not None and person["num_keypoints"]:
            joints = smpl_body.joint_regressor("coco") @ posed(smpl_body, fit["smpl_param"])[0]
            image = np.array(fit["cam_param"]["s"]) * joints[:, :2] + fit["cam_param"]["t"]
            errors[person["id"]] = np.linalg.norm((image - keypoints[:, :2])[keypoints[:, 2] > 0], axis=1).mean()
    values = list(errors.values())
    assert len(values) == 8 + 2
    assert max(values[:8]) < 3
    assert values[8] > 12


def test_muco_and_surreal_joints_agree_with_their_fits(tiny_root, smpl_body):
    muco, fits = read(tiny_root, "MuCo/data/MuCo-3DHP.json"), read(tiny_root, "MuCo/data/smpl_param.json")
    images = {image["id"]: image for image in muco["images"]}
    missing = not_numbers = 0
    for person in muco["annotations"]:
        joints, image = np.array(person["keypoints_cam"]), images[person["image_id"]]
        np.testing.assert_allclose(pixels(joints, image["f"], image["c"]), person["keypoints_img"], atol=1e-3)
        fit = fits.get(str(person["id"]))
        missing += fit is None
        not_numbers += fit is not None and bool(np.isnan(fit["pose"]).any())
        if fit is not None and not np.isnan(fit["pose"]).any():
            pelvis = smpl_body.joint_regressor("human36")[0] @ posed(smpl_body, fit)[0] * 1000
            assert np.linalg.norm(pelvis - joints[14]) < 30
    assert (missing, not_numbers) == (1, 1)

    surreal = read(tiny_root, "SURREAL/data/val.json")
    for person in surreal["annotations"]:
        joints = 1000 * posed(smpl_body, person["smpl_param"], person["smpl_param"]["gender"])[1]
        np.testing.assert_allclose(joints, person["joint_cam"], atol=0.05)


def test_freihand_truth_agrees_with_parameters_and_detections(tiny_root):
    hand = load_mesh_model("hand", "mano", tiny_root)
    coco, hands = (read(tiny_root, f"FreiHAND/data/freihand_train_{kind}.json") for kind in ("coco", "data"))
    assert set(hands) == {str(image["db_idx"]) for image in coco["images"]}
    for entry in hands.values():
        pose, shape = (torch.tensor(entry["mano_param"][key])[None] for key in ("pose", "shape"))
        vertices, joints = lbs(hand.params(), pose, shape)
        joints = hand_joints(vertices, joints, hand.layer_tips)[0].numpy()
        # relative to the wrist the camera's rotation is all that is between them
        turned = (joints - joints[0]) @ np.array(entry["cam_param"]["R"]).T * 1000
        annotated = np.array(entry["joint_3d"])
        np.testing.assert_allclose(annotated - annotated[0], turned, atol=0.02)
    truth = np.array(read(tiny_root, "FreiHAND/data/evaluation_xyz.json"))
    cameras = read(tiny_root, "FreiHAND/data/freihand_eval_data.json")
    rows = {
        image["id"]: image["db_idx"] for image in read(tiny_root, "FreiHAND/data/freihand_eval_coco.json")["images"]
    }
    offsets = []
    for detection in read(tiny_root, "FreiHAND/data/hrnet_output_on_testset.json"):
        row = rows[detection["image_id"]]
        camera = cameras[str(row)]["cam_param"]
        found = np.array(detection["keypoints"])[:, :2]
        offsets.append(np.linalg.norm(found - pixels(truth[row], camera["focal"], camera["princpt"]), axis=1).mean())
    assert len(offsets) == len(truth) == len(read(tiny_root, "FreiHAND/data/evaluation_verts.json")) == 8
    assert 1 < np.mean(offsets) < 4


def test_files_have_the_layout_of_the_official_ones(tiny_root):
    different = {}
    with zipfile.ZipFile(shared_path("annots.zip")) as archive:
        names = [name for name in archive.namelist() if name.endswith(".json")]
        for name in names:
            wanted, ours = layout(json.loads(archive.read(name))), layout(read(tiny_root, name))
            if wanted != ours:
                different[name] = (wanted, ours)
    assert len(names) == 47
    # the example has 17 of the 24 projected joints, and no names of keypoints
    for wanted, ours in different.values():
        for content in (wanted, ours):
            content.pop("categories", None)
            content["annotations"][1].pop("joint_img", None)
        assert wanted == ours


def test_3dpw_detections_lie_on_the_projected_bodies(tiny_root, smpl_body):
    for split in ("train", "validation", "test"):
        content = read(tiny_root, f"PW3D/data/3DPW_latest_{split}.json")
        found = read(tiny_root, f"PW3D/data/darkpose_3dpw_{split}set_output.json")
        found = {entry["annotation_id"]: np.array(entry["keypoints"])[:, :2] for entry in found}
        cameras = {image["id"]: image["cam_param"] for image in content["images"]}
        assert len({(a["person_id"], cameras[a["image_id"]]["focal"][0]) for a in content["annotations"]}) == 2
        for person in content["annotations"]:
            smpl, camera = person["smpl_param"], cameras[person["image_id"]]
            vertices, joints = posed(smpl_body, smpl, smpl["gender"])
            coco = smpl_body.joint_regressor("coco") @ vertices
            errors = found[person["id"]] - pixels(coco, camera["focal"], camera["princpt"])
            assert np.linalg.norm(errors, axis=1).mean() < 12
            # the translation is corrected with the neutral body, which costs a constant of some millimetres
            offset = joints - np.array(person["joint_cam"])
            assert 1e-4 < np.linalg.norm(offset.mean(axis=0)) < 0.02
            assert np.ptp(offset, axis=0).max() < 1e-4
