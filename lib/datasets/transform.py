"""From rows of body parameters to network inputs and targets, a whole batch at once on any device.

body layer -> mesh -> regressed joints -> camera -> 2D errors -> crop -> normalisation. Every data set goes through this
module; none of them repeats a step of it.
"""

import torch

from lib.datasets.batch import Batch
from lib.datasets.input2d import Input2D, Sources2D
from lib.datasets.posed import Posed, PosedBodies
from lib.datasets.protocol import Protocol
from lib.geometry.crops import BadSamples, apply_affine, inverse_affine, rotate_flip_3d, sample_augmentation
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.joints.tables import COCO, HUMAN36
from lib.mesh.mesh_model import MeshModel
from lib.settings.config import Config
from lib.settings.setting import REFINED
from lib.units import MM_PER_M


class BodyTransform:
    """Rows of body parameters -> one training or test batch.

    Args:
        cfg: settings (joint sets, crop, augmentation, stage).
        model: mesh model that poses the rows.
        sources: how 2D inputs are made.
        device: where the batch is computed.
        protocol: the data set's own rules.
    """

    def __init__(
        self, cfg: Config, model: MeshModel, sources: Sources2D, device="cpu", protocol: Protocol | None = None
    ):
        self.cfg, self.model = cfg, model
        self.device = torch.device(device)
        self.protocol = protocol or Protocol()
        self.sources = sources
        self.with_mesh = cfg.MODEL.with_mesh
        self.input_set = get_joint_set(cfg.DATASET.input_joint_set)
        self.target_set = get_joint_set(self.protocol.target_set or cfg.DATASET.target_joint_set)
        for joint_set in (self.input_set, self.target_set):
            if joint_set.body != model.kind:
                raise ValueError(
                    f"joint set {joint_set.name!r} is a {joint_set.body} set, the mesh model is {model.name}"
                )
        # the mesh is relative to the root of the target joints; with coco targets to human36's pelvis, as published
        self.root_set = HUMAN36 if self.target_set.name == COCO.name else self.target_set
        check = self.protocol.fit_check
        masks = check.masks.get(self.input_set.name, ()) if check and (self.with_mesh or check.without_mesh) else ()
        self.masked = [target for target in masks if self.with_mesh or target == "lift_pose3d"]
        self.check = check if self.masked else None
        # PoseNet needs joints only: then just the vertices that regressors read are posed
        self.bodies = PosedBodies(model, self._needed_sets(), whole_mesh=self.with_mesh, device=self.device)
        crop_size = cfg.MODEL.input_shape[1], cfg.MODEL.input_shape[0]
        self.input_2d = Input2D(self.input_set, crop_size, sources, cfg.DATASET.input_scale)

    def _needed_sets(self) -> list[JointSet]:
        needed = [self.input_set, *((self.target_set, self.root_set) if self.with_mesh else ())]
        needed = [joint_set for joint_set in needed if joint_set.name != self.protocol.annotated_set]
        return needed + [get_joint_set(name) for name in (self.check.joint_sets if self.check else ())]

    def __call__(self, rows: dict[str, torch.Tensor], generator: torch.Generator, train: bool) -> Batch:
        """One batch, augmented when ``train``; see ``assemble``."""
        aug = self.cfg.AUG if train and self.protocol.augment else None
        flip, rotation = sample_augmentation(
            len(rows["pose"]), bool(aug and aug.flip), aug.rotate_factor if aug else 0.0, generator
        )
        return self.assemble(rows, flip, rotation, generator)

    def posed(self, rows: dict[str, torch.Tensor]) -> Posed:
        """The bodies of some rows."""
        rows = {
            key: value.to(self.device, torch.float32 if value.is_floating_point() else None, non_blocking=True)
            for key, value in rows.items()
        }
        return Posed(self.bodies, rows, self.input_set.name, self.protocol.annotated_set)

    def masks(self, posed: Posed, targets: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Which targets (B, N, 3) supervise, as in ``lib.datasets.batch.Batch.meta``."""
        meta = {f"{name}_valid": torch.ones_like(target[..., :1]) for name, target in targets.items()}
        if self.check is not None:
            kept = self.check.error(posed) <= self.check.threshold
            for name in self.masked:
                meta[f"{name}_valid"] *= kept[:, None, None]
        return meta

    def assemble(self, rows: dict[str, torch.Tensor], flip, rotation, generator: torch.Generator) -> Batch:
        """One batch with given augmentation.

        Args:
            rows: pose (B, 3K) axis-angle, betas (B, S), trans (B, 3) metres; optionally cam_R (B, 3, 3) that turns the
                root into the camera frame, cam_t (B, 3) metres when trans is in the world frame too, gender (B,)
                indices into the mesh model's ``GENDERS``; focal and princpt (B, 2) pixels or weak (B, 4) scales
                (pixels per metre) and shifts (pixels); what the protocol reads: joint_cam (B, J, 3) mm, camera frame,
                keypoints (B, 17, 3), detections (B, J, 2) pixels.
            flip: (B,) bool. rotation: (B,) degrees.
            generator: source of the 2D errors.

        Raises:
            BadSamples: 2D poses or 3D joints that cannot be used.
        """
        posed = self.posed(rows)
        flip, rotation = (values.to(self.device, non_blocking=True) for values in (flip, rotation))
        joint_img = posed.rows["detections"] if self.sources.detections else posed.image(self.input_set.name)
        in_crop, matrices = self.input_2d.in_crop(joint_img, flip, rotation, generator)
        pose2d = self.input_2d.normalised(in_crop)
        lifted = MM_PER_M * relative(posed.targets(self.input_set.name), self.input_set.root)
        lift = rotate_flip_3d(lifted, rotation, self.input_set.flip_pairs, flip)
        finite = torch.isfinite(lift).flatten(1).all(dim=1)
        if not finite.all():
            raise BadSamples("body parameters that give joints without finite coordinates", ~finite)
        targets = {"lift_pose3d": lift}
        if self.with_mesh:
            mesh = posed.vertices_from(posed.targets(self.root_set.name)[:, self.root_set.root])
            reg = MM_PER_M * relative(posed.targets(self.target_set.name), self.target_set.root)
            targets = {"mesh": mesh, "lift_pose3d": lift, "reg_pose3d": reg}
        meta = self.masks(posed, targets)
        if self.cfg.TEST.mesh == REFINED and self.with_mesh and "focal" in posed.rows:
            pixels = apply_affine(in_crop, inverse_affine(matrices))
            meta["rays"] = (pixels - posed.rows["princpt"][:, None]) / posed.rows["focal"][:, None]
        return Batch({"pose2d": pose2d}, targets, meta)


def relative(joints: torch.Tensor, root: int) -> torch.Tensor:
    """Joints (B, J, 3) relative to one of them."""
    return joints - joints[:, root, None]
