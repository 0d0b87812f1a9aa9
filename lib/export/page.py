"""A web page with meshes that can be turned: one file, no network, works from disk.

The viewer is own code of 13 kB: three.js (0.187), of which it would use renderer, materials and orbit controls, adds
567 kB to every page of 84 kB, as one minified bundle that a tool outside Python must build.
"""

import base64
import html
import itertools
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lib import ROOT
from lib.export.meshes import check_meshes
from lib.files import atomic_write

_FOLDER = ROOT / "lib" / "export"
VIEWER = _FOLDER / "viewer.js"
_LARGEST_PICTURE = 1280  # pixels of the longer side
_LARGEST_MOVING_PICTURE = 640
_QUALITY = 85
_LEVELS = 65535
_GREY = (0.75, 0.75, 0.75)


@dataclass(frozen=True)
class Shot:
    """One frame of a page.

    Attributes:
        vertices: (N, V, 3) or N times (V, 3), metres in one scene, x right, y down, z forward; N may differ from frame
            to frame and be 0. Place several people with ``lib.export.place_people`` first.
        colours: (r, g, b) in 0..1 for each person; None: grey.
        picture: (H, W, 3) uint8, blue-green-red, shown beside the meshes; None: none.
        label: text under the scene, for example the frame's name.
        turned: (N,) bool, whose faces are to be turned, as those of left hands; None: nobody's.
        faces: N times (F, 3), of each person; None: those of the page.
    """

    vertices: np.ndarray | Sequence[np.ndarray]
    colours: Sequence[tuple[float, float, float]] | None = None
    picture: np.ndarray | None = None
    label: str = ""
    turned: np.ndarray | None = None
    faces: Sequence[np.ndarray] | None = None


def save_html(
    path: str | Path, shots: Shot | Iterable[Shot], faces: np.ndarray, title: str = "Pose2Mesh", fps: float = 30.0
) -> None:
    """Write a page that shows meshes in a scene one can turn, move and zoom, with the picture beside it.

    Vertices are stored in 16 bits per coordinate (a scene of 3 metres: steps of 0.05 mm). A frame takes about 55 kB for
    each person with 6,890 vertices, and its picture. Needs WebGL, which every current browser has.

    Args:
        path: ``.html`` file; missing folders are created.
        shots: one, or the frames of an animation (taken one by one; only what the page holds is kept).
        faces: (F, 3) vertex indices from 0, of all whose shot has none.
        title: of the page.
        fps: frames per second of an animation.

    Raises:
        ValueError: no frames, frames without any person, wrong shapes, values that are not finite.
    """
    path = Path(path)
    shots = iter([shots] if isinstance(shots, Shot) else shots)
    first = list(itertools.islice(shots, 2))
    side = _LARGEST_PICTURE if len(first) == 1 else _LARGEST_MOVING_PICTURE
    indices: dict[bytes, tuple[int, int]] = {}  # each person's faces once: where they start among all, and their number
    frames, count = [], 0
    for shot in itertools.chain(first, shots):
        people: Any = shot.vertices
        places = []
        if len(people):
            people, each = check_meshes(path, people, faces if shot.faces is None else list(shot.faces))
            for own in each:
                place = indices.setdefault(own.astype("<u4").tobytes(), (count, own.size))
                count = max(count, sum(place))
                places.append(place)
        frames.append(_frame(path, shot, people, places, side))
    if not indices:
        raise ValueError(f"{path}: nothing to show, there are no people in {len(frames)} frame(s)")
    low = np.min([frame["low"] for frame in frames if frame["people"]], axis=0).tolist()
    high = np.max([frame["high"] for frame in frames if frame["people"]], axis=0).tolist()
    data = {
        "fps": float(fps),
        "low": low,
        "high": high,
        "indices": base64.b64encode(b"".join(indices)).decode("ascii"),
        "frames": frames,
    }
    # "</script>" in a label would end the script
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    page = (_FOLDER / "page.html").read_text(encoding="utf-8")
    script = VIEWER.read_text(encoding="utf-8") + (_FOLDER / "page.js").read_text(encoding="utf-8")
    parts = {"title": html.escape(title), "script": script, "data": text}
    page = re.sub(r"\{\{(title|script|data)\}\}", lambda mark: parts[mark.group(1)], page)
    with atomic_write(path) as stream:
        stream.write(page)


def _frame(path: Path, shot: Shot, people: list[np.ndarray], places: list[tuple[int, int]], side: int) -> dict:
    colours = [_GREY] * len(people) if shot.colours is None else list(shot.colours)
    if len(colours) != len(people):
        raise ValueError(f"{path}: {len(people)} people, but {len(colours)} colours")
    frame: dict[str, Any] = {"people": [], "label": shot.label, "picture": None}
    if shot.picture is not None:
        frame["picture"] = _picture(path, shot.picture, side)
    if not len(people):
        return frame
    low, high = (reduce(np.concatenate(people), axis=0).astype(np.float64) for reduce in (np.min, np.max))
    step = np.maximum(high - low, 1e-9) / _LEVELS
    frame.update(low=low.tolist(), high=high.tolist())
    turned = np.zeros(len(people), bool) if shot.turned is None else shot.turned
    for vertices, colour, turn, place in zip(people, colours, turned.tolist(), places):
        levels = np.rint((vertices - low) / step).clip(0, _LEVELS).astype("<u2")
        rgb = [float(c) for c in colour]
        frame["people"].append({"vertices": _base64(levels), "colour": rgb, "turned": turn, "faces": place})
    return frame


def _picture(path: Path, picture: np.ndarray, side: int) -> str:
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"{path}: pictures must be uint8 (H, W, 3), got {picture.dtype} {picture.shape}")
    scale = side / max(picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise ValueError(f"{path}: OpenCV cannot encode the picture")
    return "data:image/jpeg;base64," + _base64(data)


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")
