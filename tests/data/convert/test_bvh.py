"""BVH reading: hierarchy, channel order, forward kinematics, malformed files."""

import gzip

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data.convert.bvh import parse_bvh, read_bvh
from tests.support.files.bvh_clips import positions_of, tiny


def test_hierarchy_and_header():
    clip = parse_bvh(tiny())
    assert clip.joints == ("base", "arm", "fixed")
    assert clip.parents.tolist() == [-1, 0, 0]
    np.testing.assert_array_equal(clip.offsets, [[0, 0, 0], [0, 2, 0], [3, 0, 0]])
    np.testing.assert_array_equal(clip.end_offsets["arm"], [1, 0, 0])
    assert clip.channels[2] == ()
    assert (len(clip), clip.frame_time) == (2, 0.05)


@pytest.mark.parametrize("order, angles", [("Z Y X", (30, 20, 10)), ("X Z Y", (10, 30, 20)), ("Y X Z", (-50, 70, 5))])
def test_rotation_channels_apply_in_listed_order(order, angles):
    axes = order.split()
    clip = parse_bvh(tiny(" ".join(f"{a}rotation" for a in axes), " ".join(map(str, angles))))
    expected = Rotation.from_euler("".join(axes), angles, degrees=True)  # capital letters: R = R1 R2 R3
    np.testing.assert_allclose(clip.local_rotations()[0, 1], expected.as_matrix(), atol=1e-12)
    np.testing.assert_allclose(clip.local_rotations()[1, 1], np.eye(3), atol=1e-12)


def test_forward_kinematics():
    positions = positions_of(parse_bvh(tiny()))
    # the root stands at (1, 2, 3) and is turned by 90 degrees about z: x becomes y, y becomes -x
    np.testing.assert_allclose(positions[0], [[1, 2, 3], [-1, 2, 3], [1, 5, 3]], atol=1e-12)
    np.testing.assert_allclose(positions[1], [[0, 0, 0], [0, 2, 0], [3, 0, 0]], atol=1e-12)


def test_windows_line_ends_gzip_and_byte_order_mark(tmp_path):
    text = tiny().replace("\n", "\r\n")
    plain, packed = tmp_path / "a.bvh", tmp_path / "a.bvh.gz"
    plain.write_bytes(b"\xef\xbb\xbf" + text.encode())
    packed.write_bytes(gzip.compress(text.encode()))
    np.testing.assert_array_equal(read_bvh(plain).values, parse_bvh(tiny()).values)
    np.testing.assert_array_equal(read_bvh(packed).values, parse_bvh(tiny()).values)


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("MOTION", "", "no MOTION section"),
        ("CHANNELS 3 Z", "CHANNELS 3 Q", "line 9: channel expected"),
        ("OFFSET 0 2 0", "OFFSET 0 two 0", "line 8: 3 numbers expected, found '0 two 0'"),
        ("JOINT fixed", "LIMB fixed", "line 15: JOINT, 'End Site' or } expected"),
        ("JOINT fixed", "JOINT arm", "line 16: joint name 'arm' is a duplicate"),
        ("Frames: 2", "Frames: 3", "3 frames announced, 2 found"),
        ("Frames: 2", "Frames: two", "line 21: 'frames: NUMBER' expected"),
        ("Frame Time: 0.05", "Frame Time: 0", "line 22: the frame time must be positive"),
        ("1 2 3 90", "1 2 90", "line 23: 9 numbers expected"),
        ("1 2 3 90", "1 2 nan 90", "line 23: a motion row must hold finite numbers"),
        ("}\nMOTION", "MOTION", "ends too early"),
        ("Xrotation\n    End", "Zrotation\n    End", "line 9: repeated channel"),
    ],
)
def test_malformed_files_are_named(old, new, message):
    text = tiny()
    assert old in text
    with pytest.raises(ValueError, match=r"clip\.bvh") as caught:
        parse_bvh(text.replace(old, new), "clip.bvh")
    assert message in str(caught.value)


def test_damaged_or_missing_files(tmp_path):
    packed = tmp_path / "a.bvh.gz"
    packed.write_bytes(gzip.compress(tiny().encode())[:-20])
    with pytest.raises(ValueError, match="damaged gzip"):
        read_bvh(packed)
    with pytest.raises(FileNotFoundError):
        read_bvh(tmp_path / "none.bvh")
