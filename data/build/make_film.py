"""Make the film of the README: a clip of real motion, its 2D joints, the meshes made of them, and the truth.

    python data/convert/cmu_bvh.py --input cmu_bvh --output heldout --fps keep --split heldout
    python data/build/make_film.py --motion heldout/CMU/02/02_07_poses.npz --frames 60 200 --azimuth 240

The open body of mean shape moves as the clip does, before one level camera. Its COCO joints are projected, get a
detector's jitter, and are all that ``demo/run.py`` is given. Four panels: these joints; the meshes from the
camera and from the side; the true body from that side, in grey.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.Synthetic.views import look_at_rotations
from lib import ROOT
from lib.body.lbs import lbs
from lib.demo.command import run_demo
from lib.demo.options import DemoOptions
from lib.demo.picture_files import save_image
from lib.export.video import VideoWriter
from lib.files import read_arrays
from lib.joints.lookup import get_joint_set
from lib.mesh.mesh_model import load_mesh_model
from lib.render.mesh_renderer import MeshRenderer
from lib.render.poses import draw_pose
from lib.render.shading import vertical_turn

SIZE, FILLED = 1000, 0.86  # pixels of the pictures, and the share of them that the motion takes
DISTANCE, ELEVATION = 5.0, 5.0  # metres and degrees
JITTER = 1.5  # pixels
SIDE = 75.0  # degrees of the second view
STEP = 2  # frames of the clip for each of the film
PANEL, WIDTH = 250, 190  # pixels: height of a panel, and width of its middle that is kept
PAPER, GAP, CAPTION, SCALE = 250, 3, 22, 0.4  # grey; pixels; of the letters
COLOURS = (0.66, 0.82, 1.0), (0.88, 0.88, 0.88)  # found and true
TITLES = ("2D joints in", "mesh out", "from the side", "true body, from the side")


def seen_bodies(path: Path, frames: slice, azimuth: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Bodies of a clip before a camera whose picture they fill.

    Returns:
        vertices (T, V, 3), metres, camera frame; COCO joints (T, 17, 2), pixels; the focal length, pixels.
    """
    motion = read_arrays(path, ("poses", "trans"), "an AMASS file")
    poses, trans = (torch.from_numpy(motion[key][frames]).float() for key in ("poses", "trans"))
    model = load_mesh_model("body", "open_1723")
    vertices = lbs(model.params(), poses[:, :72], torch.zeros(len(poses), model.params().shape_num))[0]
    vertices = vertices + trans[:, None]
    middle = (vertices.amin((0, 1)) + vertices.amax((0, 1))) / 2
    angles = torch.deg2rad(torch.tensor([[azimuth], [ELEVATION], [0.0]]))
    seen = (vertices - middle) @ look_at_rotations(*angles)[0].T + torch.tensor([0.0, 0.0, DISTANCE])
    joints = torch.from_numpy(model.joint_regressor("coco")).float() @ seen
    focal = FILLED * SIZE / 2 / (seen[..., :2] / seen[..., 2:]).abs().max().item()
    return seen.numpy(), (focal * joints[..., :2] / joints[..., 2:] + SIZE / 2).numpy(), focal


def lift(pose2d: np.ndarray, fps: float, focal: float, **options) -> dict[str, np.ndarray]:
    """What the demo makes of 2D joints (T, 17, 2); ``options``: further ones of it."""
    scored = np.concatenate([pose2d, np.full((*pose2d.shape[:2], 1), 0.9)], axis=2)
    entries = [
        {"image_id": f"{number:06d}.jpg", "category_id": 1, "keypoints": pose.ravel().round(2).tolist(), "score": 2.5}
        for number, pose in enumerate(scored)
    ]
    with tempfile.TemporaryDirectory() as folder:
        poses = Path(folder) / "poses.json"
        poses.write_text(json.dumps(entries))
        pictures = Path(folder) / "pictures"  # only their size is looked at, which says where the camera's axis is
        pictures.mkdir()
        for entry in entries:
            save_image(pictures / entry["image_id"], np.zeros((SIZE, SIZE, 3), np.uint8))
        given = {"input_img": pictures, "save": ("npz",), "fps": fps, "focal": focal, "output": Path(folder)}
        (result,) = run_demo(DemoOptions(poses, **given, **options))
        return read_arrays(result, ("vertices", "translation", "faces"), "what the demo wrote")


