"""Skeletons in BVH and glTF files: what readers of the formats make of them is what the body model does."""

import json
import os
import shutil
import subprocess

import numpy as np
import pytest
import torch
import trimesh

from data.convert.bvh import parse_bvh, read_bvh
from lib import ROOT
from lib.body.lbs import lbs
from lib.body.rotation import axis_angle_to_matrix
from lib.export.animation import Motion, plainly_skinned, save_bvh, save_skinned_glb
from lib.export.animation.bvh import euler_angles
from lib.export.params import mirrored_fit
from lib.geometry.mirror import mirror_points
from lib.mesh.fit_params import ParamFit
from lib.mesh.mesh_model import load_mesh_model
from tests.support.files.bvh_clips import positions_of
from tests.support.gltf import Gltf
from tests.support.open_models import random_pose

FPS = 24.0
SEEN = np.array([2, 3, 4, 7, 8, 9])  # frames of a film of 12
FILM = 12
UP = np.diag([1.0, -1.0, -1.0])
VALIDATE = """
const validator = require("gltf-validator"), data = require("fs").readFileSync(process.argv[1]);
validator.validateBytes(new Uint8Array(data)).then((report) => console.log(JSON.stringify(report.issues)));
"""


@pytest.fixture(scope="module", params=["open_1723", "open_hand", "left open_hand"])
def moving(request):
    """Model, two people's motions with a gap, and their joints, meshes and plainly skinned meshes."""
    side, _, name = request.param.rpartition(" ")
    model = load_mesh_model("hand" if "hand" in name else "body", name)
    params, left = model.params(), np.full(len(SEEN), side == "left")
    motions, points = [], []
    for person in range(2):
        pose, betas = random_pose(params.joint_num, len(SEEN), seed=person)
        pose[:, :3] += [np.pi, 0, 0]
        pose[2, 3:6] = pose[3, 6:9] = [np.pi / 2, 0, 0]  # x of z, x, y: locked
        pose[4, 3:6] = [0, 0, 0]
        trans = np.random.default_rng(person).normal((0, 0, 4), 1, (len(SEEN), 3))
        shape = np.repeat(betas[:1], len(SEEN), axis=0)
        own = ParamFit(*(torch.from_numpy(values).float() for values in (pose, shape, trans, np.zeros(len(SEEN)))))
        motions.append(Motion.of(f"person_{person}", mirrored_fit(own, left), model, SEEN, left=bool(left[0])))
        place = own.trans[:, None]
        meshes, joints = lbs(params, own.pose, own.betas)
        skinned = lbs(plainly_skinned(params), own.pose, own.betas)[0]
        points.append([mirror_points((found + place).numpy(), left) @ UP for found in (joints, meshes, skinned)])
    return model, motions, points


@pytest.fixture(scope="module")
def glb(moving, tmp_path_factory):
    path = tmp_path_factory.mktemp("rigged") / "two.glb"
    save_skinned_glb(path, moving[1], [(1, 0.2, 0.2), (0.2, 0.3, 1)], FPS, FILM)
    return path


def far(points, others) -> float:
    """Largest distance, millimetres."""
    return 1e3 * float(np.linalg.norm(points - others, axis=-1).max())


def test_bvh_has_the_joints_of_the_model(moving, tmp_path):
    _, motions, points = moving
    for motion, (joints, _, _) in zip(motions, points):
        save_bvh(tmp_path / "one.bvh", motion, FPS, FILM)
        clip = read_bvh(tmp_path / "one.bvh")
        assert clip.fps == pytest.approx(FPS, rel=1e-6)
        assert len(clip) == FILM
        assert clip.offsets[0].tolist() == [0, 0, 0]  # readers that add it to the positions agree with the others
        found = positions_of(clip)[:, [clip.index(name) for name in motion.skeleton.joints]]
        assert far(found[SEEN], joints) < 0.02
        # unseen: the first pose, and the pose before
        assert far(found[[0, 1, 5, 6, 10, 11]], joints[[0, 0, 2, 2, 5, 5]]) < 0.02


def test_bvh_starts_at_the_first_frame_and_ends_at_the_last(body, tmp_path):
    fit = ParamFit(torch.zeros(1, 72), torch.zeros(1, 10), torch.zeros(1, 3), torch.zeros(1))
    save_bvh(tmp_path / "one.bvh", Motion.of("person_0", fit, body), 30)
    text = (tmp_path / "one.bvh").read_text()
    assert "-0.000000" not in text
    clip = parse_bvh(text)
    assert len(clip) == 1
    assert set(clip.end_offsets) == {"L_Toe", "R_Toe", "Head", "L_Hand", "R_Hand"}
    lengths = {joint: np.linalg.norm(offset) for joint, offset in clip.end_offsets.items()}
    assert all(0.04 < length < 0.3 for length in lengths.values()), lengths
    assert clip.end_offsets["Head"][1] > 0.1  # the top
    assert clip.end_offsets["L_Hand"][0] > 0.05 > -0.05 > clip.end_offsets["R_Hand"][0]


