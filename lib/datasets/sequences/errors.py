"""2D errors of sequences, correlated in time as a detector makes them.

The size of errors is that of single frames (``lib.datasets.noise``, ``lib.datasets.input2d``). What is added is how
they follow each other: jitter that drifts, misses that stay for some frames, left and right swapped for a while, joints
and whole people that are not seen.
"""

import torch
from torch import Tensor

from lib.datasets.input2d import JITTER_FRAME, JITTER_STD
from lib.datasets.noise import synthesize_poses
from lib.datasets.sequences.gaps import hide
from lib.geometry.boxes import process_boxes, tight_boxes
from lib.geometry.constants import constant
from lib.geometry.crops import BadSamples, apply_affine, crop_areas, crop_matrices, inverse_affine
from lib.geometry.gaps import fill_gaps
from lib.joints.joint_set import JointSet
from lib.joints.tables import COCO

DRIFTING = 0.5  # share of sequences whose jitter is correlated from frame to frame ...
DRIFT = (0.3, 0.95)  # ... by so much
USUAL_LEVEL = 0.6  # share of sequences with jitter of the usual size, of the others it is within
LEVELS = (0.3, 1.6)
# How often a joint's gross error is drawn anew, per frame, and in which share of sequences: in each frame, or it stays
RENEWAL = ((1.0, 0.45), (0.4, 0.2), (0.15, 0.2), (0.05, 0.15))
SWAPPED = 0.3  # share of sequences with arms, legs or both swapped for ...
SWAP_LENGTH = (2, 24)  # ... so many frames
LEGS = ("hip", "knee", "ankle", "heel", "toe", "foot")
HEAD = ("eye", "ear", "nose", "head")
HIDDEN_SHARE = 0.3  # training windows in which joints or frames are not seen


