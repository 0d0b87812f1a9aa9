"""The open sequence benchmark: how its clips are cut, and the file that is shipped."""

import re

import numpy as np
import pytest

from data.build import make_sequence_benchmark
from data.Synthetic import benchmark
from data.Synthetic.split import HELDOUT_SUBJECTS


def write_motion(folder, subject, clip, frame, fps=30.0, without=()):
    count = len(frame)
    path = folder / "CMU" / subject / f"{clip}_poses.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    poses = np.linspace(-3.1, 3.1, 156 * count).reshape(count, 156).astype(np.float32)
    trans = np.arange(3.0 * count).reshape(count, 3)
    arrays = {"poses": poses, "trans": trans, "betas": np.zeros(16), "dmpls": np.zeros((count, 8)), "gender": "neutral"}
    arrays |= {"mocap_framerate": np.array(fps), "frame": np.array(frame, dtype=np.int32)}
    np.savez(path, **{key: value for key, value in arrays.items() if key not in without})
    return poses[:, :72], trans


def make(folder, output):
    make_sequence_benchmark.main(["--motion", str(folder), "--output", str(output)])


def test_clips_are_cut_where_frames_are_missing(tmp_path, monkeypatch, capsys):
    whole = write_motion(tmp_path, "02", "02_01", range(35))
    cut = write_motion(tmp_path, "05", "05_03", [*range(29), *range(30, 61), *range(70, 101), 200])
    write_motion(tmp_path, "14", "14_01", range(40))  # a training subject
    output = tmp_path / "sequences.npz"
    make(tmp_path, output)
    assert "97 frames of 3 clips" in capsys.readouterr().out
    monkeypatch.setattr(benchmark, "SEQUENCES", output)
    found = benchmark.read_sequences()
    assert found.clips.tolist() == ["02_01", "05_03@30", "05_03@70"]
    assert found.starts.tolist() == [0, 35, 66]
    assert found.clip_of.tolist() == [0] * 35 + [1] * 31 + [2] * 31
    assert (found.poses.dtype, found.trans.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(found.poses, np.concatenate([whole[0], cut[0][29:91]]), atol=0.51e-4)
    np.testing.assert_array_equal(found.trans, np.concatenate([whole[1], cut[1][29:91]]))


@pytest.mark.parametrize(
    ("frame", "others", "message"),
    [
        (
            range(40),
            {"without": ("frame",)},
            r"02_01_poses.npz has no frame, .*data/convert/cmu_bvh.py --fps 30 makes it",
        ),
        (range(40), {"fps": 120.0}, r"02_01_poses.npz has 120 frames per second, not 30; .*--fps 30 makes it"),
        (range(0, 80, 2), {}, "no clip below .* has 30 frames that follow each other"),
    ],
)
def test_other_motion_is_refused(tmp_path, capsys, frame, others, message):
    write_motion(tmp_path, "02", "02_01", frame, **others)
    with pytest.raises(SystemExit):
        make(tmp_path, tmp_path / "sequences.npz")
    assert re.search(message, capsys.readouterr().err)


def test_shipped_sequences():
    found = benchmark.read_sequences()
    lengths = np.diff(found.starts, append=len(found.poses))
    assert len(found.poses) > 10_000
    assert lengths.min() >= make_sequence_benchmark.SHORTEST
    assert found.starts[0] == 0
    assert len(set(found.clips.tolist())) == len(found.clips) == len(lengths)
    assert {clip.split("_")[0] for clip in found.clips.tolist()} == HELDOUT_SUBJECTS
    assert found.poses.shape[1:] == (72,)
    assert found.trans.shape == (len(found.poses), 3)
    assert np.isfinite(found.trans).all()
    step = np.linalg.norm(np.diff(found.trans, axis=0), axis=1)
    inside = np.diff(found.clip_of) == 0
    assert step[inside].max() < 0.25  # metres in a thirtieth of a second: nothing is missing within a clip
