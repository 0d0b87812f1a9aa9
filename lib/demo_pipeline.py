"""The demo: one 2D pose file in; pictures of the pose and the mesh, and the mesh as OBJ and GLB, out."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lib import ROOT
from lib.funcs_utils import save_obj
from lib.joint_sets import JOINT_SETS, JointSet, get_joint_set
from lib.predictor import Pose2MeshPredictor, check_poses
from lib.renderer import MeshRenderer, person_colour
from lib.vis import draw_pose

OUTPUT_NAMES = ("demo_pose2d.png", "demo_mesh.png", "demo_mesh.obj", "demo_mesh.glb")
_MARGIN = 1.5  # without an image the canvas reaches this much further than the largest coordinate
_LARGEST_SIDE = 16384  # pixels
_BAD_FIT = 30.0  # pixels of the 500 x 500 crop; poses in the right joint order stay well below


@dataclass(frozen=True)
class DemoOptions:
    """Command-line options of ``demo/run.py``; the help text there explains them."""

    input_pose: Path | None = None
    joint_set: str = "coco"
    input_img: Path | None = None
    output: Path = ROOT / "demo" / "result"
    device: str = "auto"
    weights: Path | None = None
    body: str | None = None
    renderer: str = "auto"
    seed: int = 0
    root: Path = ROOT


def sample_pose_path(joint_set: str) -> Path:
    """The pose that ships with the demo."""
    return ROOT / "demo" / f"sample_pose_{joint_set}.npy"


def load_pose(path: str | Path, joint_set: JointSet) -> tuple[np.ndarray, np.ndarray | None]:
    """Read one 2D pose from a ``.npy`` file.

    Args:
        path: array (J, 2) x and y in pixels, or (J, 3) with a score; J as in ``check_poses``.
        joint_set: joints that are expected.

    Returns:
        pose (J, 2) float64 with derived joints, scores (J,) or None. The score of a derived joint is the product of
        the two it comes from.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a ``.npy`` array of numbers (pickled objects are refused), wrong shape, unusable coordinates.
    """
    path = Path(path)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "not found"
        raise FileNotFoundError(f"pose file {path} {what}; expected a .npy file with an array {_expected(joint_set)}")
    try:
        pose = np.load(path, allow_pickle=False)
    except Exception as error:  # numpy's readers raise what their zip and header parsers do
        raise ValueError(
            f"{path} is not a .npy file with plain numbers ({error}); save it with numpy.save('pose.npy', array)"
        ) from error
    if not isinstance(pose, np.ndarray):
        pose.close()
        raise ValueError(f"{path} is an .npz archive; save the one array with numpy.save('pose.npy', array)")
    rows = {joint_set.keypoint_num, joint_set.joint_num}
    if pose.ndim != 2 or pose.shape[0] not in rows or pose.shape[1] not in (2, 3):
        raise ValueError(
            f"{path} has shape {pose.shape}, expected {_expected(joint_set)}{_shape_hint(pose.shape, joint_set)}; "
            f"joints in order: {joint_set.describe()}"
        )
    try:
        full = check_poses(pose[None, :, :2], joint_set)[0]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    if pose.shape[1] == 2:
        return full, None
    scores = pose[:, 2].astype(np.float64)
    if len(scores) != joint_set.joint_num:
        scores = np.append(scores, [scores[a] * scores[b] for _, (a, b) in joint_set.derived])
    return full, scores


def _expected(joint_set: JointSet) -> str:
    """The shape of a pose file in words."""
    if joint_set.keypoint_num == joint_set.joint_num:
        return f"({joint_set.joint_num}, 2)"
    derived = ", ".join(joint_set.joints[joint] for joint, _ in joint_set.derived)
    return f"({joint_set.joint_num}, 2), or ({joint_set.keypoint_num}, 2) without {derived}"


def _shape_hint(shape: tuple[int, ...], joint_set: JointSet) -> str:
    """What may have gone wrong with a shape."""
    if len(shape) == 2 and shape[0] in (2, 3) and shape[1] in (joint_set.keypoint_num, joint_set.joint_num):
        return " (it is transposed: save array.T)"
    if len(shape) == 3 and shape[0] == 1:
        return " (save array[0])"
    others = [s.name for s in JOINT_SETS.values() if len(shape) == 2 and shape[0] in (s.keypoint_num, s.joint_num)]
    return f" (as many joints as --joint_set {' or '.join(others)})" if others else ""


def read_image(path: str | Path) -> np.ndarray:
    """(H, W, 3) uint8, blue-green-red.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not an image.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"image {path} not found")
    data = np.fromfile(path, dtype=np.uint8)  # OpenCV itself cannot open every path on Windows
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    except cv2.error as error:
        raise ValueError(f"{path} cannot be read as an image: {error.err}") from error
    if image is None:
        raise ValueError(f"{path} is not an image that OpenCV can read (JPEG, PNG, ...)")
    return image


