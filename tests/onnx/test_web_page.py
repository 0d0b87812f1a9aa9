"""The web page in a browser without a network: the network's meshes, what may be pasted, what it refuses."""

import json
import re

import cv2
import numpy as np
import pytest

from lib import ROOT
from lib.joints.lookup import get_joint_set
from lib.onnx.onnx_export import load_trained
from lib.onnx.web_page import find_runtime, pose_sources, write_web_page
from lib.poses import map_pose
from lib.predictor import Pose2MeshPredictor
from tests.helpers import require_onnx
from tests.support.web_page import Page, differences, open_browser

NASTY = '</script><img src="https://example.com/x" onerror="document.title = 1">'


def runtime():
    try:
        return find_runtime()
    except ValueError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser, weights, tmp_path_factory):
    require_onnx()
    path = tmp_path_factory.mktemp("page of poses") / "a page.html"
    return Page(browser, write_web_page(load_trained(weights["coco"]), path, runtime()))


@pytest.fixture(scope="module")
def predictor(weights):
    return Pose2MeshPredictor("coco", weights["coco"], "cpu", mesh="network")


@pytest.fixture(scope="module")
def pose():
    return np.load(ROOT / "demo" / "sample_pose_coco.npy").astype(np.float64)


def assert_same(people, prediction):
    metres, millimetres = differences(people, prediction)
    assert metres < 1e-4
    assert millimetres < 0.1


def standing(person, size):
    """Where a person stands in a picture (width, height): least squares of scale and shift."""
    joints, points = np.array(person["pose3d"])[:17, :2] / 1000, np.array(person["keypoints"])
    x, u = joints - joints.mean(0), points - points.mean(0)
    scale = max((x * u).sum() / (x * x).sum(), 1e-3 * np.sqrt((u * u).sum() / (x * x).sum()))
    return *((points.mean(0) - size / 2) / scale - joints.mean(0)), np.hypot(*size) / scale


def test_samples_become_the_meshes_of_the_predictor(page, predictor, pose):
    assert page.click("#samples button:nth-child(1)").startswith("1 person in ")
    assert_same(page.people(), predictor(pose))
    assert page.click("#samples button:nth-child(2)").startswith("4 people in ")
    scene = np.array(json.loads((ROOT / "demo" / "demo_input_2dpose.json").read_text())["scene.jpg"])
    chosen = predictor.select_people(scene)
    people = page.people()
    assert [person["number"] for person in people] == chosen.kept.tolist()
    np.testing.assert_allclose([person["keypoints"] for person in people], chosen.poses[:, :17], atol=1e-3)
    assert_same(people, predictor(chosen.poses))
    for person in people:
        np.testing.assert_allclose(person["translation"], standing(person, np.array([960, 640])), rtol=1e-4)
    assert page.tab.locator("body[data-drawn='4']").count() == 1
    assert {url.partition(":")[0] for url in page.requests} <= {"file", "blob", "data"}
    assert page.errors == []


def test_meshes_are_saved(page, predictor, tmp_path):
    import trimesh

    page.click("#samples button:nth-child(2)")
    people = page.people()
    vertices, faces = predictor.mesh_model.vertex_num, len(predictor.mesh_model.faces)
    lines = page.saved("obj").decode().splitlines()
    assert [sum(line.startswith(kind) for line in lines) for kind in ("g ", "v ", "f ")] == [4, 4 * vertices, 4 * faces]
    corners = np.array([line.split()[1:] for line in lines if line.startswith("f ")], int)
    np.testing.assert_array_equal(corners[faces : 2 * faces] - 1 - vertices, predictor.mesh_model.faces)
    (tmp_path / "a.glb").write_bytes(page.saved("glb"))
    scene = trimesh.load(tmp_path / "a.glb", process=False)
    for person in people:
        mesh = scene.geometry[f"person_{person['number']}"]
        placed = np.array(person["mesh"]) + person["translation"]
        np.testing.assert_allclose(mesh.vertices, placed * [1, -1, -1], atol=1e-4)
        np.testing.assert_array_equal(mesh.faces, predictor.mesh_model.faces)


