"""Tracks: records of one person in one video, in order, whatever their order in the file."""

import numpy as np
import pytest

from lib.datasets.sequences import tracks as module
from lib.datasets.sequences.tracks import Tracks

# video, person, numbers of the frames
PEOPLE = [("b", 0, [3, 4, 5, 6]), ("a", 1, [0, 1, 2, 7, 8]), ("a", 0, [0, 1]), ("c_2", 0, [9]), ("c_", 0, [29])]


def columns(people=PEOPLE, order=None):
    rows = [(f"{video}/image_{frame:05d}.jpg", person) for video, person, frames in people for frame in frames]
    rows = rows if order is None else [rows[row] for row in order]
    return {
        "image": np.array([name.encode() for name, _ in rows]),
        "person_id": np.array([person for _, person in rows]),
    }


def walked(found, records):
    """Name, and images in order, of each track."""
    parts = np.split(found.order, found.starts[1:])
    return {name: [records["image"][row].decode() for row in part] for name, part in zip(found.names, parts)}


def test_tracks_are_one_person_in_one_video_in_order():
    records = columns()
    found = Tracks(records, 30.0, 1)
    images = walked(found, records)
    assert {name: len(part) for name, part in images.items()} == {
        "a person 0": 2, "a person 1 from frame 0": 3, "a person 1 from frame 7": 2, "b person 0": 4,
        "c_ person 0": 1, "c_2 person 0": 1,
    }  # fmt: skip
    assert images["a person 1 from frame 7"] == ["a/image_00007.jpg", "a/image_00008.jpg"]
    assert found.lengths.tolist() == [2, 3, 2, 4, 1, 1]


def test_order_of_the_records_does_not_matter(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 3)
    wanted = walked(Tracks(columns(), 30.0, 1), columns())
    for seed in range(3):
        records = columns(order=np.random.default_rng(seed).permutation(13))
        assert walked(Tracks(records, 30.0, 1), records) == wanted


def test_videos_in_one_folder_are_told_apart():
    records = {"image": np.array([b"x/cam1_001.png", b"x/cam2_002.png", b"x/cam1_002.png"])}
    found = Tracks(records, 30.0, 1)
    assert walked(found, records) == {"x/cam1_": ["x/cam1_001.png", "x/cam1_002.png"], "x/cam2_": ["x/cam2_002.png"]}


def test_short_gaps_are_bridged_where_they_may_be():
    found = Tracks(columns(), 30.0, 5)
    assert found.names[:2] == ("a person 0", "a person 1")
    assert found.lengths[1] == 9
    before, after, share = found.between(np.array([1]), np.arange(9)[None])
    assert (found.frames[found.starts[1] :][:5]).tolist() == [0, 1, 2, 7, 8]
    np.testing.assert_allclose(share[0], [0, 0, 0, 0.2, 0.4, 0.6, 0.8, 0, 0], atol=1e-6)
    assert len(set(before[0].tolist())) == 5
    assert (before[0] == after[0]).tolist() == [True, True, True, False, False, False, False, True, True]


@pytest.mark.parametrize("fps", [25.0, 50.0, 60.0, 30.0])
def test_places_are_thirty_per_second(fps):
    found = Tracks(columns([("a", 0, range(100, 151))]), fps, 1)
    assert found.lengths[0] == int(50 / fps * 30 + 1e-9) + 1
    before, after, share = found.between(np.array([0]), np.arange(found.lengths[0])[None])
    seconds = ((1 - share) * found.frames[before] + share * found.frames[after] - 100) / fps
    np.testing.assert_allclose(seconds[0], np.arange(found.lengths[0]) / 30, atol=1e-5)


def test_what_has_no_order_is_refused():
    with pytest.raises(ValueError, match=r"image a/x\.jpg has no frame number"):
        Tracks({"image": np.array([b"a/x.jpg"])}, 30.0, 1)
    with pytest.raises(ValueError, match="two records of one person in b/image_00003"):
        Tracks(columns([*PEOPLE, ("b", 0, [3])]), 30.0, 1)
