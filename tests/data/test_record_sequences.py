"""Sequences of AMASS, 3DPW and Human3.6M: consecutive frames of one person, seen by the camera that saw them."""

import json
import random

import numpy as np
import pytest
import torch

from data.AMASS.dataset import CAMERAS
from data.AMASS.sequences import AMASSSequences
from data.Human36M.sequences import Human36MSequences
from data.PW3D.sequences import PW3DSequences
from lib.datasets.loader import BatchLoader
from lib.datasets.mixing import MultipleDatasets
from lib.datasets.pose_dataset import stream
from lib.datasets.registry import sequence_class
from lib.datasets.sequences.augment import augmented
from lib.datasets.sequences.clips import Clips
from lib.geometry.crops import rotate_flip_3d
from lib.joints.tables import COCO, HUMAN36
from lib.settings.reading import merge
from lib.units import MM_PER_M
from tests.support.files.damaged_files import mesh_model

FRAMES = 4
FITS = "Human36M_subject5_smpl_param.json"


@pytest.fixture
def build(tiny_root):
    def make(name, mode, root=tiny_root, joint_set="coco", aug=None, **settings):
        chosen = {"input_joint_set": joint_set, "window": FRAMES, "cache": "", **settings}
        cfg = merge({"DATASET": chosen, "MODEL": {"name": "posenet"}, "AUG": aug or {}})
        return sequence_class(name)(mode, cfg, mesh_model(tiny_root, "body"), root=root)

    return make


def off(batch, keypoints=17):
    """Pixels between the 2D joints that are no means of others and the projection of the targets, per joint."""
    joints = batch.targets["lift_pose3d"] / MM_PER_M + batch.targets["root"][:, :, None]
    image = joints[..., :2] / joints[..., 2:] * batch.inputs["focal"][:, :, None] + batch.inputs["princpt"][:, :, None]
    return (image - batch.inputs["pose2d"]).norm(dim=-1)[:, :, :keypoints]


def whole(data):
    return [data.batch([number], stream(0)) for number in range(len(data))]


def test_clips_of_3dpw_are_its_frames(build):
    data = build("PW3D", "test")
    assert isinstance(data, PW3DSequences)
    assert data.clip_names == (
        "downtown_arguing_00 person 0", "downtown_arguing_00 person 1", "downtown_walkBridge_01 person 0"
    )  # fmt: skip
    assert np.bincount(data.clip_of_frame).tolist() == [4, 3, 4]
    images = [name.decode() for name in data.records["image"]]  # names of samples are those of frames
    assert images[:4] == [f"downtown_arguing_00/image_{frame:05d}.jpg" for frame in range(4)]
    for number, batch in enumerate(whole(data)):
        assert batch.inputs["pose2d"].shape == (1, (data.clip_of_frame == number).sum(), 19, 2)
        assert off(batch).max() < 1e-3
        assert all(values.min() == 1 for values in (batch.inputs["seen"], *batch.meta.values()))


def edited(damaged, change, words="3DPW_latest_test.json", **settings):
    sound = damaged("PW3D", **settings)
    sound.edit(words, change)
    return sound.root


def test_a_missing_frame_splits_and_order_does_not_matter(build, damaged):
    def change(content):
        images = {image["id"]: (image["sequence"], image["frame_idx"]) for image in content["images"]}
        gone = ("downtown_walkBridge_01", 1)
        content["annotations"] = [one for one in content["annotations"] if images[one["image_id"]] != gone]
        random.Random(3).shuffle(content["annotations"])
        random.Random(4).shuffle(content["images"])

    wanted, data = build("PW3D", "test"), build("PW3D", "test", edited(damaged, change))
    assert data.clip_names == (
        *wanted.clip_names[:2], "downtown_walkBridge_01 person 0 from frame 0",
        "downtown_walkBridge_01 person 0 from frame 2",
    )  # fmt: skip
    assert np.bincount(data.clip_of_frame).tolist() == [4, 3, 1, 2]
    parts, others = ([part.inputs["pose2d"] for part in whole(each)] for each in (wanted, data))
    assert torch.equal(torch.cat(others[:2], dim=1), torch.cat(parts[:2], dim=1))
    torch.testing.assert_close(torch.cat(others[2:], dim=1), parts[2][:, [0, 2, 3]], atol=1e-3, rtol=0)


