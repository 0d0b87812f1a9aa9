"""What ``demo/run.py --smooth`` and ``--temporal`` do to the sample video, whose true motion is known.

The table in ``demo/README.md``.

    python data/measure/measure_smoothing.py

Joints are coco's 17, relative to the middle of the hips, in millimetres; means over both people. Acceleration: second
difference from frame to frame. Error: distance from the true joints. Distance: how much the person's distance from the
camera changes from frame to frame (standard deviation).
"""

import contextlib
import io
import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.build import make_scene
from data.build.scene_paint import CAMERA, EYE
from lib import ROOT
from lib.demo import DemoOptions, run_demo
from lib.demo.options import OFF, ON, SMOOTHING
from lib.files import read_arrays
from lib.mesh.mesh_model import load_mesh_model
from lib.settings.setting import NETWORK, REFINED
from lib.units import MM_PER_M

HIPS = (11, 12)
VIDEO = ROOT / "demo" / "demo_input_video.json"


def true_joints() -> list[np.ndarray]:
    """Joints (T, 17, 3) of each person of the sample video, millimetres in the camera's frame."""
    model = load_mesh_model("body", "open_1723")
    regressor = model.joint_regressor("coco").astype(np.float64)
    return [
        MM_PER_M * (np.einsum("jv,tvc->tjc", regressor, make_scene.walk(model, *walk)) - EYE) @ CAMERA.T
        for walk in make_scene.WALKS
    ]


def relative(joints: np.ndarray) -> np.ndarray:
    """Joints (T, 17, 3) relative to the middle of the hips."""
    return joints - joints[:, HIPS].mean(axis=1, keepdims=True)


def acceleration(joints: np.ndarray, frames: np.ndarray) -> float:
    """Mean length of the second differences where three frames follow each other."""
    whole = (frames[2:] - frames[:-2]) == 2
    return float(np.linalg.norm(np.diff(joints, n=2, axis=0), axis=2)[whole].mean())


def measure(mesh: str, smooth: str, temporal: str, truth: list[np.ndarray]) -> np.ndarray:
    """(4,) mean acceleration, true acceleration, error and change of distance of meshes; options as the demo's."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        given = {"mesh": mesh, "smooth": smooth, "temporal": temporal, "output": Path(folder)}
        [file] = run_demo(DemoOptions(input_pose=VIDEO, save=("npz",), **given))
        people = read_arrays(file, ("joints", "track", "frame", "translation"))
    rows = []
    for track, true in enumerate(truth):
        chosen = people["track"] == track
        frames = np.array([int(Path(name).stem) for name in people["frame"][chosen]])
        joints, expected = relative(people["joints"][chosen, : true.shape[1]]), relative(true[frames])
        error = np.linalg.norm(joints - expected, axis=2).mean()
        distance = MM_PER_M * np.diff(people["translation"][chosen, 2]).std()
        rows.append((acceleration(joints, frames), acceleration(expected, frames), error, distance))
    return np.mean(rows, axis=0)


def main() -> None:
    truth = true_joints()
    titles = "--temporal", "--mesh", "--smooth", "acceleration", "(true)", "error", "distance"
    print(" ".join(f"{title:>12}" for title in titles))
    ways = [(OFF, *way) for way in product((NETWORK, REFINED), ("", *SMOOTHING))]
    for temporal, mesh, smooth in [*ways, *product((ON,), (NETWORK, REFINED), ("", "output"))]:
        accelerated, true, error, distance = measure(mesh, smooth, temporal, truth)
        words = f"{temporal:>12} {mesh:>12} {smooth or 'none':>12}"
        print(f"{words} {accelerated:12.1f} {true:12.1f} {error:12.1f} {distance:12.0f}")


if __name__ == "__main__":
    main()
