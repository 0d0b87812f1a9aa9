"""2D detection errors for training: COCO-style error synthesis and Gaussian Human3.6M errors."""

import functools
import math
from typing import NamedTuple

import numpy as np
import torch

from lib.datasets.noise_stats import (
    COCO_ERRORS,
    HUMAN36_ERRORS,
    HUMAN36_FRAME,
    OKS_LEVELS,
    VISIBLE_LIMITS,
)
from lib.geometry.boxes import CROP_HEIGHT, CROP_WIDTH
from lib.geometry.constants import constant
from lib.geometry.single import to_tensor
from lib.joints.tables import COCO, HUMAN36

# A proposal is accepted with probability 1/2 or more (see `_place`), so at most 1 joint in 65,536 finds none.
PROPOSALS = 16
# Share of misses around the joint itself; the others lie around its left/right partner. The synthesis pools all
# accepted proposals around the joint with a quarter as many around the partner, and both are accepted equally often.
MISS_AT_JOINT = 0.8
JITTER, MISS, INVERSION, GOOD = range(4)


class _Tables(NamedTuple):
    """`COCO_ERRORS` as tensors, for one group of joints that is processed together."""

    joints: torch.Tensor  # (P,) indices
    partners: torch.Tensor  # (P,) index of the joint of the other side, the joint itself when there is none
    paired: torch.Tensor  # (P,) bool
    rates: torch.Tensor  # (3, P, 4) probability of each error type by class of visible joints
    near: torch.Tensor  # (4, P) smallest distance by error type, relative to the square root of the area
    far: torch.Tensor  # (4, P) largest distance
    half: torch.Tensor  # (P,) distance at which OKS is 0.5


def synthesize_poses(
    joints: torch.Tensor,
    area: torch.Tensor,
    generator: torch.Generator | None = None,
    visible: torch.Tensor | None = None,
) -> torch.Tensor:
    """Replace COCO keypoints by what a 2D pose detector might have returned (paper section on input errors).

    Each joint independently becomes good, jittered, missed or inverted (left for right). Right joints see the already
    erroneous left ones as their partners, as in the original, which makes the two sides slightly different.

    Args:
        joints: (B, 17, 2) true locations, crop pixels.
        area: (B,) area of the person in the crop, square pixels (`lib.geometry.crops.crop_areas`).
        generator: source of randomness, on any device; the result depends on nothing else.
        visible: (B, 17) bool: an invisible joint is no candidate for an inversion, and few visible joints raise the
            error rates. None = all visible. Invisible joints get erroneous locations too.

    Returns:
        (B, 17, 2) erroneous locations, crop pixels.

    Raises:
        ValueError: wrong shape, or an area that is negative or not finite.
    """
    if joints.shape[1:] != (COCO.keypoint_num, 2):
        raise ValueError(
            f"error synthesis takes (B, {COCO.keypoint_num}, 2) COCO keypoints, got {tuple(joints.shape)}; "
            "leave out derived joints (pelvis, neck) and scores"
        )
    if not (torch.isfinite(area) & (area >= 0)).all():
        raise ValueError("error synthesis needs finite areas >= 0 (square pixels of the crop)")
    if visible is None:
        visible = torch.ones(joints.shape[:-1], dtype=torch.bool, device=joints.device)
    count = visible.sum(dim=-1)
    few = (count[:, None] > constant(VISIBLE_LIMITS, count)).sum(dim=-1)
    scale = area.to(joints).sqrt()[:, None]
    noisy = joints.clone()
    for tables in _coco_tables(joints.dtype, joints.device):
        noisy[:, tables.joints] = _place(
            joints[:, tables.joints],
            noisy[:, tables.partners],
            visible[:, tables.partners] & tables.paired,
            tables.rates[few],
            tables,
            scale,
            generator,
        )
    return noisy


def _place(joint, partner, has_partner, rates, tables: _Tables, scale, generator) -> torch.Tensor:
    """Draw an error type per joint and a location of that type.

    A location is drawn around a centre (the joint or its partner) with uniform angle and uniform radius. With
    ``gap`` between the two and ``angle`` measured from the direction to the other one, the rules of the synthesis
    (good, jitter, inversion: nearer to the centre; miss: not within OKS 0.5 of the other one) all read
    ``2 * radius * gap * cos(angle) < limit`` with ``limit >= gap ** 2``. The half of the plane that faces away is
    always allowed: each proposal is accepted with probability 1/2 at least, and every error type is possible as long
    as the two do not coincide. When they do, only a miss satisfies the rules.

    Args:
        joint, partner: (B, P, 2). has_partner: (B, P) bool. rates: (B, P, 4). scale: (B, 1) root of the area.

    Returns:
        (B, P, 2).
    """
    device = joint.device if generator is None else generator.device
    shape = (2 + 2 * PROPOSALS, *joint.shape[:2])
    draws = torch.rand(shape, generator=generator, device=device, dtype=joint.dtype).to(joint.device)

    offset = partner - joint
    gap = torch.linalg.vector_norm(offset, dim=-1)
    apart = ~has_partner | (gap > 0)
    possible = torch.stack([apart, torch.ones_like(apart), apart & has_partner, apart], dim=-1)
    cumulative = (rates * possible).cumsum(dim=-1)
    kind = (draws[0, ..., None] * cumulative[..., -1:] >= cumulative[..., :-1]).sum(dim=-1)
    missed = kind == MISS
    at_partner = (kind == INVERSION) | (missed & has_partner & (draws[1] >= MISS_AT_JOINT))

    column = torch.arange(joint.shape[1], device=joint.device)
    near, far = tables.near[kind, column] * scale, tables.far[kind, column] * scale
    radius = near + (far - near) * draws[2 : 2 + PROPOSALS]
    angle = 2 * math.pi * draws[2 + PROPOSALS :]
    # radius >= half for a miss, so the limit never falls below gap ** 2 (up to rounding, hence the clamp)
    excess = (radius.square() - (tables.half * scale).square()).clamp(min=0) * missed
    accepted = (2 * radius * gap * torch.cos(angle) < gap.square() + excess) | ~has_partner
    first = accepted.to(torch.uint8).argmax(dim=0, keepdim=True)
    radius, angle = radius.gather(0, first)[0], angle.gather(0, first)[0]
    # joints without an accepted proposal: the mirror image of a refused one lies in the allowed half of the plane
    angle = torch.where(accepted.any(dim=0), angle, math.pi - angle)

    axis = torch.where(gap[..., None] > 0, offset / gap[..., None], constant((1.0, 0.0), offset))
    axis = torch.where(at_partner[..., None], -axis, axis)
    across = torch.stack([-axis[..., 1], axis[..., 0]], dim=-1)
    shift = torch.cos(angle)[..., None] * axis + torch.sin(angle)[..., None] * across
    return torch.where(at_partner[..., None], partner, joint) + radius[..., None] * shift


