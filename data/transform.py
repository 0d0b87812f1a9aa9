"""From rows of body parameters to network inputs and targets, a whole batch at once on any device.

body layer -> mesh -> regressed joints -> camera -> 2D errors -> crop -> normalisation. Every data set goes through this
module; none of them repeats a step of it.
"""

from dataclasses import dataclass

import torch

from lib.aug_utils import (
    apply_affine,
    crop_areas,
    crop_matrices,
    flip_2d,
    rotate_flip_3d,
    sample_augmentation,
    standardise,
)
from lib.body.hand import order_hand_joints
from lib.body.lbs import lbs
from lib.body.rotation import rotate_root
from lib.coord_utils import process_boxes, project, tight_boxes
from lib.core.config import Config
from lib.joint_sets import JointSet, get_joint_set
from lib.mesh_model import MeshModel
from lib.noise_utils import human36_noise, synthesize_poses

MM = 1000.0  # the networks' edge: joints in millimetres, meshes in metres

# Gaussian detector jitter of every joint: the root mean square of the standard deviations in the Human3.6M
# detection-error table (lib/noise_stats.py), in pixels of a 256 x 256 crop.
JITTER_STD = 1.93
JITTER_FRAME = 256.0


@dataclass(frozen=True)
class Sources2D:
    """How the 2D input of a data set comes about.

    Attributes:
        noise: ``""`` none; ``errors``: the published synthesis of detector errors of the joint set (human36: Gaussian
            table, coco: jitter, misses and left/right swaps, others: as ``jitter``); ``jitter``: Gaussian only.
        derive_noisy: recompute derived joints (coco pelvis and neck) from the noisy keypoints, as a detector's user
            must; the published training keeps them clean.
        clean_share: share of samples that stay free of errors.
    """

    noise: str
    derive_noisy: bool = False
    clean_share: float = 0.0


def posed_joints(joint_set: JointSet, vertices, kinematic, regressor):
    """3D joints of a posed mesh under a joint set's convention.

    Body sets with regressors (human36, coco) regress from the mesh; ``smpl`` and ``mano`` are the kinematic joints of
    the layer (and fingertip vertices), which is what SURREAL and FreiHAND annotate.

    Args:
        vertices: (B, V', 3), those the regressor's columns refer to.
        kinematic: (B, K, 3) joints of the layer.
        regressor: (Jk, V') of the joint set; for ``mano`` only the (5, V') rows of the fingertips.

    Returns:
        (B, J, 3) in the unit of the vertices.
    """
    if joint_set.name == "smpl":
        return kinematic
    joints = regressor @ vertices
    if joint_set.name == "mano":
        return order_hand_joints(torch.cat([kinematic, joints], dim=1))
    return joint_set.add_derived(joints)


