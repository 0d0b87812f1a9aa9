"""From joints in the image to the network's 2D input: crop, detector-like errors, mirroring, normalisation."""

from dataclasses import dataclass

import torch

from lib.datasets.noise import human36_noise, synthesize_poses
from lib.geometry.boxes import process_boxes, tight_boxes
from lib.geometry.constants import constant
from lib.geometry.crops import (
    apply_affine,
    crop_areas,
    crop_matrices,
    flip_2d,
    standardise,
)
from lib.joints.joint_set import JointSet

# Gaussian detector jitter of every joint: the root mean square of the standard deviations in the Human3.6M
# detection-error table (lib/datasets/noise_stats.py), in pixels of a 256 x 256 crop.
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
        jitter_share: share of samples that get jitter whatever ``noise`` is.
        detections: take detected joints instead of projected ones.
        loose_box, flip_first: ``loose_noise_box`` and ``flip_in_crop`` of ``lib.datasets.protocol.Protocol``.
    """

    noise: str
    derive_noisy: bool = False
    clean_share: float = 0.0
    jitter_share: float = 0.0
    detections: bool = False
    loose_box: bool = False
    flip_first: bool = False


class Input2D:
    """Makes 2D inputs of one joint set.

    Args:
        joint_set: of the poses.
        crop_size: width and height of the virtual crop, pixels.
        sources: see there.
        input_scale: see ``lib.geometry.crops.standardise``.
    """

    def __init__(self, joint_set: JointSet, crop_size: tuple[int, int], sources: Sources2D, input_scale: str = "axis"):
        self.joint_set, self.crop_size, self.sources = joint_set, crop_size, sources
        self.input_scale = input_scale

    def __call__(self, joint_img, flip, rotation, generator) -> torch.Tensor:
        """Crop, disturb, mirror and standardise joints; see ``in_crop`` and ``normalised``.

        Returns:
            (B, J, 2), zero mean and unit spread, see ``lib.geometry.crops.standardise``.
        """
        return self.normalised(self.in_crop(joint_img, flip, rotation, generator)[0])

    def in_crop(self, joint_img, flip, rotation, generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Crop, disturb and mirror joints.

        The crop follows the joints themselves. Where the original crops detected joints with the box of the true ones
        the result is the same, because a common shift and scale cancels in the normalisation.

        Args:
            joint_img: (B, J, 2) image pixels.
            flip: (B,) bool; rotation: (B,) degrees.
            generator: source of the errors.

        Returns:
            (B, J, 2) pixels of the crop; and the crop's matrices (B, 2, 3).
        """
        width, height = self.crop_size
        tight = tight_boxes(joint_img)
        boxes, _ = process_boxes(tight, aspect_ratio=width / height)
        matrices = crop_matrices(boxes, rotation, self.crop_size)
        joints = apply_affine(joint_img, matrices)
        if self.sources.flip_first:
            joints = self._mirror(joints, flip)
        if self.sources.noise:
            area = crop_areas(boxes if self.sources.loose_box else tight, matrices)
            noisy = self._disturb(joints, area, generator)
            draw = torch.rand(len(joints), generator=generator, device=generator.device).to(joints)[:, None, None]
            if self.sources.jitter_share:
                jittered = draw < self.sources.clean_share + self.sources.jitter_share
                noisy = torch.where(jittered, self._jitter(joints, generator), noisy)
            joints = torch.where(draw < self.sources.clean_share, joints, noisy)
        if not self.sources.flip_first:
            joints = self._mirror(joints, flip)
        return joints, matrices

    def normalised(self, joints: torch.Tensor) -> torch.Tensor:
        """(B, J, 2) of joints in the crop, zero mean and unit spread: the network's input."""
        # the published division by the size of the crop cancels with one scale per axis, and distorts with a common one
        if self.input_scale == "axis":
            joints = joints / constant(self.crop_size, joints)
        return standardise(joints, self.input_scale)

    def _mirror(self, joints, flip):
        return flip_2d(joints, self.crop_size[0], self.joint_set.flip_pairs, flip)

    def _disturb(self, joints, area, generator):
        """Detector-like errors on cropped joints (B, J, 2), in crop pixels."""
        errors = self.sources.noise == "errors"
        if errors and self.joint_set.name == "human36":
            return joints + human36_noise(len(joints), generator, self.crop_size).to(joints)
        if errors and self.joint_set.name == "coco":
            return self._derived(synthesize_poses(joints[:, : self.joint_set.keypoint_num], area, generator), joints)
        return self._jitter(joints, generator)

    def _jitter(self, joints, generator):
        """Gaussian errors on cropped joints (B, J, 2), in crop pixels."""
        keypoints = joints[:, : self.joint_set.keypoint_num]
        noise = torch.randn(keypoints.shape, generator=generator, device=generator.device).to(joints)
        std = constant(self.crop_size, joints) * (JITTER_STD / JITTER_FRAME)
        return self._derived(keypoints + noise * std, joints)

    def _derived(self, keypoints, joints):
        """Disturbed keypoints (B, n, 2) with the derived joints: from them, or as they were in ``joints`` (B, J, 2)."""
        if self.sources.derive_noisy:
            return self.joint_set.add_derived(keypoints)
        return torch.cat([keypoints, joints[:, self.joint_set.keypoint_num :]], dim=1)
