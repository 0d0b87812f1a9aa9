"""Motion as BVH text, the oldest and plainest form that programs for animation exchange."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lib.export.animation.motion import Motion
from lib.export.animation.skeleton import Skeleton
from lib.files import atomic_write

_ROTATION = "Zrotation Xrotation Yrotation"  # as Biovision had it; R = Rz Rx Ry
_LOCKED = 1e-6  # cosine of x below which z and y turn about the same axis


def save_bvh(path: str | Path, motion: Motion, fps: float, frame_num: int | None = None) -> None:
    """Write a person's motion.

    Metres and degrees; x right, y up, z towards the viewer. The first joint has ``OFFSET 0 0 0`` and position
    channels, all joints have rotations in the order z, x, y, which go on without jumps from row to row. Offsets are
    of the skeleton at rest in the person's shape. Rows are the frames 0 to ``frame_num`` - 1: where the person is
    unseen, the pose before stays, and the first one is there from the beginning.

    Args:
        path: ``.bvh``; missing folders are created.
        motion: of one person.
        fps: frames per second.
        frame_num: of the film; None: up to the motion's last frame.

    Raises:
        ValueError: another suffix.
    """
    path = Path(path)
    if path.suffix.lower() != ".bvh":
        raise ValueError(f"{path}: motion of skeletons is written as .bvh, not {path.suffix!r}")
    count = int(motion.frames[-1]) + 1 if frame_num is None else frame_num
    skeleton, order = motion.skeleton, _depth_first(motion.skeleton.parents)
    motion = motion.at(np.arange(count))
    rows = np.concatenate([motion.root, euler_angles(motion.rotations[:, order]).reshape(count, -1)], axis=1)
    with atomic_write(path) as stream:
        stream.write("HIERARCHY\n")
        stream.writelines(_joint_lines(skeleton, 0, ""))
        stream.write(f"MOTION\nFrames: {count}\nFrame Time: {1 / fps:.9f}\n")
        stream.writelines(" ".join(map(_number, row.tolist())) + "\n" for row in rows)


def euler_angles(rotations: np.ndarray) -> np.ndarray:
    """Degrees (T, K, 3) about z, x and y, without jumps through T frames, of rotations (T, K, 3, 3): Rz Rx Ry."""
    z = np.arctan2(-rotations[..., 0, 1], rotations[..., 1, 1])
    locked = np.hypot(rotations[..., 0, 1], rotations[..., 1, 1]) < _LOCKED
    for now, stuck in enumerate(locked[1:], start=1):
        z[now] = np.where(stuck, z[now - 1], z[now])
    sine, cosine = np.sin(z)[..., None], np.cos(z)[..., None]
    # what is left without the turn about z is exact whatever z is, where x is 90 degrees, too
    first = cosine * rotations[..., 0, :] + sine * rotations[..., 1, :]
    second = cosine * rotations[..., 1, 1, None] - sine * rotations[..., 0, 1, None]
    x, y = np.arctan2(rotations[..., 2, 1], second[..., 0]), np.arctan2(first[..., 2], first[..., 0])
    angles = np.degrees(np.stack([z, x, y], axis=-1))
    for now in range(1, len(angles)):
        angles[now] = _nearest(angles[now], angles[now - 1])
    return angles


def _nearest(angles: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Of the angles (K, 3) that are the same rotations those nearest to others."""
    other = 180 + angles * [1, -1, 1]
    both = np.stack([angles, other])
    both += 360 * np.round((before - both) / 360)
    return np.where((np.abs(both[1] - before).max(1) < np.abs(both[0] - before).max(1))[:, None], both[1], both[0])


def _children(parents: tuple[int, ...], joint: int) -> list[int]:
    return [child for child, parent in enumerate(parents) if parent == joint]


def _depth_first(parents: tuple[int, ...], joint: int = 0) -> list[int]:
    """Joints in the order of a file, whose rows have it, too."""
    return [joint] + [below for child in _children(parents, joint) for below in _depth_first(parents, child)]


def _joint_lines(skeleton: Skeleton, joint: int, indent: str) -> Iterator[str]:
    root, within = joint == 0, indent + "\t"
    offset = np.zeros(3) if root else skeleton.offsets[joint]
    channels = f"6 Xposition Yposition Zposition {_ROTATION}" if root else f"3 {_ROTATION}"
    yield f"{indent}{'ROOT' if root else 'JOINT'} {skeleton.joints[joint]}\n{indent}{{\n"
    yield f"{within}OFFSET {' '.join(map(_number, offset))}\n{within}CHANNELS {channels}\n"
    for child in _children(skeleton.parents, joint):
        yield from _joint_lines(skeleton, child, within)
    if joint in skeleton.tips:
        end = " ".join(map(_number, skeleton.tips[joint] - skeleton.rest[joint]))
        yield f"{within}End Site\n{within}{{\n{within}\tOFFSET {end}\n{within}}}\n"
    yield f"{indent}}}\n"


def _number(value: float) -> str:
    return f"{round(value, 6) + 0.0:.6f}"  # no minus before zero
