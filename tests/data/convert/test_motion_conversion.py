"""Conversion of clips to motion files, the held-out split, thinning, the benchmark."""

import gzip

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data.build import make_benchmark
from data.build.pose_distance import heading_free_joints, remove_heading, thin
from data.convert import cmu_bvh, retarget
from data.convert.bvh import parse_bvh, read_bvh
from data.Synthetic.split import HELDOUT_SUBJECTS, UNKNOWN_SUBJECT, in_split
from tests.support.files.bvh_clips import REST, cmu_text, tiny


@pytest.fixture
def clip_folder(tmp_path):
    body = tmp_path / "body.npz"
    np.savez(body, J=REST)
    folder = tmp_path / "clips"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for name in ("02_01", "14_03", "expmap-jumping_1"):
        start = rng.uniform(-10, 10, (1, 3))
        walk = {"LeftUpLeg": start + np.linspace(0, 40, 31)[:, None] * [0.2, 0.1, -1]}
        positions = np.linspace([0, 16, 0], [0, 16, 18], 31)
        text = cmu_text(walk, 31, positions=positions)
        (folder / f"{name}.bvh.gz").write_bytes(gzip.compress(text.encode()))
    return folder, body


def run(clip_folder, output, *extra):
    folder, body = clip_folder
    cmu_bvh.main(["--input", str(folder), "--output", str(output), "--body", str(body), *extra])
    return {str(path.relative_to(output)) for path in output.rglob("*.npz")}


def test_conversion_to_amass_files(clip_folder, tmp_path, capsys):
    output = tmp_path / "out"
    files = run(clip_folder, output)
    assert files == {
        "CMU/02/02_01_poses.npz", "CMU/14/14_03_poses.npz", f"CMU/{UNKNOWN_SUBJECT}/expmap-jumping_1_poses.npz",
    }  # fmt: skip
    with np.load(output / "CMU/02/02_01_poses.npz", allow_pickle=False) as arrays:
        assert arrays["poses"].shape == (11, 156)
        assert not arrays["poses"][:, 72:].any()
        assert (arrays["betas"].shape, arrays["dmpls"].shape, arrays["trans"].shape) == ((16,), (11, 8), (11, 3))
        assert str(arrays["gender"]) == "neutral"
        np.testing.assert_allclose(arrays["mocap_framerate"], 10.0, atol=1e-6)
        assert arrays["frame"].tolist() == list(range(11))
        # 18 units of 5.6444 cm forward (z becomes -y)
        np.testing.assert_allclose(arrays["trans"][-1] - arrays["trans"][0], [0, -18 * 0.0254 / 0.45, 0], atol=1e-6)
        clip = read_bvh(clip_folder[0] / "02_01.bvh.gz")
        body_pose = retarget.retarget(clip, REST)[::3].reshape(-1, 72)
        np.testing.assert_allclose(arrays["poses"][:, 3:72], body_pose[:, 3:], atol=1e-6)
    assert "33 frames of 3 subjects" in capsys.readouterr().out


def test_conversion_options(clip_folder, tmp_path):
    assert run(clip_folder, tmp_path / "a", "--split", "heldout", "--subset", "X") == {"X/02/02_01_poses.npz"}
    assert len(run(clip_folder, tmp_path / "b", "--split", "train", "--fps", "keep")) == 2
    with np.load(tmp_path / "b/CMU/14/14_03_poses.npz") as arrays:
        assert len(arrays["poses"]) == 31
    index = tmp_path / "index.csv"
    index.write_text("file,subject\nfolder/02_01.bvh.gz,77\nfolder/expmap-jumping_1.bvh.gz,unlisted\n")
    files = run(clip_folder, tmp_path / "c", "--index", str(index))
    assert {"CMU/77/02_01_poses.npz", f"CMU/{UNKNOWN_SUBJECT}/expmap-jumping_1_poses.npz"} <= files


