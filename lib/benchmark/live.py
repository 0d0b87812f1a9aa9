"""Real time: the latency of the mesh stage and frames per second of ``lib.live``, one person of the open body.

Poses of the sample video stand for a detector's, so that its time does not count; no frame is left out, and all that a
user sees is drawn. Nobody looks at the page: packing a picture for it takes less than a millisecond.
"""

import contextlib
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lib import ROOT
from lib.benchmark.process import Worker
from lib.live.options import NOTHING, LiveOptions
from lib.live.running import run_live
from lib.poses import assign_tracks, read_poses
from lib.settings.setting import NETWORK, REFINED

CASE = "live"
WIDTH = 640  # pixels that pictures are drawn in
LEAST_FPS, MOST_LATENCY = 15.0, 0.025  # goals of the network's meshes: frames per second, seconds
_VIDEO = ROOT / "demo" / "demo_input_video.json"
FRAMES, QUICK_FRAMES = 300, 40
MESHES = (NETWORK, REFINED)  # in float32: other precisions round nothing of the open networks, which are narrow


def one_person(path: Path) -> None:
    """Write the poses (T, 1, 17, 3) of the sample video's first person, who is in all frames that are written."""
    frames = assign_tracks(read_poses(_VIDEO)).frames
    poses = [frame.poses[frame.tracks == 0] for frame in frames if frame.tracks is not None]
    np.save(path, np.stack([pose for pose in poses if len(pose)]))


def live_case(side: str, device: str) -> Callable[..., tuple]:
    """``lib.live`` over poses of a file, of ours alone."""

    def repeat(mesh: str, frames: int):
        with tempfile.TemporaryDirectory(prefix="pose2mesh-benchmark-") as folder:
            path = Path(folder) / "poses.npy"
            one_person(path)
            options = LiveOptions(
                poses=path, mesh=mesh, frames=frames, every_frame=True, loop=True, width=WIDTH,
                show=NOTHING, device=device,
            )  # fmt: skip
            with contextlib.redirect_stdout(io.StringIO()):
                figures = run_live(options)
        middle, late = np.percentile(figures.times("mesh"), [50, 95]).tolist()
        drawing = float(np.median(figures.times("draw")))
        found = {"fps": figures.mean_fps, "mesh_median": middle, "mesh_p95": late, "drawing_median": drawing}
        return frames, (), {"live": found}

    return repeat


def measure_live(threads: int, quick: bool, device: str = "cpu") -> list[dict]:
    """Figures of each kind of mesh, times in seconds."""
    found = []
    with Worker("ours", "as run", threads, device) as worker:
        for mesh in MESHES:
            arguments = {"mesh": mesh, "frames": QUICK_FRAMES if quick else FRAMES}
            found.append({**arguments, **worker.run(CASE, arguments)["live"]})
    return found


def live_text(rows: list[dict]) -> str:
    """The table, in Markdown."""
    lines = [
        "| one person, 640 pixels wide | mesh stage, median | 95th percentile | drawing, median | frames/s | goals |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        times = (f"{1e3 * row[key]:.1f} ms" for key in ("mesh_median", "mesh_p95", "drawing_median"))
        met = row["fps"] >= LEAST_FPS and row["mesh_median"] < MOST_LATENCY
        lines.append(f"| {row['mesh']} | {' | '.join(times)} | {row['fps']:.1f} | {'met' if met else 'missed'} |")
    goals = f"Goals: {LEAST_FPS:g} frames/s, mesh stage under {1e3 * MOST_LATENCY:g} ms; without the detector's time"
    return "\n".join(["Real time", *lines, goals])
