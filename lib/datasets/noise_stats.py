"""Error statistics of 2D pose detectors: the numbers behind `lib.datasets.noise`."""

from typing import NamedTuple


class GaussianError(NamedTuple):
    """Detection error of one joint: normal with probability ``probability``, otherwise none."""

    mean: tuple[float, float]  # x, y, pixels of a 256 x 256 crop
    std: tuple[float, float]
    probability: float


# Errors of a detector on Human3.6M as published with AbsPoseLifter (arXiv 1910.12029). Looked up by joint name: the
# source lists the joints in another order than the Human3.6M joint set.
HUMAN36_ERRORS: dict[str, GaussianError] = {
    "Pelvis": GaussianError((-0.06, -2.37), (1.33, 2.13), 1.00),
    "R_Hip": GaussianError((-0.83, -2.07), (3.41, 2.69), 1.00),
    "R_Knee": GaussianError((-0.04, -1.01), (1.74, 2.20), 0.95),
    "R_Ankle": GaussianError((0.52, -3.40), (1.39, 2.14), 0.93),
    "L_Hip": GaussianError((0.78, -2.79), (3.26, 2.28), 1.00),
    "L_Knee": GaussianError((0.42, -0.15), (1.53, 1.99), 0.94),
    "L_Ankle": GaussianError((-0.15, -3.78), (1.39, 2.39), 0.93),
    "Torso": GaussianError((-0.05, 0.10), (1.36, 1.74), 0.99),
    "Neck": GaussianError((0.14, -2.56), (1.18, 1.15), 0.99),
    "Head": GaussianError((0.09, 0.49), (1.35, 0.87), 0.99),
    "Nose": GaussianError((0.13, -0.26), (0.78, 0.59), 0.98),
    "L_Shoulder": GaussianError((-0.19, 0.31), (2.51, 1.48), 0.99),
    "L_Elbow": GaussianError((0.11, -0.60), (1.79, 1.76), 0.95),
    "L_Wrist": GaussianError((-0.02, 0.88), (2.02, 2.10), 0.91),
    "R_Shoulder": GaussianError((0.52, -0.12), (2.23, 1.73), 0.99),
    "R_Elbow": GaussianError((0.06, -0.44), (1.93, 1.63), 0.95),
    "R_Wrist": GaussianError((0.05, 0.16), (2.02, 2.24), 0.90),
}
HUMAN36_FRAME = 256  # side of the crop that the table above is given in, pixels


class KeypointError(NamedTuple):
    """Error rates of one COCO keypoint; the three values are for poses with <= 5, <= 10 and more visible joints."""

    sigma: float  # spread of human annotations relative to the square root of the person's area (COCO's OKS)
    jitter: tuple[float, float, float]  # small error around the right place
    miss: tuple[float, float, float]  # far from any right place
    inversion: float  # near the same joint of the other body side
    # the rest is "good"; swaps with other people are never drawn, because a pose here is always alone


# Error types after "Benchmarking and error diagnosis in multi-instance pose estimation" (Ronchi and Perona, ICCV
# 2017), rates as in PoseFix (Moon et al., CVPR 2019), without swaps. Left and right sides share a row.
COCO_ERRORS: dict[str, KeypointError] = {
    "Nose": KeypointError(0.026, (0.15, 0.15, 0.10), (0.15, 0.10, 0.02), 0.01),
    "Eye": KeypointError(0.025, (0.20, 0.20, 0.15), (0.15, 0.10, 0.02), 0.01),
    "Ear": KeypointError(0.035, (0.20, 0.20, 0.15), (0.15, 0.10, 0.02), 0.01),
    "Shoulder": KeypointError(0.079, (0.20, 0.20, 0.15), (0.20, 0.13, 0.05), 0.03),
    "Elbow": KeypointError(0.072, (0.20, 0.20, 0.15), (0.25, 0.15, 0.10), 0.03),
    "Wrist": KeypointError(0.062, (0.20, 0.20, 0.15), (0.25, 0.15, 0.10), 0.03),
    "Hip": KeypointError(0.107, (0.25, 0.25, 0.20), (0.25, 0.15, 0.10), 0.06),
    "Knee": KeypointError(0.087, (0.15, 0.15, 0.10), (0.25, 0.15, 0.10), 0.06),
    "Ankle": KeypointError(0.089, (0.15, 0.15, 0.10), (0.20, 0.13, 0.05), 0.06),
}
VISIBLE_LIMITS = (5, 10)  # upper ends of the first two classes of visible joint counts
# OKS levels that bound the error types: good above .85, jitter between .85 and .5, miss between .5 and .1
OKS_LEVELS = (0.85, 0.5, 0.1)