@functools.lru_cache
def _coco_tables(dtype: torch.dtype, device: torch.device) -> tuple[_Tables, _Tables]:
    """Tables of the two passes: nose and left joints, then right joints, whose partners are noisy by then."""
    keypoints = COCO.joints[: COCO.keypoint_num]
    partner = dict(COCO.flip_pairs) | {right: left for left, right in COCO.flip_pairs}
    rights = [right for _, right in COCO.flip_pairs]
    others = [i for i in range(len(keypoints)) if i not in rights]
    first, second = ([(i, keypoints[i], partner.get(i)) for i in group] for group in (others, rights))
    return _group_tables(first, dtype, device), _group_tables(second, dtype, device)


def _group_tables(group, dtype: torch.dtype, device: torch.device) -> _Tables:
    def tensor(values, dtype=dtype):
        return torch.tensor(values, dtype=dtype, device=device)

    errors = [COCO_ERRORS[name.removeprefix("L_").removeprefix("R_")] for _, name, _ in group]
    rates = [
        [[e.jitter[k], e.miss[k], e.inversion, 1 - e.jitter[k] - e.miss[k] - e.inversion] for e in errors]
        for k in range(len(VISIBLE_LIMITS) + 1)
    ]
    sigma = tensor([e.sigma for e in errors])
    d85, d50, d10 = (2 * math.sqrt(-2 * math.log(level)) * sigma for level in OKS_LEVELS)
    zero = torch.zeros_like(sigma)
    near, far = (
        {JITTER: d85, MISS: d50, INVERSION: zero, GOOD: zero},
        {JITTER: d50, MISS: d10, INVERSION: d50, GOOD: d85},
    )
    return _Tables(
        joints=tensor([i for i, _, _ in group], torch.long),
        partners=tensor([i if other is None else other for i, _, other in group], torch.long),
        paired=tensor([other is not None for _, _, other in group], torch.bool),
        rates=tensor(rates),
        near=torch.stack([near[kind] for kind in range(4)]),
        far=torch.stack([far[kind] for kind in range(4)]),
        half=d50,
    )


def synthesize_pose(joints: np.ndarray, area: float, generator: torch.Generator | None = None) -> np.ndarray:
    """`synthesize_poses` for one pose.

    Args:
        joints: (17, 3) COCO keypoints, crop pixels; a third column > 0 marks a visible joint.
        area: area of the person in the crop, square pixels.
        generator: CPU source of randomness.

    Returns:
        (17, 3) float64, erroneous locations with third column 1.
    """
    pose = to_tensor(joints, torch.float64)[None]
    areas = torch.tensor([area], dtype=torch.float64)
    noisy = synthesize_poses(pose[..., :2], areas, generator, visible=pose[..., 2] > 0)
    return torch.cat([noisy, torch.ones_like(noisy[..., :1])], dim=-1)[0].numpy()


def human36_noise(
    n: int, generator: torch.Generator | None = None, out_size: tuple[int, int] = (CROP_WIDTH, CROP_HEIGHT)
) -> torch.Tensor:
    """Gaussian detection errors of the 17 Human3.6M joints.

    Args:
        n: number of poses.
        generator: source of randomness, also fixes the device.
        out_size: width and height of the crop, pixels.

    Returns:
        (n, 17, 2) float32 offsets to add to joint locations, crop pixels. A joint is hit in both axes or in none.
    """
    device = None if generator is None else generator.device
    errors = [HUMAN36_ERRORS[name] for name in HUMAN36.joints]
    normal = torch.randn(n, len(errors), 2, generator=generator, device=device)
    mean, std = constant([e.mean for e in errors], normal), constant([e.std for e in errors], normal)
    normal = normal * std + mean
    probability = constant([e.probability for e in errors], normal)
    hit = torch.rand(n, len(errors), generator=generator, device=device) < probability
    return normal * hit[..., None] * (constant(out_size, normal) / HUMAN36_FRAME)