class SequenceErrors:
    """Disturbs the 2D joints of sequences.

    Args:
        joint_set: of the poses; ``errors`` of other sets than coco are jitter, as of single frames.
        crop_size: width and height of the virtual crop that errors are measured in, pixels.
        noise: ``errors``, ``jitter`` or empty, see ``lib.datasets.input2d.Sources2D``.
        clean_share, jitter_share: sequences without errors, and with jitter alone, whatever ``noise`` is.
        hidden_share: sequences in which joints or frames are not seen.
    """

    def __init__(
        self, joint_set: JointSet, crop_size: tuple[int, int], noise: str, clean_share: float = 0.0,
        jitter_share: float = 0.0, hidden_share: float = 0.0,
    ):  # fmt: skip
        self.joint_set, self.crop_size, self.noise = joint_set, crop_size, noise
        self.clean_share, self.jitter_share, self.hidden_share = clean_share, jitter_share, hidden_share

    def __call__(self, joint_img: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Disturb joints.

        Args:
            joint_img: (B, T, J, 2) image pixels.
            generator: of the errors, of the CPU.

        Returns:
            (B, T, J, 2) pixels, derived joints made of the disturbed ones, and (B, T, J) bool, which were seen; those
            that were not are filled in.
        """
        keypoints = joint_img[:, :, : self.joint_set.keypoint_num]
        if self.noise:
            keypoints = self._disturbed(joint_img, keypoints, generator)
        seen = keypoints.new_ones(keypoints.shape[:3], dtype=torch.bool)
        if self.hidden_share:
            keypoints, seen = hide(keypoints, self.hidden_share, generator)
        return self._derived(keypoints, seen)

    def detected(self, detections: Tensor) -> tuple[Tensor, Tensor]:
        """Detected joints, filled in where they were not found.

        Args:
            detections: (B, T, J, 2) image pixels, NaN where a joint was not found.

        Returns:
            As of a call. A joint that no frame has is in the middle of the others.

        Raises:
            BadSamples: no joint in any frame.
        """
        keypoints = detections[:, :, : self.joint_set.keypoint_num]
        seen = torch.isfinite(keypoints).all(dim=3)
        ever = seen.any(dim=1, keepdim=True)
        if not ever.any(dim=2).all():
            raise BadSamples("no joint was detected in any frame", ~ever.any(dim=2).expand(seen.shape[:2]).flatten())
        keypoints = fill_gaps(torch.where(seen[..., None], keypoints, 0.0), seen)
        weight = (ever.to(keypoints) / ever.sum(dim=2, keepdim=True))[..., None]
        middle = (keypoints * weight).sum(dim=2, keepdim=True)
        return self._derived(torch.where(ever[..., None], keypoints, middle), seen)

    def _derived(self, keypoints: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Keypoints (B, T, n, 2) and which were seen, with the derived joints: seen where all that they are made of."""
        count, frames = keypoints.shape[:2]
        pose2d = self.joint_set.add_derived(keypoints.flatten(0, 1)).unflatten(0, (count, frames))
        told = self.joint_set.add_derived(seen.flatten(0, 1).to(pose2d)[..., None].expand(-1, -1, 2))[..., 0]
        return pose2d, (told > 0.999).unflatten(0, (count, frames))

    def _disturbed(self, joint_img: Tensor, keypoints: Tensor, generator: torch.Generator) -> Tensor:
        """Keypoints (B, T, n, 2) with errors."""
        count, frames = joint_img.shape[:2]
        flat = joint_img.flatten(0, 1)
        tight = tight_boxes(flat)
        boxes, _ = process_boxes(tight, aspect_ratio=self.crop_size[0] / self.crop_size[1])
        matrices = crop_matrices(boxes, None, self.crop_size)
        cropped = apply_affine(keypoints.flatten(0, 1), matrices)
        gross = self.noise == "errors" and self.joint_set.name == COCO.name
        jitter = self._jitter(keypoints, generator)
        disturbed = jitter
        if gross:
            area = crop_areas(tight, matrices)
            size = area.sqrt()[:, None, None]
            errors = ((synthesize_poses(cropped, area, generator) - cropped) / size).view(keypoints.shape)
            held = self._held(errors, generator) * size.view(count, frames, 1, 1)
            disturbed = self._swapped(cropped.view(keypoints.shape) + held, generator)
            disturbed = disturbed - cropped.view(keypoints.shape)
        draw = torch.rand(count, generator=generator).to(keypoints)[:, None, None, None]
        errors = torch.where(draw < self.clean_share + self.jitter_share, jitter, disturbed)
        errors = torch.where(draw < self.clean_share, torch.zeros_like(errors), errors)
        found = apply_affine(cropped + errors.flatten(0, 1), inverse_affine(matrices))
        return torch.where(draw < self.clean_share, keypoints, found.view(keypoints.shape))

    def _jitter(self, keypoints: Tensor, generator: torch.Generator) -> Tensor:
        """Gaussian errors (B, T, n, 2), crop pixels, a first-order autoregression in time."""
        count, frames = keypoints.shape[:2]
        drawn = torch.randn(keypoints.shape, generator=generator)
        drift = _uniform(count, DRIFT, generator)
        drift = torch.where(torch.rand(count, generator=generator) < DRIFTING, drift, 0.0)[:, None, None]
        errors = [drawn[:, 0]]
        for frame in range(1, frames):
            errors.append(drift * errors[-1] + (1 - drift.square()).sqrt() * drawn[:, frame])
        usual = torch.rand(count, generator=generator) < USUAL_LEVEL
        level = torch.where(usual, 1.0, _uniform(count, LEVELS, generator))[:, None, None, None]
        std = constant(self.crop_size, keypoints) * (JITTER_STD / JITTER_FRAME)
        return torch.stack(errors, dim=1).to(keypoints) * level.to(keypoints) * std

    def _held(self, errors: Tensor, generator: torch.Generator) -> Tensor:
        """Errors (B, T, n, 2) of which some stay from frame to frame."""
        count, frames, joints = errors.shape[:3]
        rates, shares = torch.tensor(RENEWAL).unbind(1)
        rate = rates[torch.multinomial(shares, count, replacement=True, generator=generator)][:, None, None]
        anew = torch.rand(count, frames, joints, generator=generator) < rate
        anew[:, 0] = True
        source = torch.where(anew, torch.arange(frames)[None, :, None], 0).cummax(dim=1).values
        return errors.gather(1, source[..., None].to(errors.device).expand_as(errors))

    def _swapped(self, keypoints: Tensor, generator: torch.Generator) -> Tensor:
        """Keypoints (B, T, n, 2) of which arms, legs or both are those of the other side for some frames."""
        count, frames, joints = keypoints.shape[:3]
        begin = torch.randint(frames, (count,), generator=generator)[:, None]
        length = torch.randint(SWAP_LENGTH[0], SWAP_LENGTH[1] + 1, (count,), generator=generator)[:, None]
        kind = torch.randint(3, (count,), generator=generator)
        chosen = torch.rand(count, generator=generator) < SWAPPED
        time = torch.arange(frames)
        when = chosen[:, None] & (time >= begin) & (time < begin + length)
        limbs = torch.zeros(3, joints, dtype=torch.bool)  # arms, legs, both
        order = torch.arange(joints)
        for left, right in self.joint_set.flip_pairs:
            name = self.joint_set.joints[left].lower()
            if right < joints and not any(part in name for part in HEAD):
                limbs[int(any(part in name for part in LEGS)), [left, right]] = True
                order[left], order[right] = right, left
        limbs[2] = limbs[0] | limbs[1]
        use = when[:, :, None] & limbs[kind][:, None]
        return torch.where(use[..., None].to(keypoints.device), keypoints[:, :, order], keypoints)


def _uniform(count: int, limits: tuple[float, float], generator: torch.Generator) -> Tensor:
    return limits[0] + (limits[1] - limits[0]) * torch.rand(count, generator=generator)