def test_joints_that_were_not_detected_are_filled_in(build, damaged, tiny_root):
    found = "darkpose_3dpw_testset_output.json"
    annotations = json.loads((tiny_root / "data/PW3D/data/3DPW_latest_test.json").read_text())
    images = {image["id"]: (image["sequence"], image["frame_idx"]) for image in annotations["images"]}
    ids = {
        (*images[annotation["image_id"]], annotation["person_id"]): annotation["id"]
        for annotation in annotations["annotations"]
    }

    def change(content):
        entry = {one["annotation_id"]: one for one in content}
        for frame in range(4):  # never an ankle
            entry[ids["downtown_walkBridge_01", frame, 0]]["keypoints"][15] = [0.0, 0.0, 0.0]
        entry[ids["downtown_walkBridge_01", 1, 0]]["keypoints"][11] = [7.0, 7.0, 0.0]
        content.remove(entry[ids["downtown_walkBridge_01", 2, 0]])
        entry[ids["downtown_walkBridge_01", 3, 0]]["keypoints"][5] = [None, None, 0.9]

    data = build("PW3D", "test", edited(damaged, change, found), use_gt_input=False)
    sound = build("PW3D", "test", use_gt_input=False).batch([2], stream(0)).inputs["pose2d"][0]
    batch = data.batch([2], stream(0))
    pose2d, seen = batch.inputs["pose2d"][0], batch.inputs["seen"][0] > 0
    assert torch.isfinite(pose2d).all()
    assert torch.equal(pose2d[seen], sound[seen])
    hidden = {(frame, joint) for frame, joint in (~seen).nonzero().tolist()}
    # with the left hip the pelvis (17), with a shoulder the neck (18)
    assert hidden == {(f, 15) for f in range(4)} | {(1, 11), (1, 17), (3, 5), (3, 18)} | {(2, j) for j in range(19)}
    torch.testing.assert_close(pose2d[2, 0], (pose2d[1, 0] + pose2d[3, 0]) / 2)
    torch.testing.assert_close(pose2d[1, 11], sound[0, 11] + (sound[3, 11] - sound[0, 11]) / 3)
    box = pose2d[0, :15]
    assert ((pose2d[0, 15] >= box.amin(dim=0)) & (pose2d[0, 15] <= box.amax(dim=0))).all()
    assert off(batch)[0][seen[:, :17]].max() < 30


def test_detections_of_other_frames_are_refused(build, damaged):
    root = edited(damaged, lambda content: content.__delitem__(slice(4, None)), "darkpose_3dpw_testset_output.json")
    with pytest.raises(ValueError, match="missing for 7 of 11 samples"):
        build("PW3D", "test", root, use_gt_input=False)
    with pytest.raises(ValueError, match="no detection of image"):  # of every 50th frame
        build("Human36M", "test", joint_set="human36", use_gt_input=False)


def test_human36m_is_interpolated_from_all_its_frames(build):
    """Frames 51 to 59 without 55 at 50 per second are 0.16 seconds: five frames at 30."""
    data = build("Human36M", "test", joint_set="human36")
    assert isinstance(data, Human36MSequences)
    long = [number for number, name in enumerate(data.clip_names) if (data.clip_of_frame == number).sum() == 5]
    assert [data.clip_names[number] for number in long][:2] == [
        "s_09_act_07_subact_01_ca_01 from frame 52", "s_09_act_07_subact_01_ca_02 from frame 52"
    ]  # fmt: skip
    for number in long[:3]:
        batch = data.batch([number], stream(0))
        assert off(batch).max() < 1e-3
        joints = batch.targets["lift_pose3d"] / MM_PER_M + batch.targets["root"][:, :, None]
        rows = data.tracks.order[data.tracks.starts[number] :][:8]
        wanted = data.source["joint_cam"][rows] / MM_PER_M  # of 51, 52, 53, 54, 56, 57, 58, 59
        time = np.arange(5) * 5 / 3
        for way, known in zip(joints[0].flatten(1).T.numpy(), wanted.reshape(8, -1).T):
            np.testing.assert_allclose(way, np.interp(time, [0, 1, 2, 3, 5, 6, 7, 8], known), atol=1e-5)