class BodyTransform:
    """Rows of body parameters -> one training or test batch.

    Args:
        cfg: settings (joint sets, crop, augmentation, stage).
        model: mesh model that poses the rows.
        sources: how 2D inputs are made.
        device: where the batch is computed.
    """

    def __init__(self, cfg: Config, model: MeshModel, sources: Sources2D, device="cpu"):
        self.cfg = cfg
        self.model = model
        self.sources = sources
        self.device = torch.device(device)
        self.with_mesh = cfg.MODEL.name == "pose2mesh_net"
        self.input_set = get_joint_set(cfg.DATASET.input_joint_set)
        self.target_set = get_joint_set(cfg.DATASET.target_joint_set)
        for joint_set in (self.input_set, self.target_set):
            if joint_set.body != model.kind:
                raise ValueError(
                    f"joint set {joint_set.name!r} is a {joint_set.body} set, the mesh model is {model.name}"
                )
        self.crop_size = (cfg.MODEL.input_shape[1], cfg.MODEL.input_shape[0])
        self._prepare()

    def _prepare(self):
        wanted = {self.input_set.name}
        if self.with_mesh:
            wanted |= {self.target_set.name, self._root_set.name}
        regressors = {name: self._regressor(name) for name in sorted(wanted)}
        params = self.model.params("neutral")
        if not self.with_mesh:
            # PoseNet needs joints only: pose just the vertices that the regressor reads
            used = torch.zeros(self.model.vertex_num, dtype=torch.bool)
            for regressor in regressors.values():
                used |= (regressor != 0).any(dim=0)
            ids = used.nonzero().squeeze(1)
            params = params.subset(ids)
            regressors = {name: regressor[:, ids] for name, regressor in regressors.items()}
        self.params = params.to(self.device, torch.float32)
        self.regressors = {name: r.to(self.device, torch.float32) for name, r in regressors.items()}

    def _regressor(self, joint_set: str) -> torch.Tensor:
        if joint_set != "mano":
            return torch.from_numpy(self.model.joint_regressor(joint_set))
        return torch.nn.functional.one_hot(torch.tensor(self.model.layer_tips), self.model.vertex_num).float()

    @property
    def _root_set(self) -> JointSet:
        """Joint set whose root the mesh is relative to: human36's pelvis, unless targets are smpl or mano joints."""
        return self.target_set if self.target_set.name in ("smpl", "mano") else get_joint_set("human36")

    def joints(self, joint_set: JointSet, vertices, posed):
        """``posed_joints`` with this transform's regressors."""
        return posed_joints(joint_set, vertices, posed, self.regressors[joint_set.name])

    def __call__(self, rows: dict[str, torch.Tensor], generator: torch.Generator, train: bool):
        """One batch.

        Args:
            rows: pose (B, 3K) axis-angle, betas (B, S), cam_R (B, 3, 3) world to camera, trans (B, 3) metres in the
                camera frame, focal (B, 2) and princpt (B, 2) pixels.
            generator: source of every random number.
            train: apply augmentation.

        Returns:
            PoseNet stage: ``(pose2d (B, J, 2), pose3d (B, J, 3) mm root-relative, valid (B, J, 1))``.
            Pose2Mesh stage: dicts ``inputs {pose2d}``, ``targets {mesh (B, V, 3) metres root-relative, lift_pose3d
            (B, J, 3) mm, reg_pose3d (B, Jt, 3) mm}``, ``meta {mesh_valid, lift_pose3d_valid, reg_pose3d_valid}``.
        """
        rows = {key: value.to(self.device, torch.float32) for key, value in rows.items()}
        pose = torch.cat([rotate_root(rows["cam_R"], rows["pose"][:, :3]), rows["pose"][:, 3:]], dim=1)
        vertices, posed = lbs(self.params, pose, rows["betas"])
        trans = rows["trans"][:, None]
        lifted = self.joints(self.input_set, vertices, posed)
        joint_img = project(lifted + trans, rows["focal"], rows["princpt"])
        aug = self.cfg.AUG if train else None
        flip, rotation = sample_augmentation(
            len(pose), bool(aug and aug.flip), aug.rotate_factor if aug else 0.0, generator
        )
        flip, rotation = flip.to(self.device), rotation.to(self.device)
        pose2d = self.input_2d(joint_img, flip, rotation, generator)
        lifted = lifted - lifted[:, self.input_set.root, None]
        lift = MM * rotate_flip_3d(lifted, rotation, self.input_set.flip_pairs, flip)
        if not self.with_mesh:
            return pose2d, lift, torch.ones_like(lift[..., :1])
        root_set = self._root_set
        root = self.joints(root_set, vertices, posed)[:, root_set.root, None]
        mesh = vertices - root
        target = self.joints(self.target_set, vertices, posed)
        reg = MM * (target - target[:, self.target_set.root, None])
        targets = {"mesh": mesh, "lift_pose3d": lift, "reg_pose3d": reg}
        meta = {
            "mesh_valid": torch.ones_like(mesh[..., :1]),
            "lift_pose3d_valid": torch.ones_like(lift[..., :1]),
            "reg_pose3d_valid": torch.ones_like(reg[..., :1]),
        }
        return {"pose2d": pose2d}, targets, meta

    def input_2d(self, joint_img, flip, rotation, generator):
        """Crop, disturb, mirror and standardise projected joints.

        Args:
            joint_img: (B, J, 2) image pixels.
            flip: (B,) bool; rotation: (B,) degrees.

        Returns:
            (B, J, 2), zero mean and unit spread per axis.
        """
        width, height = self.crop_size
        tight = tight_boxes(joint_img)
        boxes, _ = process_boxes(tight, aspect_ratio=width / height)
        matrices = crop_matrices(boxes, rotation, self.crop_size)
        joints = apply_affine(joint_img, matrices)
        if self.sources.noise:
            noisy = self.disturb(joints, crop_areas(tight, matrices), generator)
            clean = torch.rand(len(joints), generator=generator).to(joints.device) < self.sources.clean_share
            joints = torch.where(clean[:, None, None], joints, noisy)
        joints = flip_2d(joints, width, self.input_set.flip_pairs, flip)
        return standardise(joints / joints.new_tensor(self.crop_size))

    def disturb(self, joints, area, generator):
        """Detector-like errors on cropped joints (B, J, 2), in crop pixels."""
        width, height = self.crop_size
        errors = self.sources.noise == "errors"
        if errors and self.input_set.name == "human36":
            return joints + human36_noise(len(joints), generator, self.crop_size).to(joints)
        count = self.input_set.keypoint_num
        keypoints = joints[:, :count]
        if errors and self.input_set.name == "coco":
            keypoints = synthesize_poses(keypoints, area, generator)
        else:
            noise = torch.randn(keypoints.shape, generator=generator).to(joints)
            keypoints = keypoints + noise * joints.new_tensor([width, height]) * (JITTER_STD / JITTER_FRAME)
        if self.sources.derive_noisy:
            return self.input_set.add_derived(keypoints)
        return torch.cat([keypoints, joints[:, count:]], dim=1)
