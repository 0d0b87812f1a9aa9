"""2D poses in, meshes, joints and cameras out: everything that inference needs, loaded once.

Usage::

    predictor = Pose2MeshPredictor("coco")
    prediction = predictor.predict(poses)        # (B, 17 or 19, 2) pixels
    prediction.mesh                              # (B, V, 3) metres
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lib import ROOT
from lib.aug_utils import apply_affine, crop_matrices, standardise
from lib.coord_utils import process_boxes, tight_boxes
from lib.core.checkpoint import load_checkpoint, load_weights
from lib.core.checkpoint_paths import RELEASE, checkpoint_at, find_checkpoint
from lib.core.config import Config, merge
from lib.core.skip_init import SkipInit
from lib.graph_cache import cached_graph
from lib.joint_sets import JointSet, get_joint_set
from lib.mesh_graph import MeshGraph
from lib.mesh_model import MeshModel, load_mesh_model
from lib.models.pose2mesh_net import build_pose2mesh
from lib.models.project_net import CROP_SIZE, crop_to_image_camera, fit_weak_perspective

# folders below experiment/: weights of the original release, and those for the open models that ship with this one
ORIGINAL_WEIGHTS = {
    "human36": "pose2mesh_human36J_train_human36",
    "coco": "pose2mesh_cocoJ_train_human36_coco_muco",
    "smpl": "pose2mesh_smplJ_train_surreal",
    "mano": "pose2mesh_manoJ_train_freihand",
}
OPEN_WEIGHTS = {
    "human36": "pose2mesh_human36J_open",
    "coco": "pose2mesh_cocoJ_open",
    "smpl": "pose2mesh_smplJ_open",
    "mano": "pose2mesh_manoJ_open",
}
LICENSED = {"body": "smpl", "hand": "mano"}
OPEN_MODELS = {"body": ("open_6890", "open_1723"), "hand": ("open_hand",)}
_BOX_SCALE = 1.25  # the camera is fitted in a square crop this much larger than the pose


@dataclass(frozen=True)
class MeshPrediction:
    """Results for B poses: float32 tensors on the CPU. Frame: x right, y down, z away from the camera.

    Attributes:
        pose2d: (B, J, 2) the input with derived joints, pixels.
        mesh: (B, V, 3) metres, root-relative.
        joints: (B, J, 3) metres, regressed from the mesh.
        pose3d: (B, J, 3) millimetres, PoseNet's root-relative joints.
        camera: (B, 3) weak-perspective s, tx, ty in the crop ``box``.
        box: (B, 4) x, y, width, height of the square crop, pixels.
        residual: (B,) mean absolute distance per coordinate between projected joints and pose2d, pixels of the
            500 x 500 crop.
    """

    pose2d: torch.Tensor
    mesh: torch.Tensor
    joints: torch.Tensor
    pose3d: torch.Tensor
    camera: torch.Tensor
    box: torch.Tensor
    residual: torch.Tensor

    def image_camera(self, image_size: tuple[int, int]) -> torch.Tensor:
        """(B, 4) sx, sy, tx, ty for drawing into an image of (width, height); see ``crop_to_image_camera``."""
        return crop_to_image_camera(self.camera, self.box, image_size)


def resolve_device(name: str = "auto") -> torch.device:
    """``auto`` (a GPU when there is one), ``cpu``, ``cuda`` or ``cuda:<number>``.

    Raises:
        ValueError: unknown name, or a GPU that this machine does not have.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda", 0) if count else torch.device("cpu")
    kind, _, index = name.partition(":")
    if name != "cpu" and (kind != "cuda" or (index and not index.isdecimal()) or name.endswith(":")):
        raise ValueError(f"unknown device {name!r}; choose auto, cpu, cuda or cuda:<number>")
    if kind == "cuda" and int(index or 0) >= count:
        raise ValueError(f"device {name!r} is not there: this machine has {count} usable CUDA GPU(s); try --device cpu")
    return torch.device("cuda", int(index or 0)) if kind == "cuda" else torch.device("cpu")