def test_pasted_layouts_are_told_by_their_content(page, predictor, pose):
    scored = np.column_stack([pose, np.full(17, 0.9)])
    flat, record = scored.ravel().tolist(), {"image_id": NASTY, "keypoints": scored.ravel().tolist(), "score": 2.5}
    layouts = (
        pose.tolist(), scored.tolist(), [scored.tolist()], flat, [flat], pose.ravel().tolist(), [record], record,
        {"annotations": [record | {"image_id": 7}], "images": [{"id": 7, "file_name": NASTY}]},
        {NASTY: [scored.tolist()]}, {NASTY: [record]}, [{"people": [{"pose_keypoints_2d": flat}]}],
        {"people": [{"pose_keypoints_2d": flat}, {"pose_keypoints_2d": []}]},
        {"keypoints": pose.tolist(), "keypoint_scores": [0.9] * 17}, predictor.joint_set.add_derived(pose).tolist(),
    )  # fmt: skip
    for content, pictures in zip(layouts, page.read(layouts)):
        ((person,),) = (picture["people"] for picture in pictures)
        np.testing.assert_allclose(np.array(person)[:17, :2], pose, err_msg=str(content))
        assert person[0][2] in (0.9, 1)
    body25 = np.random.default_rng(0).normal(300, 90, (25, 3)) * [1, 1, 0] + [0, 0, 0.8]
    body25[3] = np.nan  # the right elbow, in a language that JSON does not have
    assert page.paste({"people": [{"pose_keypoints_2d": body25.ravel().tolist()}]}).startswith("1 person")
    assert page.tab.inner_text("#notes") == "Person 0: 1 missing joint(s) filled from the others: R_Elbow."
    assert_same(page.people(), predictor.predict_detections(body25[None], "openpose_body25").prediction)


def test_several_pictures_are_chosen_from(page, pose):
    page.paste(
        [
            {"image_id": f"{NASTY}{number % 2}", "keypoints": (pose + 300 * number).ravel().tolist()}
            for number in range(5)
        ]
    )
    assert len(page.people()) == 3
    names = page.tab.locator("#frames option").all_inner_texts()
    assert len(names) == 2
    assert all(name.startswith("</script><img src=") for name in names)
    page.tab.select_option("#frames", index=1)
    page.tab.wait_for_selector("body[data-people='2']")
    assert page.tab.title() == "Pose2Mesh"
    assert page.tab.locator("img").count() == 0


def test_files_are_taken(page, pose):
    png = cv2.imencode(".png", np.full((600, 400, 3), 200, np.uint8))[1].tobytes()
    for name, content, words in (
        ("a.json", json.dumps(pose.tolist()).encode(), "1 person in "),
        ("b.png", png, "1 person in "),
        ("c.png", b"no picture", "no picture that the browser can show"),
        ("d.json", b"", "nothing to read"),
        ("e.json", bytes(range(256)), "not JSON"),
    ):
        kind = "image/png" if name.endswith("png") else "application/json"
        assert words in page.give({"name": name, "mimeType": kind, "buffer": content})
    assert page.errors == []


def test_other_content_is_refused_in_words(page, pose):
    record = {"image_id": "a", "keypoints": pose.ravel().tolist()}
    contents = {
        "": "nothing to read",
        "[1, 2": "not JSON",
        NASTY: "not JSON",
        "null": "No poses are in null",
        '"text"': "No poses are in text",
        "[]": "nobody",
        "{}": "No poses",
        '{"people": []}': "nobody",
        '{"people": 3}': '"people" has to be a list',
        '{"people": [{"face": []}]}': 'no list "pose_keypoints_2d"',
        '{"__proto__": [], "constructor": 1}': "No poses are under",
        json.dumps(
            pose[:5].tolist()
        ): "A person has 5 joints; this page reads 17 (coco) or 19 (coco), and of other tools",
        "[1, 2, 3]": "A person has 3 numbers",
        json.dumps([["a", "b"]] * 17): "A person has 2 joints",
        json.dumps(pose.astype(str).tolist()): "A person has 2 joints",
        json.dumps([pose.astype(str).tolist()]): 'Joint 0 is ["115',
        json.dumps([[[1, 2, 3, 4]] * 17]): "Joint 0 is [1,2,3,4]",
        json.dumps([[*pose.tolist()[:16], [1]]]): "Joint 16 is [1]",
        json.dumps([{"keypoints": "x" * 99}]): 'no list "keypoints"',
        json.dumps([{NASTY: 1}]): 'no list "keypoints", only </script><img',
        json.dumps([record, 3]): "mixed",
        '{"annotations": [null]}': "A record is null",
        json.dumps(record | {"scores": [1.0]}): "17 joints and 1 scores",
        "[" * 5000 + "]" * 5000: "A person has 1 joints",
    }
    for (content, words), said in zip(contents.items(), page.read(contents)):
        assert words in said, (content, said)
        assert len(said) < 600


