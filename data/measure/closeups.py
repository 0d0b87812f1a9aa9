"""Draw close-ups of the hands, feet and head that weights predict, beside the truth, for people to judge.

    python data/measure/closeups.py --weights experiment/pose2mesh_cocoJ_open --output closeups/

Weights of a body get ten poses with exact 2D joints, most from the open benchmark; weights of a hand get ten draws of
the hand prior. Writes a PNG per pose and ``all.png``, prints the errors. "As seen" is the camera's view; other
close-ups show a fixed side of the part, the predicted one moved onto the true one as a rigid body: what differs there
is its shape, as in ``lib/evaluation/surface_metrics.py``.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.Synthetic.benchmark import read_benchmark
from data.Synthetic.views import BETAS, FOCAL, PRINCPT, look_at_rotations
from lib.body.hand_prior import HandPosePrior
from lib.datasets.pose_dataset import stream
from lib.datasets.posed import Posed, PosedBodies
from lib.demo.picture_files import save_image
from lib.evaluation.metrics import mpvpe
from lib.evaluation.surface_metrics import SurfaceRegions, surface_errors
from lib.geometry.procrustes import rotation_and_stretch
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.joints.tables import SMPL
from lib.mesh.mesh_model import MeshModel
from lib.predictor import Circumstances, Pose2MeshPredictor
from lib.render.mesh_renderer import MeshRenderer
from lib.units import MM_PER_M

DISTANCE, HANDS = 4.0, 10  # metres from the camera, number of hand poses
SHEET_WIDTH, CAPTION = 2400, 26  # pixels: of all.png at most; height of the line above a pose
PREDICTED, TRUE = (0.62, 0.78, 1.0), (1.0, 0.86, 0.66)  # red, green, blue of the meshes
GROUND, PAPER, INK, LABEL = (58, 52, 48), (255, 255, 255), (40, 40, 40), (235, 235, 235)  # blue, green, red
MARGIN = 1.06  # side of a window as a share of what it shows
CLOSEST = 1.3  # no window is smaller than this share of the part's reach: a foreshortened hand shall look it
SURROUNDINGS = 2.0  # how far the surroundings of a part are drawn, as a share of its reach


def sit(pose: np.ndarray) -> np.ndarray:
    """The pose (72,) on a chair: hips and knees flexed by 90 degrees."""
    seated = pose.reshape(-1, 3).copy()
    seated[[SMPL.index("L_Hip"), SMPL.index("R_Hip")]] = -np.pi / 2, 0, 0
    seated[[SMPL.index("L_Knee"), SMPL.index("R_Knee")]] = np.pi / 2, 0, 0
    return seated.ravel()


def lie(pose: np.ndarray) -> np.ndarray:
    """The pose (72,) on its back: the root turned by 90 degrees about the body's transverse axis."""
    root = Rotation.from_rotvec(pose[:3]) * Rotation.from_rotvec([-np.pi / 2, 0, 0])
    return np.concatenate([root.as_rotvec(), pose[3:]])


class View(NamedTuple):
    """A row of the benchmark's ``poses``, and its camera.

    Degrees: ``turn`` from the person's front towards the left, ``elevation`` above the horizon. ``edit`` changes the
    pose (72,) after the camera was placed.
    """

    row: int
    turn: float
    elevation: float
    edit: Callable[[np.ndarray], np.ndarray] | None = None


# Rows were found by SMPL's joints. Step: distance of the ankles, seen from above; rise: their difference in height.
VIEWS = {
    # smallest sum of the larger knee flexion and the lean of pelvis-neck (degrees) and twice the step (cm)
    "standing": View(439, 30, 8),
    "walking": View(40, 40, 8),  # longest step of clips 02_01 and 02_02
    "running": View(2890, 50, 8),  # largest rise of clip 127_07
    "sitting": View(439, 40, 10, sit),  # nobody sits in the benchmark
    "crouching": View(2725, 40, 10),  # the less flexed knee flexed most (by 153 degrees), lean below 30 degrees
    "arms up": View(970, -40, 5),  # the lower wrist highest above the head's joint, clip 02_10
    # left foot farthest before the pelvis, rise above 0.4 m, knee below 30 degrees; without the dancer, subject 05
    "kick": View(2701, 50, 8),
    "dance": View(2282, 30, 8),  # longest step with a rise above 0.6 m, clip 05_20
    "lying": View(439, 90, 30, lie),  # nobody lies either; seen from the side and above, so that both arms show
    "from behind": View(2371, 165, 8),  # longest step of clips 08_01 to 08_03
}


