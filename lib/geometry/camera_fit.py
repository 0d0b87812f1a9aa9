"""Weak-perspective camera: projection of a predicted mesh into the virtual crop, and its fit to a 2D pose.

Camera parameters are ``(s, tx, ty)``: a point (x, y) in metres lands at ``((x, y) + t) * s * crop/2 + crop/2`` pixels
of a square crop (Pose2Mesh supplement, "Camera parameters"; the demo's crop is 500 px).
"""

import math

import torch

CROP_SIZE = 500  # pixels; side of the virtual crop that cameras are fitted in
# The scale stays positive: a fitted body is at least this fraction of the pose in size (else it would be mirrored).
MIN_SCALE_RATIO = 1e-3


def project(cam: torch.Tensor, joints: torch.Tensor, crop_size: float = CROP_SIZE) -> torch.Tensor:
    """Project joints into the crop.

    Args:
        cam: (B, 3) s, tx, ty.
        joints: (B, n, >=2) metres, x right and y down.
        crop_size: side of the crop, pixels.

    Returns:
        (B, n, 2) crop pixels.
    """
    half = crop_size / 2
    return (joints[..., :2] + cam[:, None, 1:3]) * cam[:, None, :1] * half + half


def fit_weak_perspective(
    joints: torch.Tensor, target: torch.Tensor, crop_size: float = CROP_SIZE
) -> tuple[torch.Tensor, torch.Tensor]:
    """The camera with the smallest mean absolute distance between projected joints and a 2D pose.

    The problem is linear in (s, s·tx, s·ty). For a given s the best shifts are medians, which leaves a convex,
    piecewise linear function of s alone; its corners are the scales at which two joints have equal residuals. A
    binary search over all corners, with subgradients, finds the exact optimum (no step size, no start value).

    Args:
        joints: (B, n, >=2) metres.
        target: (B, n, 2) crop pixels.
        crop_size: side of the crop, pixels.

    Returns:
        cam (B, 3): s > 0, tx, ty, in the dtype of ``joints``; residual (B,): mean absolute error per coordinate in
        crop pixels, as the original's final loss.

    Raises:
        ValueError: shapes differ, fewer than two joints, NaN or infinite values, all joints in one point.
    """
    if joints.ndim != 3 or target.shape != (*joints.shape[:2], 2) or joints.shape[2] < 2 or joints.shape[1] < 2:
        raise ValueError(
            f"camera fit takes joints (B, n, 3) and targets (B, n, 2) with n >= 2, "
            f"got {tuple(joints.shape)} and {tuple(target.shape)}"
        )
    with torch.no_grad():
        half = crop_size / 2
        # x and y are two rows of one problem: they share s, each has its own shift; float64 for an exact vertex
        source = joints[..., :2].double().transpose(1, 2)  # (B, 2, n)
        goal = ((target.double() - half) / half).transpose(1, 2)
        finite = torch.isfinite(source).all() & torch.isfinite(goal).all()
        source_spread = (source - source.mean(-1, keepdim=True)).abs().mean((1, 2))
        goal_spread = (goal - goal.mean(-1, keepdim=True)).abs().mean((1, 2))
        point = ((source_spread <= 1e-9) | (goal_spread <= 1e-9)).any()
        if point | ~finite:  # one look: the host waits for a GPU in each
            if not finite:
                raise ValueError("camera fit: joints or targets contain NaN or infinite values")
            raise ValueError("camera fit: all joints of a pose lie in one point")

        scale = _best_scale(source, goal, MIN_SCALE_RATIO * goal_spread / source_spread)
        residuals = goal - scale[:, None, None] * source
        shift = _median(residuals)
        error = (residuals - shift[..., None]).abs().mean((1, 2)) * half
        cam = torch.cat([scale[:, None], shift / scale[:, None]], dim=1)
    return cam.to(joints.dtype), error.to(joints.dtype)