def find_weights(joint_set: JointSet, root: str | Path = ROOT) -> Path:
    """The weights to use when none are named.

    Those of the original release when they and the licensed model files are in place, else the open weights, which
    bring their own mesh model: the two are never mixed, as weights belong to one mesh.

    Raises:
        FileNotFoundError: neither is there; names both places.
    """
    original_place = Path(root) / "experiment" / ORIGINAL_WEIGHTS[joint_set.name]
    open_place = ROOT / "experiment" / OPEN_WEIGHTS[joint_set.name]
    original, shipped = checkpoint_at(original_place), checkpoint_at(open_place)
    if original and load_mesh_model(joint_set.body, "auto", root).name == LICENSED[joint_set.body]:
        return original
    if shipped:
        return shipped
    why = f" (it needs the {LICENSED[joint_set.body].upper()} files as well)" if original else ""
    raise FileNotFoundError(
        f"no weights for joint set {joint_set.name!r}: looked for final.pth.tar in {open_place}, which is part of the "
        f"repository, and in {original_place}{why}, which is in the original release's downloads, {RELEASE}"
    )


def check_poses(poses: np.ndarray, joint_set: JointSet) -> np.ndarray:
    """Validate 2D poses and append derived joints.

    Args:
        poses: (B, J, 2) pixels, B at least 1, any real type; J may leave out the derived joints (coco: 17 or 19).

    Returns:
        (B, J, 2) float64. Whole numbers are computed on as real ones: nothing is truncated to pixels.

    Raises:
        ValueError: wrong shape or type, NaN or infinite values, no extent. The message names the expected joints.
    """
    poses = np.asarray(poses)
    accepted = (joint_set.keypoint_num, joint_set.joint_num)
    if poses.ndim != 3 or not len(poses) or poses.shape[1] not in accepted or poses.shape[2] != 2:
        raise ValueError(
            f"expected poses (B, {' or '.join(map(str, dict.fromkeys(accepted)))}, 2) for joint set "
            f"{joint_set.name!r}, got {poses.shape}; joints in order: {joint_set.describe()}"
        )
    if poses.dtype.kind not in "iuf":
        raise ValueError(f"expected numbers, got an array of {poses.dtype}")
    poses = poses.astype(np.float64)
    finite = np.isfinite(poses).all(axis=2)
    if not finite.all():
        sample, joint = np.argwhere(~finite)[0]
        raise ValueError(
            f"pose {sample}: joint {joint} ({joint_set.joints[joint]}) is NaN or infinite, in all {(~finite).sum()} "
            "such joints; the network needs every joint, fill missing ones first"
        )
    extent = np.ptp(poses, axis=1)
    small = np.argwhere((extent < 2).any(axis=1))
    if len(small):
        width, height = extent[small[0, 0]]
        raise ValueError(
            f"pose {small[0, 0]} is {width:g} x {height:g} in size, too small: joints must be spread over at least "
            "2 pixels, and coordinates must be pixels, not fractions of the image"
        )
    return joint_set.add_derived(poses) if poses.shape[1] != joint_set.joint_num else poses


