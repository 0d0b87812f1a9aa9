"""From rows of sequences to a batch of them."""

import torch

from lib.datasets.batch import Batch
from lib.datasets.protocol import Protocol
from lib.datasets.sequences.augment import augmented
from lib.datasets.sequences.errors import SequenceErrors
from lib.datasets.transform import BodyTransform, Sources2D, relative
from lib.geometry.crops import BadSamples, sample_augmentation
from lib.mesh.mesh_model import MeshModel
from lib.settings.config import Config
from lib.settings.setting import POSE2MESH, POSENET
from lib.units import MM_PER_M


class SequenceTransform:
    """Rows of B sequences of T frames -> one batch.

    Args:
        cfg: settings. model: mesh model that poses the rows.
        errors: what disturbs the 2D joints.
        device: where the batch is computed.
        protocol: the data set's own rules.
        with_mesh: whether batches have meshes.
    """

    def __init__(
        self, cfg: Config, model: MeshModel, errors: SequenceErrors, device="cpu", protocol: Protocol | None = None,
        with_mesh: bool = False,
    ):  # fmt: skip
        cfg = cfg.changed(MODEL={"name": POSE2MESH if with_mesh else POSENET})
        self.frames = BodyTransform(cfg, model, Sources2D(noise=""), device, protocol)
        self.errors, self.device = errors, self.frames.device

    def __call__(self, rows: dict[str, torch.Tensor], generator: torch.Generator, train: bool = False) -> Batch:
        """One batch, augmented when ``train`` as settings and protocol want it; detections are not.

        Args:
            rows: as ``BodyTransform.assemble``, each with axes (B, T) in front; with ``detections`` (B, T, J, 2)
                pixels, NaN where a joint was not found, these are the 2D joints.
            generator: of augmentation and 2D errors.

        Returns:
            a `Batch` with axes (B, T) in front. Its inputs are ``pose2d`` (B, T, J, 2) pixels of the image, ``seen``
            (B, T, J), ``focal`` and ``princpt`` (B, T, 2); among its targets is ``root`` (B, T, 3), the root joint in
            the camera frame, metres.

        Raises:
            BadSamples: joints that are not finite or behind the camera, or no detected joint in any frame.
        """
        count, length = rows["pose"].shape[:2]
        own, aug = self.frames, self.frames.cfg.AUG
        if generator.device.type != "cpu":  # of the same draws, without waiting for a GPU
            generator = torch.Generator().manual_seed(generator.initial_seed())
        if train and own.protocol.augment and "detections" not in rows:
            rows = augmented(rows, *sample_augmentation(count, aug.flip, aug.rotate_factor, generator))
        posed = own.posed({key: value.flatten(0, 1) for key, value in rows.items()})
        joints = posed.targets(own.input_set.name)
        bad = ~(torch.isfinite(joints).flatten(1).all(dim=1) & (joints[..., 2] > 0).all(dim=1))
        if bad.any():
            raise BadSamples("joints that are not finite, or behind the camera", bad)
        if "detections" in rows:
            pose2d, seen = self.errors.detected(posed.rows["detections"].unflatten(0, (count, length)))
        else:
            pose2d, seen = self.errors(posed.image(own.input_set.name).unflatten(0, (count, length)), generator)
        targets = {
            "lift_pose3d": MM_PER_M * relative(joints, own.input_set.root),
            "root": joints[:, own.input_set.root],
        }
        if own.with_mesh:
            root = posed.targets(own.root_set.name)[:, own.root_set.root]
            target = posed.targets(own.target_set.name)
            targets["mesh"] = posed.vertices_from(root)
            targets["reg_pose3d"] = MM_PER_M * relative(target, own.target_set.root)
        inputs = {"pose2d": pose2d, "seen": seen.to(pose2d)}
        inputs |= {key: posed.rows[key].unflatten(0, (count, length)) for key in ("focal", "princpt")}
        meta = own.masks(posed, targets)
        targets, meta = (
            {key: value.unflatten(0, (count, length)) for key, value in part.items()} for part in (targets, meta)
        )
        return Batch(inputs, targets, meta)