def captioned(drawn: Sequence[np.ndarray], titles: Sequence[str]) -> np.ndarray:
    """Square pictures of one frame beside each other, captions below, (H, W, 3)."""
    sides = (PANEL - WIDTH) // 2
    row = np.concatenate([picture[:, sides : sides + WIDTH] for picture in drawn], axis=1)
    row = cv2.copyMakeBorder(row, 0, CAPTION, 0, 0, cv2.BORDER_CONSTANT, value=(PAPER,) * 3)
    for number, title in enumerate(titles):
        width = cv2.getTextSize(title, cv2.FONT_HERSHEY_SIMPLEX, SCALE, 1)[0][0]
        place = (round((number + 0.5) * WIDTH - width / 2), PANEL + CAPTION - 7)
        cv2.putText(row, title, place, cv2.FONT_HERSHEY_SIMPLEX, SCALE, (70, 70, 70), 1, cv2.LINE_AA)
        row[:, max(0, number * WIDTH - GAP // 2) : number * WIDTH + GAP // 2] = 215
    return row


def drawn_joints(joints: np.ndarray) -> np.ndarray:
    """2D joints (17, 2) on paper."""
    joint_set = get_joint_set("coco")
    paper = np.full((PANEL, PANEL, 3), PAPER, np.uint8)
    return draw_pose(paper, joint_set.add_derived(joints) * PANEL / SIZE, joint_set)


def drawn_body(body: np.ndarray, faces: np.ndarray, focal: float, renderer, side: bool, colour) -> np.ndarray:
    """A body (V, 3) in the camera frame on paper, as the camera sees it or from the side."""
    paper, turn = np.full((PANEL, PANEL, 3), PAPER, np.uint8), vertical_turn(SIDE)
    centre, camera = np.array([0.0, 0.0, DISTANCE]), np.array([2 * focal / SIZE, 2 * focal / SIZE, 0, 0])
    scene = (body - centre) @ turn.T + centre if side else body
    perspective = np.concatenate([scene[:, :2] / scene[:, 2:], scene[:, 2:]], axis=1)
    return renderer.render(perspective, faces, paper, camera, colour)


def panels(joints: np.ndarray, found: np.ndarray, true: np.ndarray, faces: np.ndarray, focal: float, renderer):
    """The four pictures of one frame beside each other, captions below, (H, W, 3)."""
    bodies = ((found, False, 0), (found, True, 0), (true, True, 1))
    drawn = [drawn_body(body, faces, focal, renderer, side, COLOURS[colour]) for body, side, colour in bodies]
    return captioned([drawn_joints(joints), *drawn], TITLES)


def film_parser(description: str, frames: int, output: str) -> argparse.ArgumentParser:
    """What films of a clip are told: which clip, from where, and where to; ``frames`` of it unless said otherwise."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--motion", type=Path, required=True, help="clip in the layout of AMASS")
    parser.add_argument("--frames", type=int, nargs=2, default=(0, frames), help="first and last of the clip")
    parser.add_argument("--azimuth", type=float, default=0.0, help="degrees of the camera about the vertical")
    parser.add_argument("--fps", type=float, default=30.0, help="of the clip")
    parser.add_argument("--output", type=Path, default=ROOT / "asset" / "pictures" / output)
    parser.add_argument("--still", type=Path, help="also a picture of the middle frame")
    return parser


def main(arguments: list[str] | None = None) -> None:
    options = film_parser(__doc__, 150, "sequence.gif").parse_args(arguments)
    bodies, pose2d, focal = seen_bodies(options.motion, slice(*options.frames), options.azimuth)
    noisy = pose2d + JITTER * np.random.default_rng(0).normal(size=pose2d.shape)
    result = lift(noisy, options.fps, focal)
    found = result["vertices"] + result["translation"][:, None]
    with MeshRenderer(pictures=len(found)) as renderer, VideoWriter(options.output, options.fps / STEP) as film:
        for number in range(0, len(found), STEP):
            picture = panels(noisy[number], found[number], bodies[number], result["faces"], focal, renderer)
            film.write(picture)
            if options.still and number == len(found) // 2 // STEP * STEP:
                save_image(options.still, picture)
    print(f"{options.output}: {film.count} frames, {options.output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