def camera_crop(pose2d: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Square boxes (B, 4) around poses (B, J, 2) in pixels, and the poses in their 500 x 500 crops (B, J, 2)."""
    box, _ = process_boxes(tight_boxes(pose2d), aspect_ratio=1.0, scale=_BOX_SCALE)
    return box, apply_affine(pose2d, crop_matrices(box, torch.zeros_like(box[:, 0]), (CROP_SIZE, CROP_SIZE)))


class Pose2MeshPredictor:
    """A network with its mesh model, ready for 2D poses.

    Args:
        joint_set: ``human36``, ``coco``, ``smpl`` or ``mano``.
        weights: checkpoint file or folder; None takes ``find_weights``.
        device: see ``resolve_device``.
        body: mesh model (``lib.mesh_model.load_mesh_model``); None takes the one the weights were trained for.
        root: folder with the licensed models and ``experiment/`` with weights; the open ones are found in any case.

    Attributes:
        joint_set, device, weights (file in use), mesh_model, network, and ``description``: lines that say what is in
        use.

    Raises:
        FileNotFoundError: weights or model files are not there.
        ValueError: the weights are for another joint set, stage or mesh, or damaged.
    """

    def __init__(
        self,
        joint_set: str = "coco",
        weights: str | Path | None = None,
        device: str = "auto",
        body: str | None = None,
        root: str | Path = ROOT,
    ):
        self.joint_set = get_joint_set(joint_set)
        self.device = resolve_device(device)
        self.weights = (
            find_weights(self.joint_set, root) if weights is None else find_checkpoint(weights, root=Path(root))
        )
        checkpoint = load_checkpoint(self.weights)
        cfg = _settings(checkpoint, self.joint_set, self.weights)
        self.mesh_model, graph = _mesh_and_graph(checkpoint, self.joint_set, body or cfg.MODEL.body, root)
        with SkipInit():
            self.network = build_pose2mesh(cfg, graph)
        load_weights(self.network, checkpoint, self.weights, take_over=True)
        self.network.requires_grad_(False).eval().to(self.device)
        self._regressor = torch.from_numpy(self.mesh_model.joint_regressor(joint_set)).to(self.device)

    @property
    def description(self) -> tuple[str, str]:
        return f"Mesh model: {self.mesh_model.description}", f"Weights: {self.weights} on {self.device}"

    def predict(self, poses: np.ndarray | torch.Tensor, batch_size: int = 64) -> MeshPrediction:
        """Meshes, joints and cameras of 2D poses.

        Args:
            poses: (B, J, 2) pixels in the joint set's order; coco also without the derived pelvis and neck.
            batch_size: poses per network call; bounds the memory.

        Raises:
            ValueError: see ``check_poses``.
        """
        poses = poses.detach().cpu().numpy() if isinstance(poses, torch.Tensor) else poses
        pose2d = torch.from_numpy(check_poses(poses, self.joint_set))
        parts = [self._predict_batch(part.to(self.device)) for part in pose2d.split(batch_size)]
        return MeshPrediction(*(torch.cat(values).float().cpu() for values in zip(*parts)))

    @torch.inference_mode()
    def _predict_batch(self, pose2d: torch.Tensor) -> tuple[torch.Tensor, ...]:
        # the published crop to 288 x 384 before this step cancels in the standardisation
        mesh, pose3d = self.network(standardise(pose2d).float())
        joints = torch.einsum("jv,bvc->bjc", self._regressor, mesh)
        if joints.shape[1] != self.joint_set.joint_num:
            joints = self.joint_set.add_derived(joints)
        box, target = camera_crop(pose2d)
        camera, residual = fit_weak_perspective(joints, target)
        return pose2d, mesh, joints, pose3d, camera, box, residual


def _settings(checkpoint: dict, joint_set: JointSet, source: Path) -> Config:
    """Settings of a checkpoint; those of the original release have none and follow the defaults."""
    if checkpoint["config"] is None:
        cfg = Config()
        cfg.DATASET.input_joint_set = cfg.DATASET.target_joint_set = joint_set.name
        return cfg
    cfg = merge(checkpoint["config"], f"settings in {source}")
    if cfg.MODEL.name != "pose2mesh_net":
        raise ValueError(f"{source} holds {cfg.MODEL.name} weights; a mesh needs those of pose2mesh_net")
    if cfg.DATASET.input_joint_set != joint_set.name:
        raise ValueError(
            f"{source} takes {cfg.DATASET.input_joint_set} joints, not {joint_set.name}; "
            f"use --joint_set {cfg.DATASET.input_joint_set} or other weights"
        )
    return cfg


def _mesh_and_graph(checkpoint: dict, joint_set: JointSet, body: str, root: str | Path) -> tuple[MeshModel, MeshGraph]:
    """The mesh model that weights belong to, and their graph.

    Args:
        body: name or file of a mesh model; ``auto`` finds the one with the weights' topology.
    """
    kind, licensed = joint_set.body, LICENSED[joint_set.body]
    if checkpoint["graph"] is None:
        if body in OPEN_MODELS[kind]:
            raise ValueError(
                f"these weights carry no mesh graph, so they are of the original release and fit {licensed.upper()} "
                f"only, not {body}"
            )
        mesh_model = load_mesh_model(kind, licensed if body == "auto" else body, root)
        cache = Path(root) / Config().DATASET.cache
        return mesh_model, cached_graph(mesh_model.faces, joint_set, mesh_name=licensed, folder=cache)
    graph = MeshGraph.from_state(checkpoint["graph"])
    mismatch = None
    for name in (body, *OPEN_MODELS[kind]) if body == "auto" else (body,):
        mesh_model = load_mesh_model(kind, name, root)
        try:
            graph.check_topology(mesh_model.faces)
        except ValueError as error:
            mismatch = mismatch or error
        else:
            return mesh_model, graph
    raise mismatch