def test_angles_go_on_without_jumps():
    """Two turns about y, about z, and over the top about x, where other angles would turn round."""
    turn = np.linspace(0, 4 * np.pi, 60)
    for axis, place in enumerate((1, 2, 0)):
        vector = np.zeros((60, 1, 3))
        vector[:, 0, axis] = turn
        angles = euler_angles(axis_angle_to_matrix(torch.from_numpy(vector)).numpy())[:, 0]
        np.testing.assert_allclose(angles[:, place], np.degrees(turn), atol=1e-4)
        np.testing.assert_allclose(np.delete(angles, place, axis=1), 0, atol=1e-4)


def test_skeleton_in_glb_has_the_joints_and_surface_of_the_model(moving, glb):
    _, motions, points = moving
    file = Gltf(glb)
    for motion, (joints, meshes, skinned) in zip(motions, points):
        names = [file.json["nodes"][node]["name"] for node in file.find("skins", motion.name)["joints"]]
        assert tuple(names) == motion.skeleton.joints
        still = file.world()
        assert far(file.joints(motion.name, still), joints[0]) < 0.02  # without the animation: the first frame
        surface = []
        for row, frame in enumerate(SEEN):
            world = file.world(motion.name, frame / FPS)
            assert far(file.joints(motion.name, world), joints[row]) < 0.02
            assert far(file.skinned(motion.name, world), skinned[row]) < 0.02
            surface.append(file.skinned(motion.name, world))
        # what skinning cannot do, as docs say; these poses are wilder than people's
        assert 1e3 * np.linalg.norm(surface - meshes, axis=-1).mean() < 2.5
        for frame, row in ((0, 0), (6, 2), (FILM - 1, 5)):
            assert far(file.joints(motion.name, file.world(motion.name, frame / FPS)), joints[row]) < 0.02
        times = file.array(file.find("animations", motion.name)["samplers"][0]["input"])
        assert times[[0, -1], 0].tolist() == pytest.approx([0, (FILM - 1) / FPS])
        for sampler in file.find("animations", motion.name)["samplers"][1:]:
            turns = file.array(sampler["output"])
            assert ((turns[1:] * turns[:-1]).sum(axis=1) >= 0).all()  # the short way between keys
    weights = file.array(file.json["meshes"][0]["primitives"][0]["attributes"]["WEIGHTS_0"])
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)


def test_trimesh_reads_the_mesh_at_rest(moving, glb):
    _, motions, _ = moving
    scene = trimesh.load(glb, process=False)
    assert list(scene.geometry) == ["person_0", "person_1"]
    for motion in motions:
        mesh = scene.geometry[motion.name]
        np.testing.assert_allclose(mesh.vertices, motion.skeleton.vertices, atol=1e-6)
        assert mesh.volume > 0  # faces turn outwards, those of left hands, too


def test_pygltflib_reads_the_skins(moving, glb):
    pygltflib = pytest.importorskip("pygltflib", reason="pygltflib is not installed")
    content = pygltflib.GLTF2().load(str(glb))
    assert [clip.name for clip in content.animations] == ["person_0", "person_1"]
    assert [len(skin.joints) for skin in content.skins] == [len(moving[1][0].skeleton.joints)] * 2


def test_the_official_validator_has_nothing_to_say(glb):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on PATH")
    folders = [os.environ.get("NODE_PATH", ""), str(ROOT / "node_modules")]
    environment = {**os.environ, "NODE_PATH": os.pathsep.join(filter(None, folders))}
    found = subprocess.run([node, "-e", VALIDATE, glb], env=environment, capture_output=True, text=True)
    if "Cannot find module" in found.stderr:
        pytest.skip("no gltf-validator beside node: npm install gltf-validator, or NODE_PATH")
    issues = json.loads(found.stdout)
    assert [issues[f"num{kind}"] for kind in ("Errors", "Warnings", "Infos", "Hints")] == [0, 0, 0, 0], issues


def test_people_who_cannot_be_written(body, tmp_path):
    fit = ParamFit(torch.zeros(2, 72), torch.zeros(2, 10), torch.zeros(2, 3), torch.zeros(2))
    motion = Motion.of("person_0", fit, body)
    with pytest.raises(ValueError, match=r"one\.fbx: .*\.bvh"):
        save_bvh(tmp_path / "one.fbx", motion, 30)
    with pytest.raises(ValueError, match=r"one\.gltf: .*\.glb"):
        save_skinned_glb(tmp_path / "one.gltf", [motion], [(1, 1, 1)], 30)
    with pytest.raises(ValueError, match="different names"):
        save_skinned_glb(tmp_path / "one.glb", [motion, motion], [(1, 1, 1)] * 2, 30)
    with pytest.raises(ValueError, match="no frames"):
        Motion.of("person_0", fit[:0], body)
    fit.betas[1] = 1
    with pytest.raises(ValueError, match="one shape"):
        Motion.of("person_0", fit, body)
    fit.betas[1], fit.pose[0, 3] = 0, np.nan
    with pytest.raises(ValueError, match="NaN"):
        Motion.of("person_0", fit, body)
    assert not list(tmp_path.iterdir())