def _median(values: torch.Tensor) -> torch.Tensor:
    """Median over the last axis; mean of the two middle values for an even count."""
    ordered = values.sort(dim=-1).values
    n = values.shape[-1]
    return 0.5 * (ordered[..., (n - 1) // 2] + ordered[..., n // 2])


def _best_scale(source: torch.Tensor, goal: torch.Tensor, lower: torch.Tensor) -> torch.Tensor:
    """argmin over s >= lower (B,) of ``sum |goal - s*source - median|`` for source, goal (B, 2, n)."""
    n = source.shape[-1]
    i, j = torch.triu_indices(n, n, offset=1, device=source.device)
    run = source[..., i] - source[..., j]
    corners = ((goal[..., i] - goal[..., j]) / run).flatten(1)
    lower = lower[:, None]
    corners = torch.where(torch.isfinite(corners), corners, lower)  # joints on one vertical have no corner
    corners = torch.cat([torch.maximum(corners, lower), lower], dim=1).sort(dim=1).values

    # sum |r - median(r)| = sum of the upper half - sum of the lower half, hence its subgradient by ranks
    sign = torch.ones(n, dtype=source.dtype, device=source.device)
    sign[: n // 2] = -1
    if n % 2:
        sign[n // 2] = 0

    def value_and_slope(s: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        residuals, order = (goal - s[..., None] * source).sort(dim=-1)
        return (residuals * sign).sum((1, 2)), -(source.gather(-1, order) * sign).sum((1, 2))

    low = torch.zeros(len(source), dtype=torch.long, device=source.device)
    high = torch.full_like(low, corners.shape[1] - 1)
    for _ in range(math.ceil(math.log2(corners.shape[1])) + 1):
        middle = (low + high) // 2
        _, slope = value_and_slope(corners.gather(1, middle[:, None]))
        low = torch.where(slope <= 0, middle, low)
        high = torch.where(slope >= 0, middle, high)
    ends = [corners.gather(1, index[:, None]) for index in (low, high)]
    values = [value_and_slope(end)[0] for end in ends]
    return torch.where(values[0] <= values[1], ends[0][:, 0], ends[1][:, 0])


def crop_to_image_camera(cam: torch.Tensor, box: torch.Tensor, image_size: tuple[int, int]) -> torch.Tensor:
    """Camera of the whole image from the camera of a square crop.

    Args:
        cam: (B, 3) s, tx, ty of the crop.
        box: (B, 4) the crop's x, y, width, height in image pixels.
        image_size: width and height of the image.

    Returns:
        (B, 4) sx, sy, tx, ty: a point (x, y) lands at ``((x + tx) * sx + 1) * W/2``, ``((y + ty) * sy + 1) * H/2``.
    """
    size = torch.as_tensor(image_size, dtype=cam.dtype, device=cam.device)
    centre = box[:, :2] + box[:, 2:] / 2
    scale = cam[:, :1] * box[:, 3:4] / size
    return torch.cat([scale, cam[:, 1:3] + (centre - size / 2) / (size / 2) / scale], dim=1)


def image_to_crop_camera(camera: torch.Tensor, box: torch.Tensor, image_size: tuple[int, int]) -> torch.Tensor:
    """The inverse of ``crop_to_image_camera``: cameras (B, 3) of the square crops from cameras (B, 4) of the image.

    Of cameras whose two scales do not agree on one of the crop the mean is taken.
    """
    size = torch.as_tensor(image_size, dtype=camera.dtype, device=camera.device)
    centre = box[:, :2] + box[:, 2:] / 2
    shift = camera[:, 2:] - (centre - size / 2) / (size / 2) / camera[:, :2]
    scale = (camera[:, :2] * size / box[:, 3:4]).mean(dim=1, keepdim=True)
    return torch.cat([scale, shift], dim=1)


def project_to_image(camera: torch.Tensor, points: torch.Tensor, image_size: tuple[int, int]) -> torch.Tensor:
    """Image pixels (B, n, 2) of points (B, n, >=2) in metres under cameras (B, 4) of ``crop_to_image_camera``."""
    size = torch.as_tensor(image_size, dtype=points.dtype, device=points.device)
    return ((points[..., :2] + camera[:, None, 2:]) * camera[:, None, :2] + 1) * size / 2
