"""Drawings of 2D and 3D poses. No window system: OpenCV draws into arrays, matplotlib into files.

Images are uint8 in OpenCV's channel order (blue, green, red). Only ``add_...`` modify them; the other functions
return a copy.
"""

from datetime import datetime
from pathlib import Path

import cv2
import numpy as np

from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set

_REACH = 6  # pixels that a skeleton's joints and bones are wide to each side, and more
# blue, green, red: the person's left, right and middle
_SIDES = {"left": (80, 80, 235), "right": (90, 190, 60), "": (235, 160, 60)}


def draw_pose(
    image: np.ndarray,
    joints: np.ndarray,
    joint_set: JointSet,
    scores: np.ndarray | None = None,
    threshold: float = 0.1,
) -> np.ndarray:
    """Draw a 2D pose with the person's left in red, right in green, middle (and hands) in blue.

    Args:
        image: (H, W, 3) uint8.
        joints: (J, 2) pixels.
        joint_set: names and bones.
        scores: (J,) confidences; None draws everything.
        threshold: joints with a smaller or equal score are left out, with their bones.
    """
    picture = image.copy()
    visible = np.ones(len(joints), bool) if scores is None else np.asarray(scores) > threshold
    line = max(2, round(max(image.shape[:2]) / 300))

    sides = [joint_set.side(joint) for joint in range(joint_set.joint_num)]
    for a, b in joint_set.bones:
        if visible[a] and visible[b]:
            cv2.line(picture, pixel(joints[a]), pixel(joints[b]), _SIDES[sides[a] or sides[b]], line, cv2.LINE_AA)
    for joint in np.flatnonzero(visible):
        cv2.circle(picture, pixel(joints[joint]), line + 2, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(picture, pixel(joints[joint]), line + 1, _SIDES[sides[joint]], -1, cv2.LINE_AA)
    return picture


def vis_coco_skeleton(
    img: np.ndarray, kps: np.ndarray, bones, colour: tuple[float, float, float], alpha: float = 1
) -> np.ndarray:
    """Draw a skeleton in one colour.

    Args:
        img: (H, W, 3) uint8.
        kps: (>=2, n): rows x and y in pixels.
        bones: index pairs.
        colour: (r, g, b) in 0..1.
        alpha: 1 draws opaquely, 0 not at all.
    """
    picture = img.copy()
    add_skeleton(picture, kps, bones, colour)
    return cv2.addWeighted(img, 1 - alpha, picture, alpha, 0)


def add_skeleton(picture: np.ndarray, kps: np.ndarray, bones, colour: tuple[float, float, float]) -> slice:
    """Draw a skeleton as ``vis_coco_skeleton`` does, into the picture itself.

    Returns:
        the picture's rows that may have changed.
    """
    shade = tuple(round(255 * c) for c in reversed(colour))
    rows = []
    for a, b in bones:
        ends = pixel(kps[:2, a]), pixel(kps[:2, b])
        cv2.line(picture, *ends, shade, 2, cv2.LINE_AA)
        for end in ends:
            cv2.circle(picture, end, 2, shade, 3, cv2.LINE_AA)
        rows += [end[1] for end in ends]
    first, last = np.clip([min(rows) - _REACH, max(rows) + _REACH + 1], 0, len(picture)).tolist()
    return slice(first, last)


def add_hands(picture: np.ndarray, hands: np.ndarray, joint_set: JointSet) -> slice:
    """Draw the bones of a person's hands into the picture itself, thin: their joints lie close together.

    Args:
        picture: (H, W, 3) uint8.
        hands: (2, J, 2) pixels, left and right; bones of joints that are NaN are left out.
        joint_set: of hands.

    Returns:
        the picture's rows that may have changed.
    """
    line = max(1, round(max(picture.shape[:2]) / 800))
    rows = []
    for hand, colour in zip(hands, (_SIDES["left"], _SIDES["right"])):
        bones = [list(bone) for bone in joint_set.bones if np.isfinite(hand[list(bone)]).all()]
        for ends in ((pixel(hand[a]), pixel(hand[b])) for a, b in bones):
            cv2.line(picture, *ends, colour, line, cv2.LINE_AA)
            rows += [end[1] for end in ends]
    if not rows:
        return slice(0, 0)
    first, last = np.clip([min(rows) - line - 1, max(rows) + line + 2], 0, len(picture)).tolist()
    return slice(first, last)


def vis_2d_keypoints(
    img: np.ndarray,
    kps: np.ndarray,
    bones,
    bbox: np.ndarray | None = None,
    kp_thre: float = 0.4,
    alpha: float = 1,
) -> np.ndarray:
    """Draw keypoints with one rainbow colour per bone.

    Args:
        img: (H, W, 3) uint8.
        kps: (3, n): rows x, y in pixels and score.
        bones: index pairs.
        bbox: optional (4, 2) corners of a box, pixels.
        kp_thre: a joint is drawn when its score is larger, a bone when both scores are.
        alpha: 1 draws opaquely, 0 not at all.
    """
    picture = img.copy()
    for (a, b), colour in zip(bones, _rainbow(len(bones))):
        ends = {joint: pixel(kps[:2, joint]) for joint in (a, b)}
        if kps[2, a] > kp_thre and kps[2, b] > kp_thre:
            cv2.line(picture, ends[a], ends[b], colour, 2, cv2.LINE_AA)
        for joint, end in ends.items():
            if kps[2, joint] > kp_thre:
                cv2.circle(picture, end, 3, colour, -1, cv2.LINE_AA)
    if bbox is not None:
        cv2.polylines(picture, [np.asarray(bbox, dtype=np.float64).round().astype(np.int32)], True, (255, 255, 0), 1)
    return cv2.addWeighted(img, 1 - alpha, picture, alpha, 0)


def vis_2d_pose(
    pred: np.ndarray,
    img: np.ndarray | str | Path,
    bones,
    prefix: str = "vis2dpose",
    bbox: np.ndarray | None = None,
    folder: str | Path = ".",
) -> Path:
    """Write ``<folder>/<prefix>_<time>_2d_joint.jpg`` with a 2D pose (n, 2) over an image or image file.

    Returns:
        the file.

    Raises:
        FileNotFoundError: img names no readable image.
    """
    if not isinstance(img, np.ndarray):
        picture = cv2.imread(str(img))
        if picture is None:
            raise FileNotFoundError(f"{img} is not an image that OpenCV can read")
        img = picture
    kps = np.concatenate([np.asarray(pred)[:, :2].T, np.ones((1, len(pred)))])
    file = _new_file(folder, prefix, "2d_joint")
    cv2.imwrite(str(file), vis_2d_keypoints(img, kps, bones, bbox))
    return file


def vis_3d_pose(
    kps: np.ndarray,
    bones,
    joint_set_name: str | JointSet = "",
    prefix: str = "vis3dpose",
    gt: bool = False,
    ax_in=None,
    folder: str | Path = ".",
):
    """Plot a 3D pose with axes x, z, -y (the person stands upright); right-side joints green, others blue.

    Args:
        kps: (n, 3), x right, y down, z away from the viewer; any unit.
        bones: index pairs.
        joint_set_name: name or file of the joint set, or the set itself; decides which joints are on the right. Empty:
            none.
        prefix: start of the file name.
        gt: title and file name say ground truth instead of prediction.
        ax_in: matplotlib 3D axes to draw into; nothing is written then.
        folder: where ``<prefix>_<time>_3d_gt|3d_pred.jpg`` goes.

    Returns:
        the file, or ``ax_in`` when it was given.

    Raises:
        ValueError: ax_in is not a 3D axes, unknown joint set.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if ax_in is not None and getattr(ax_in, "name", "") != "3d":
        raise ValueError(f"ax_in must be matplotlib 3D axes (projection='3d'), got {type(ax_in).__name__}")
    figure = None
    axes = ax_in
    if axes is None:
        figure = Figure(figsize=(6, 6))
        FigureCanvasAgg(figure)
        axes = figure.add_subplot(projection="3d")
    points = np.stack([kps[:, 0], kps[:, 2], -kps[:, 1]], axis=1)
    for a, b in bones:
        axes.plot(*points[[a, b]].T, c="r", lw=1)
    right = get_joint_set(joint_set_name).right_joints if joint_set_name else ()
    colours = ["g" if joint in right else "b" for joint in range(len(points))]
    axes.scatter(*points.T, c=colours, marker="o", depthshade=False)
    centre, reach = (points.max(0) + points.min(0)) / 2, max(np.ptp(points, axis=0).max() / 2, 1e-9)
    for setter, middle in zip((axes.set_xlim, axes.set_ylim, axes.set_zlim), centre):
        setter(middle - reach, middle + reach)
    axes.set_box_aspect((1, 1, 1))
    axes.set_title("3D Ground Truth" if gt else " 3D Prediction")
    axes.set_xlabel("x")
    axes.set_ylabel("z")
    axes.set_zlabel("-y")
    if figure is None:
        return axes
    file = _new_file(folder, prefix, "3d_gt" if gt else "3d_pred")
    figure.savefig(file)
    return file


def pixel(point) -> tuple[int, int]:
    """A point as OpenCV wants it; far-away coordinates are bounded, which its 32-bit integers need."""
    x, y = np.clip(np.round(np.asarray(point, dtype=np.float64)[:2]), -1_000_000, 1_000_000)
    return int(x), int(y)


def _rainbow(count: int) -> list[tuple[int, int, int]]:
    """``count`` colours (blue, green, red) from violet to red."""
    hue = np.linspace(135, 0, max(count, 1)).astype(np.uint8)  # OpenCV's hue runs to 180
    hsv = np.stack([hue, np.full_like(hue, 255), np.full_like(hue, 255)], axis=1)[None]
    return [tuple(colour) for colour in cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0].tolist()]


def _new_file(folder: str | Path, prefix: str, kind: str) -> Path:
    """``<folder>/<prefix>_<time>_<kind>.jpg``, numbered when that exists; no colon, which Windows forbids."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{prefix}_{datetime.now():%Y-%m-%dT%H-%M-%S}"
    number, file = 1, folder / f"{stem}_{kind}.jpg"
    while file.exists():
        number += 1
        file = folder / f"{stem}_{number}_{kind}.jpg"
    return file