def test_windows_of_human36m_are_one_person_in_one_video(build):
    data = build("Human36M", "train", aug={"flip": True, "rotate_factor": 30})
    assert len(data) == 2 * 2 * 5  # clips of five subjects, two cameras each
    with pytest.raises(ValueError, match=r"no person is in 6 frames .* at most 5 are"):
        build("Human36M", "train", window=6)
    rows = data.rows(np.arange(len(data)), stream(0))
    names = data.records["image"][rows["sample"].numpy()]
    assert names.shape == (len(data), FRAMES)
    for window in names:
        videos, frames = zip(*(name.decode()[:-4].rsplit("_", 1) for name in window))
        assert len(set(videos)) == 1
        # one of two places: from the first or the second of five frames, a step of 5/3 each
        assert [int(frame) - 1 for frame in frames] in ([51, 52, 54, 56], [52, 54, 56, 57])
    assert len({tuple(window[:1]) for window in names.tolist()}) == len(data)
    assert off(data.finish(rows, stream(1))).max() < 1e-2


def test_rejected_fits_do_not_supervise(build, damaged):
    damage = damaged("Human36M", "train", use_gt_input=True)
    moments = json.loads(damage.file(FITS).read_text())
    (action,) = [key for key in moments if "51" in moments[key]["1"]][:1]
    damage.put(
        FITS, (action, "1", "51", "pose"), lambda pose: [angle + 0.35 * (-1) ** n for n, angle in enumerate(pose)]
    )
    for joint_set, kept in (("coco", 0.0), ("human36", 1.0)):  # annotated joints need no fit
        data = build("Human36M", "train", damage.root, joint_set, window=5)
        rows = data.rows(np.arange(len(data)), stream(0))
        images = data.source["image"][rows["sample"].numpy()]
        bad = torch.from_numpy(np.char.startswith(images, b"s_05") & np.char.endswith(images, b"_000052.jpg"))
        bad &= torch.from_numpy(np.char.find(images, f"_act_{int(action):02d}_".encode()) > 0)
        assert bad.sum() == 2
        valid = data.finish(rows, stream(0)).meta["lift_pose3d_valid"][..., 0]
        assert valid[bad].unique().tolist() == [kept]
        assert valid[~bad].min() == 1


def test_mirrored_and_turned_sequences(build):
    data = build("Human36M", "train")
    rows = data.rows(np.arange(6), stream(0))
    flip, angle = torch.tensor([True, False] * 3), torch.tensor([0.0, 0.0, 20.0, 20.0, -70.0, -70.0])
    other = augmented(rows, flip, angle)
    turn = {"rotation": angle[:, None].expand(-1, FRAMES), "mask": flip[:, None].expand(-1, FRAMES)}
    annotated = rotate_flip_3d(rows["joint_cam"], pairs=HUMAN36.flip_pairs, **turn)
    assert torch.equal(other["joint_cam"], annotated)
    # the bodies go along with the annotated joints, but a body is not quite its own mirror image
    before, after = (data.finish(each, stream(0)) for each in (rows, other))
    fits = before.targets["lift_pose3d"] / MM_PER_M + before.targets["root"][:, :, None]
    fits = rotate_flip_3d(fits, pairs=COCO.flip_pairs, **turn)
    apart = (after.targets["lift_pose3d"] / MM_PER_M + after.targets["root"][:, :, None] - fits).norm(dim=-1)
    assert apart[~flip].max() < 1e-5
    assert apart.max() < 0.02
    assert off(after).max() < 1e-2