def blank_canvas(pose: np.ndarray) -> np.ndarray:
    """Black picture 1.5 times as wide and high as the pose's largest x and y (J, 2), pixels.

    Raises:
        ValueError: all joints left of or above the picture, or coordinates too large for pixels.
    """
    width, height = (int(_MARGIN * largest) for largest in pose.max(axis=0))
    if width < 1 or height < 1:
        raise ValueError("all joints have negative x or y, outside any picture; give pixel coordinates of the image")
    if max(width, height) > _LARGEST_SIDE:
        raise ValueError(f"coordinates up to {pose.max():.0f} would need a {width} x {height} picture; give pixels")
    return np.zeros((height, width, 3), dtype=np.uint8)


def run_demo(options: DemoOptions) -> list[Path]:
    """Predict, draw and write; prints what is used and written.

    All files are written aside and renamed at the end: an error leaves earlier results as they were.

    Returns:
        the files, named ``OUTPUT_NAMES``, in ``options.output``.

    Raises:
        ValueError, FileNotFoundError: unusable input; the message says what was wanted.
    """
    joint_set = get_joint_set(options.joint_set)
    pose_path = sample_pose_path(joint_set.name) if options.input_pose is None else Path(options.input_pose)
    pose, scores = load_pose(pose_path, joint_set)
    image = blank_canvas(pose) if options.input_img is None else read_image(options.input_img)
    renderer = MeshRenderer(options.renderer)
    print(f"Pose: {pose_path} ({joint_set.name}, {joint_set.joint_num} joints)")
    size = image.shape[1], image.shape[0]
    print(f"Image: {options.input_img or 'black background'}, {size[0]} x {size[1]} pixels")
    for warning in _pose_warnings(pose, size):
        print(f"Warning: {warning}")

    predictor = Pose2MeshPredictor(joint_set.name, options.weights, options.device, options.body, options.root)
    for line in predictor.description:
        print(line)
    prediction = predictor.predict(pose[None])
    residual = prediction.residual.item()
    print(f"Camera: mean distance to the pose {residual:.1f} pixels of a 500-pixel crop")
    if residual > _BAD_FIT:
        print("Warning: the mesh fits the pose badly; are the joints in the order that --help lists?")

    colour = person_colour(seed=options.seed)
    mesh, faces = prediction.mesh[0].numpy(), predictor.mesh_model.faces
    picture = renderer.render(mesh, faces, image, prediction.image_camera(size)[0].numpy(), colour)
    print(f"Renderer: {renderer.note}")
    files = _write(
        options.output,
        {
            "demo_pose2d.png": lambda path: _save_image(path, draw_pose(image, pose, joint_set, scores)),
            "demo_mesh.png": lambda path: _save_image(path, picture),
            "demo_mesh.obj": lambda path: save_obj(mesh, faces, path),
            "demo_mesh.glb": lambda path: save_glb(path, mesh, faces, colour),
        },
    )
    print(f"Wrote: {', '.join(map(str, files))}")
    return files


def _pose_warnings(pose: np.ndarray, size: tuple[int, int]) -> list[str]:
    """Signs of input that runs but gives nonsense."""
    warnings = []
    zeros = int((pose == 0).all(axis=1).sum())
    if zeros:
        warnings.append(f"{zeros} joint(s) at (0, 0), taken as real positions; fill missing joints first")
    outside = int(((pose < 0) | (pose >= size)).any(axis=1).sum())
    if outside > len(pose) / 2:
        warnings.append(f"{outside} of {len(pose)} joints lie outside the picture; is it the image of this pose?")
    return warnings


def _write(folder: Path, writers: dict) -> list[Path]:
    """Call each writer on a path in a hidden folder beside the results, then move everything into place."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".demo-", dir=folder))
    try:
        for name, write in writers.items():
            write(aside / name)
        for name in writers:
            os.replace(aside / name, folder / name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return [folder / name for name in writers]


def _save_image(path: Path, image: np.ndarray) -> None:
    done, data = cv2.imencode(path.suffix, image)
    if not done:
        raise ValueError(f"OpenCV cannot encode {path.name}")
    path.write_bytes(data.tobytes())


def save_glb(path: Path, vertices: np.ndarray, faces: np.ndarray, colour: tuple[float, float, float]) -> None:
    """Binary glTF in metres; y points up as the format wants, so the mesh stands upright in any viewer.

    Args:
        vertices: (V, 3) metres, y down.
        faces: (F, 3) vertex indices.
        colour: (r, g, b) in 0..1.
    """
    import trimesh

    material = trimesh.visual.material.PBRMaterial(
        baseColorFactor=[*(round(255 * c) for c in colour), 255], metallicFactor=0.0, roughnessFactor=0.6
    )
    mesh = trimesh.Trimesh(
        vertices * np.array([1, -1, -1]), faces, visual=trimesh.visual.TextureVisuals(material=material), process=False
    )
    mesh.vertex_normals  # noqa: B018  (computed on access; exported only then, for smooth shading)
    path.write_bytes(mesh.export(file_type="glb"))