def test_conversion_errors(clip_folder, tmp_path, capsys):
    (clip_folder[0] / "zz_1.bvh").write_text(tiny())
    with pytest.raises(SystemExit):
        run(clip_folder, tmp_path / "out")
    assert "zz_1.bvh: no known skeleton" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run((tmp_path / "nothing", clip_folder[1]), tmp_path / "out")
    assert "no such file or folder" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run((clip_folder[0], tmp_path / "no_body.npz"), tmp_path / "out")
    assert "expected a body model" in capsys.readouterr().err
    with pytest.raises(ValueError, match="100 were asked for"):
        cmu_bvh.convert_clip(parse_bvh(cmu_text()), REST, fps=100)


def test_split():
    assert in_split("02", "heldout")
    assert not in_split("02", "train")
    assert in_split("14", "train")
    assert in_split("02", "all")
    assert UNKNOWN_SUBJECT not in HELDOUT_SUBJECTS
    # clips of unknown subject may show these persons
    assert not HELDOUT_SUBJECTS & {"06", "10", "11", "14", "16", "29"}
    with pytest.raises(ValueError, match="unknown split"):
        in_split("02", "test")


def test_pose_distance_ignores_heading_and_thins():
    rng = np.random.default_rng(4)
    poses = rng.normal(0, 0.4, (50, 72))
    poses[:, :3] = (Rotation.from_rotvec(poses[:, :3]) * Rotation.from_rotvec([np.pi / 2, 0, 0])).as_rotvec()
    turned = poses.copy()
    turned[:, :3] = (Rotation.from_rotvec([0, 0, 1.3]) * Rotation.from_rotvec(poses[:, :3])).as_rotvec()
    joints = heading_free_joints(poses, REST)
    np.testing.assert_allclose(heading_free_joints(turned, REST), joints, atol=1e-9)
    assert thin(np.concatenate([joints, joints]), 1e-3).tolist() == list(range(50))
    kept = thin(joints, 0.25)
    distances = np.sqrt(np.square(joints[:, None] - joints[None]).sum(-1).mean(-1))
    among = distances[np.ix_(kept, kept)] + np.eye(len(kept))
    assert 1 < len(kept) < 50
    assert among.min() >= 0.25
    assert distances[:, kept].min(axis=1).max() < 0.25


def test_upright_body_without_heading_faces_minus_y():
    root = Rotation.from_rotvec([0, 0, 2.0]) * Rotation.from_rotvec([np.pi / 2, 0, 0])
    front = remove_heading(Rotation.from_rotvec(root.as_rotvec()[None])).apply([0, 0, 1])
    np.testing.assert_allclose(front, [[0, -1, 0]], atol=1e-9)


def test_benchmark_is_made_of_heldout_subjects(clip_folder, tmp_path):
    run(clip_folder, tmp_path / "motion", "--fps", "keep")
    output = tmp_path / "benchmark" / "rows.npz"
    body = str(clip_folder[1])
    arguments = ["--motion", str(tmp_path / "motion"), "--output", str(output), "--body", body]
    make_benchmark.main(arguments)
    with np.load(output, allow_pickle=False) as rows:
        assert len(rows["frame"]) == 31
    make_benchmark.main([*arguments, "--distance", "0.04"])
    with np.load(output, allow_pickle=False) as rows, np.load(tmp_path / "motion/CMU/02/02_01_poses.npz") as clip:
        assert rows["poses"].dtype == np.float16
        assert set(rows["subject"].tolist()) == {"02"}
        assert set(rows["clip"].tolist()) == {"02_01"}
        assert 2 <= len(rows["frame"]) < 31
        np.testing.assert_array_equal(rows["poses"], clip["poses"][rows["frame"], :72].astype(np.float16))


def test_shipped_benchmark():
    with np.load(make_benchmark.DEFAULT_OUTPUT, allow_pickle=False) as rows:
        count = len(rows["poses"])
        assert rows["poses"].shape == (count, 72)
        assert count > 3000
        assert set(rows["subject"].tolist()) == HELDOUT_SUBJECTS
        poses = rows["poses"].astype(np.float64)
    assert np.isfinite(poses).all()
    up = Rotation.from_rotvec(poses[:, :3]).apply([0, 1, 0])[:, 2]
    assert np.median(up) > 0.9  # z up: most bodies stand