def test_poses_that_cannot_be_lifted_are_named_and_the_page_goes_on(page, pose):
    half, trunk = pose.copy(), pose.copy()
    half[:9] = 0
    trunk[[5, 6, 11]] = np.nan
    for content, words in (
        ([{NASTY: 1}], 'no list "keypoints", only </script><img'),
        (half.tolist(), "9 of 17 joints missing (Nose, L_Eye"),
        (trunk.tolist(), "of L_Shoulder, R_Shoulder, L_Hip, R_Hip 2 are needed"),
        ((pose / 1000).tolist(), "no fractions of the picture"),
        (np.column_stack([pose, np.full(17, 0.05)]).tolist(), "scores sum to 0.8"),
        (np.full((17, 2), 1e300).tolist(), "scores sum to 0.00"),
    ):
        said = page.paste(content)
        assert words in said, (content, said)
        assert page.tab.locator("#status.bad").count() == 1
        assert page.tab.locator("[data-file]:enabled").count() == 0
    assert page.paste(pose.tolist()).startswith("1 person in ")
    assert page.tab.locator("[data-file]:enabled").count() == 3
    assert page.tab.locator("img").count() == 0
    assert page.errors == []


@pytest.mark.parametrize("name", ["coco", "human36", "smpl", "mano"])
def test_joints_of_other_sources_are_mapped_as_in_python(name):
    joint_set, rng = get_joint_set(name), np.random.default_rng(0)
    for count, source in pose_sources(joint_set).items():
        poses = rng.normal(300, 90, (1, count, 2))
        if source["ways"] is None:
            assert count in (joint_set.keypoint_num, joint_set.joint_num)
            continue
        mapped = map_pose(poses[:, : {133: 23, 136: 26}.get(count, count)], source["name"], joint_set)
        for joint, ways in enumerate(source["ways"]):
            found = sum(weight * poses[0, index] for index, weight in ways[0]) if ways else np.full(2, np.nan)
            np.testing.assert_allclose(found, mapped[0, joint, :2], rtol=1e-5)


def test_page_keeps_texts_in_their_place_and_out_of_the_network(weights, tmp_path):
    require_onnx()
    fake = tmp_path / "onnxruntime-web" / "dist"
    fake.mkdir(parents=True)
    for file in ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"):
        (fake / file).write_bytes(b"nothing")
    trained = load_trained(weights["mano"])
    text = write_web_page(trained, tmp_path / "new" / "a.html", fake.parent).read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text).group(1)
    assert "default-src &#x27;none&#x27;" in policy
    assert "unsafe-inline" not in policy
    assert not re.search(r"https?:|src=|href=|@import|fetch\(|XMLHttp", text)
    model = json.loads(re.search(r'id="model">(.*?)</script>', text, re.S).group(1))
    assert model["joints"] == list(trained.joint_set.joints)
    assert [sample["name"] for sample in model["samples"]] == ["Sample pose"]


def test_lifters_and_missing_packages_are_refused(weights, tmp_path):
    posenet = load_trained(weights["coco"], "posenet")
    with pytest.raises(ValueError, match="holds no mesh network"):
        write_web_page(posenet, tmp_path / "a.html", tmp_path)
    with pytest.raises(ValueError, match="it is not installed: npm ci --prefix docs/web"):
        find_runtime([tmp_path])
    (tmp_path / "onnxruntime-web").mkdir()
    (tmp_path / "onnxruntime-web" / "package.json").write_text('{"version": "0.0.1"}')
    with pytest.raises(ValueError, match="0.0.1 is in"):
        find_runtime([tmp_path])
    assert not (tmp_path / "a.html").exists()