def test_windows_of_amass(build):
    data = build("AMASS", "train", zero_hands=True)
    assert isinstance(data, AMASSSequences)
    seconds = sum(2 * [180 / 120]) + 30 / 120
    assert len(data) == pytest.approx(seconds * 30 / FRAMES, abs=1.5)
    rows = data.rows(np.arange(12), stream(0))
    assert all(values.shape[:2] == (12, FRAMES) for values in rows.values())
    cameras = rows["cam_R"].numpy()
    assert (cameras == cameras[:, :1]).all()
    assert {camera.tobytes() for camera in cameras[:, 0]} <= {camera.tobytes() for camera in CAMERAS}
    # half a metre along the way in the time of the clip
    assert rows["trans"].diff(dim=1).norm(dim=2).max() < 0.1
    batch = data.finish(rows, stream(1))
    assert off(batch).max() < 1e-3
    assert all(values.min() == 1 for values in batch.meta.values())
    clips = Clips(data.files(), None)
    assert {tuple(betas) for betas in rows["betas"][:, 0].tolist()} <= {tuple(betas) for betas in clips.betas.tolist()}
    assert (clips.fps == 120).all()
    assert (data.clips.fps == 60).all()
    assert (clips.records["pose"][: clips.lengths[0] : 2] == data.clips.records["pose"][: data.clips.lengths[0]]).all()
    assert data.batch(range(3), stream(5)).inputs["pose2d"].equal(data.batch(range(3), stream(5)).inputs["pose2d"])


def test_sets_are_mixed(build):
    sets = [build(name, "train", use_gt_input=False) for name in ("Human36M", "AMASS")]
    batches = list(BatchLoader(MultipleDatasets(sets), 8, seed=2).epoch(1))
    assert sum(len(batch.inputs["pose2d"]) for batch in batches) == 2 * max(map(len, sets))
    assert {batch.inputs["focal"][0, 0, 0].item() > 1400 for batch in batches} == {True, False}
    for batch in batches:
        shapes = {key: tuple(value.shape[1:]) for part in batch for key, value in part.items()}
        assert shapes == {
            "pose2d": (FRAMES, 19, 2), "seen": (FRAMES, 19), "focal": (FRAMES, 2), "princpt": (FRAMES, 2),
            "lift_pose3d": (FRAMES, 19, 3), "root": (FRAMES, 3), "lift_pose3d_valid": (FRAMES, 19, 1),
            "root_valid": (FRAMES, 1),
        }  # fmt: skip


def test_samples_that_cannot_be_used_are_named(build, damaged):
    def change(content):
        content["annotations"][5]["smpl_param"]["trans"][2] = -9.0

    data = build("PW3D", "test", edited(damaged, change))
    with pytest.raises(ValueError, match=r"PW3D test: joints .* behind the camera: annotation 5 \(.*image_0\d+\.jpg\)"):
        whole(data)


class Column:
    """A column that may be read in parts alone."""

    def __init__(self, values, most):
        self.values, self.most, self.shape = values, most, values.shape

    def __len__(self):
        return len(self.values)

    def __getitem__(self, rows):
        part = self.values[rows]
        assert part.size <= self.most * np.prod(self.shape[1:]), "read whole"
        return part

    def __array__(self, *_, **__):
        raise AssertionError("read whole")


def test_no_column_is_read_whole(build, tmp_path, monkeypatch):
    built = build("Human36M", "train", cache=str(tmp_path))
    assert all(isinstance(built.source[name].base.base, np.memmap) for name in ("pose", "joint_cam"))
    batch = 3
    spies = {name: Column(values, 2 * batch * FRAMES) for name, values in built.source._columns.items()}
    monkeypatch.setattr(built.source, "_columns", spies)
    assert built.source.count > 3 * batch * FRAMES
    assert built.batch(range(batch), stream(0)).inputs["pose2d"].shape[:2] == (batch, FRAMES)