class CloseUp(NamedTuple):
    """What is shown of a mesh, and from where. Parts (of ``SurfaceRegions``) go by one of their joints.

    ``part`` decides place and scale, and how the predicted mesh is moved onto the true one; empty is the whole mesh. Of
    ``around`` the nearest is shown too. ``eye`` and ``up``: directions to the eye and up in the picture, in the rest
    pose (x to its left, y up, z to its front); they turn with ``frame`` (empty: ``part``). No ``eye``: camera's view.
    """

    title: str
    part: str = ""
    around: str = ""
    eye: tuple[float, float, float] | None = None
    up: tuple[float, float, float] = (0.0, 1.0, 0.0)
    frame: str = ""


def _of_side(side: str, name: str, outwards: float) -> tuple[CloseUp, CloseUp, CloseUp]:
    """Hand, hand and foot of a side. At rest the arms are stretched sideways, palms down."""
    wrist, elbow, ankle, knee = (f"{side}_{joint}" for joint in ("Wrist", "Elbow", "Ankle", "Knee"))
    seen = CloseUp(f"{name} hand, as seen", wrist, elbow)
    back = CloseUp(f"{name} hand, back", wrist, elbow, (0, 1, 0), (outwards, 0, 0))
    # from the outer front and above toes and ankle show
    return seen, back, CloseUp(f"{name} foot", ankle, knee, (outwards, 0.7, 0.7))


_RIGHT, _LEFT = _of_side("R", "right", -1.0), _of_side("L", "left", 1.0)
_HAND_EYES = {"palm": (0, -1, 0), "back": (0, 1, 0), "thumb side": (0, 0, 1)}  # at rest, fingers along -x
_WHOLE_HAND = [CloseUp(title, "", "", eye, (-1, 0, 0), "Wrist") for title, eye in _HAND_EYES.items()]
CLOSE_UPS = {
    "body": (*_RIGHT[:2], *_LEFT[:2], _RIGHT[2], _LEFT[2], CloseUp("head", "Head", "Chest", (0.5, 0.1, 1.0))),
    "hand": (CloseUp("as seen"), *_WHOLE_HAND),
}
REPORTED = {"body": ("Hands", "Feet", "Head"), "hand": ("Palm", "Fingers")}


def samples(kind: str) -> dict[str, torch.Tensor]:
    """Rows of ten poses of a body or hand for ``lib.datasets.posed``: mean shape, mid-picture."""
    if kind == "hand":
        # the prior turns them every way in the camera's frame
        poses, rotations = HandPosePrior.load().sample(HANDS, stream(0)), torch.eye(3).expand(HANDS, 3, 3)
    else:
        chosen = read_benchmark()[0][[view.row for view in VIEWS.values()]].astype(np.float64)
        front = Rotation.from_rotvec(chosen[:, :3]).apply([0.0, 0.0, 1.0])
        turn, elevation = np.deg2rad([(view.turn, view.elevation) for view in VIEWS.values()]).T
        angles = np.arctan2(front[:, 1], front[:, 0]) + turn, elevation, np.zeros(len(chosen))
        rotations = look_at_rotations(*(torch.from_numpy(angle).float() for angle in angles))
        edited = [view.edit(pose) if view.edit else pose for pose, view in zip(chosen, VIEWS.values())]
        poses = torch.from_numpy(np.stack(edited)).float()
    count = len(poses)
    return {
        "pose": poses,
        "betas": torch.zeros(count, BETAS),
        "cam_R": rotations,
        "trans": torch.tensor([0.0, 0.0, DISTANCE]).expand(count, 3),
        "focal": torch.full((count, 2), FOCAL),
        "princpt": torch.full((count, 2), PRINCPT),
    }


def truth_and_input(model: MeshModel, joint_set: JointSet, root_set: JointSet) -> tuple[torch.Tensor, torch.Tensor]:
    """The ten meshes (B, V, 3) in mm about the root of ``root_set``; joints of ``joint_set`` (B, J, 2) in pixels."""
    bodies = PosedBodies(model, {joint_set, root_set}, whole_mesh=True)
    posed = Posed(bodies, samples(model.kind), joint_set.name)
    return MM_PER_M * posed.vertices_from(posed.joints(root_set.name)[:, root_set.root]), posed.image(joint_set.name)


def predict(predictor: Pose2MeshPredictor, root_set: JointSet, pose2d: torch.Tensor) -> torch.Tensor:
    """Meshes (B, V, 3) in mm about their own root, as the evaluation places them, of joints (B, J, 2) in pixels."""
    known = Circumstances((2 * round(PRINCPT),) * 2, FOCAL)
    mesh = MM_PER_M * predictor.predict(pose2d, known=known).mesh
    root = torch.from_numpy(predictor.mesh_model.joint_regressor(root_set)[root_set.root])
    return mesh - torch.einsum("v,bvc->bc", root, mesh)[:, None]


class Painter:
    """Draws pairs of a model's meshes (V, 3): mm, root-relative, camera frame. Close-ups are ``size`` pixels wide.

    Pictures are uint8, blue-green-red.
    """

    def __init__(self, model: MeshModel, size: int):
        self.model, self.size = model, size
        self._rest = model.arrays()["v_template"].astype(np.float64)
        self._parts = [part for parts in SurfaceRegions.of(model).parts.values() for part in parts]
        self._renderer = MeshRenderer("software")

    def strip(self, pred: np.ndarray, truth: np.ndarray, title: str) -> np.ndarray:
        """One pose: the whole body (a hand's close-ups show all of it), then close-ups, predicted above true."""
        panels = [self._figures(pred, truth)] if self.model.kind == "body" else []
        panels += [self._close_up(pred, truth, close_up) for close_up in CLOSE_UPS[self.model.kind]]
        picture = cv2.hconcat(panels)
        head = np.full((CAPTION, picture.shape[1], 3), PAPER, dtype=np.uint8)
        cv2.putText(head, title, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.55, INK, 1, cv2.LINE_AA)
        return cv2.vconcat([head, picture])

    def _figures(self, pred: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Predicted and true mesh, roots at one place: side by side, or above each other where they are wide."""
        centre, extent = _box(pred, truth)
        width, wide = 6 * self.size // 5, extent[0] > extent[1]
        shape = np.array([2 * width, self.size] if wide else [width, 2 * self.size])
        window = centre, (shape / (MARGIN * extent)).min()
        labelled = (pred, PREDICTED, "predicted"), (truth, TRUE, "truth")
        pair = [self._draw(mesh, self.model.faces, window, shape, *look) for mesh, *look in labelled]
        return (cv2.vconcat if wide else cv2.hconcat)(pair)

    def _close_up(self, pred: np.ndarray, truth: np.ndarray, what: CloseUp) -> np.ndarray:
        """(2 size, size, 3)."""
        part = self._vertices(what.part)
        pred, truth = pred - pred[part].mean(axis=0), truth - truth[part].mean(axis=0)
        reach = np.linalg.norm(truth[part], axis=1).max()
        around = self._vertices(what.around) if what.around else part
        shown = np.zeros(len(truth), dtype=bool)
        shown[around] = np.linalg.norm(truth[around], axis=1) < SURROUNDINGS * reach
        shown[part] = True
        faces = self.model.faces[shown[self.model.faces].all(axis=1)]
        if what.eye is not None:
            frame = self._vertices(what.frame or what.part)
            view = _look_from(what.eye, what.up) @ _rotation(truth[frame], self._rest[frame])
            pred, truth = pred @ (view @ _rotation(pred[part], truth[part])).T, truth @ view.T
        centre, extent = _box(pred[part], truth[part])
        window, shape = (centre, self.size / (MARGIN * max(*extent, CLOSEST * reach))), np.array([self.size, self.size])
        labelled = (pred, PREDICTED, what.title), (truth, TRUE, "truth")
        return cv2.vconcat([self._draw(mesh, faces, window, shape, *look) for mesh, *look in labelled])

    def _vertices(self, joint: str) -> np.ndarray:
        """Vertices of the part that a joint moves; of the whole mesh for an empty name."""
        found = [part.vertices.numpy() for part in self._parts if joint in part.joints]
        return found[0] if joint else np.arange(self.model.vertex_num)

    def _draw(self, mesh, faces, window: tuple[np.ndarray, float], shape, colour, label: str) -> np.ndarray:
        """A panel of ``shape`` (width, height); ``window`` is its centre (2,) in mm and its pixels per mm."""
        panel = np.full((*shape[::-1], 3), GROUND, dtype=np.uint8)
        used, index = np.unique(faces, return_inverse=True)  # others would spoil the range of depths
        camera = np.concatenate([2 * MM_PER_M * window[1] / shape, -window[0] / MM_PER_M])
        panel = self._renderer.render(mesh[used] / MM_PER_M, index.reshape(-1, 3), panel, camera, colour)
        cv2.putText(panel, label, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, LABEL, 1, cv2.LINE_AA)
        return cv2.rectangle(panel, (0, 0), (shape[0] - 1, shape[1] - 1), PAPER, 1)


def _box(pred: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre (2,) and size (2,) of the box around both meshes in the picture."""
    both = np.concatenate([pred, truth])[:, :2]
    low, high = both.min(axis=0), both.max(axis=0)
    return (low + high) / 2, high - low


def _rotation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Best rotation (3, 3) of points (n, 3) to others."""
    source, target = source - source.mean(axis=0), target - target.mean(axis=0)
    return rotation_and_stretch(torch.from_numpy(source.T @ target))[0].numpy()


def _look_from(eye: tuple[float, float, float], up: tuple[float, float, float]) -> np.ndarray:
    """Rotation (3, 3) into the frame of somebody who looks from ``eye`` to the origin: right, down, forward."""
    rows = np.array([np.cross(up, eye), np.cross(np.cross(up, eye), eye), np.negative(eye)])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def write_pictures(
    names: list[str], pred: torch.Tensor, truth: torch.Tensor, model: MeshModel, folder: Path, size: int
) -> list[str]:
    """Write ``<pose>.png`` of B poses and ``all.png``, close-ups ``size`` pixels wide; make the folder if need be.

    Meshes ``pred`` and ``truth`` are (B, V, 3) mm, root-relative, camera frame. Returns a line of errors per pose.
    """
    folder.mkdir(parents=True, exist_ok=True)
    surface, painter = surface_errors(pred, truth, SurfaceRegions.of(model)), Painter(model, size)
    lines, strips = [], []
    for row, (name, whole) in enumerate(zip(names, mpvpe(pred, truth).tolist())):
        lines.append(f"{name}: MPVPE {whole:.1f} mm")
        for region in REPORTED[model.kind]:
            distance, edges, turned = (float(values[row]) for values in surface[region])
            lines[row] += f"; {region} {distance:.1f} mm, edges {edges:.1f} %, turned {turned:.1f} %"
        strips.append(painter.strip(*(mesh[row].double().numpy() for mesh in (pred, truth)), lines[row]))
        save_image(folder / f"{name.replace(' ', '_')}.png", strips[row])
    columns = max(SHEET_WIDTH // strips[0].shape[1], 1)
    strips += [np.full_like(strips[0], 255)] * (-len(strips) % columns)
    sheet = cv2.vconcat([cv2.hconcat(strips[start : start + columns]) for start in range(0, len(strips), columns)])
    scale = min(SHEET_WIDTH / sheet.shape[1], 1.0)
    save_image(folder / "all.png", cv2.resize(sheet, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    return lines


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", help="checkpoint or its folder (default: those that come with --joint_set)")
    parser.add_argument("--joint_set", help="default: that of --weights, else coco")
    parser.add_argument("--mesh", default="auto", help="network, fitted or refined")
    parser.add_argument("--output", type=Path, default=Path("closeups"), help="folder (default closeups/)")
    parser.add_argument("--size", type=int, default=300, help="side of a close-up, pixels (default 300)")
    args = parser.parse_args(arguments)
    wanted = args.joint_set or (None if args.weights else "coco")
    predictor = Pose2MeshPredictor(wanted, args.weights, device="cpu", mesh=args.mesh)
    model, joint_set = predictor.mesh_model, predictor.joint_set
    root_set = joint_set if joint_set.name in ("smpl", "mano") else get_joint_set("human36")  # the evaluation's
    truth, pose2d = truth_and_input(model, joint_set, root_set)
    names = list(VIEWS) if model.kind == "body" else [f"hand {number}" for number in range(HANDS)]
    pred = predict(predictor, root_set, pose2d)
    print("\n".join(write_pictures(names, pred, truth, model, args.output, args.size)))
    print(args.output / "all.png")


if __name__ == "__main__":
    main()
