"""How far body fits are from annotated joints: the checks that decide which samples supervise.

All functions take a ``lib.datasets.posed.Posed`` batch and return (B,) errors.
"""

import torch

from lib.geometry.boxes import process_boxes, tight_boxes
from lib.geometry.crops import apply_affine, crop_matrices
from lib.joints.tables import HUMAN36
from lib.units import MM_PER_M

COCO_CROP = (64, 64)  # pixels, frame of the error of COCO fits

# Human3.6M joints whose name MuCo-3DHP has too, and their rows in MuCo's 21 joints
MUCO_ROWS = {
    "Pelvis": 14, "R_Hip": 8, "R_Knee": 9, "R_Ankle": 10, "L_Hip": 11, "L_Knee": 12, "L_Ankle": 13, "Head": 16,
    "L_Shoulder": 5, "L_Elbow": 6, "L_Wrist": 7, "R_Shoulder": 2, "R_Elbow": 3, "R_Wrist": 4,
}  # fmt: skip
MUCO_ROOT = MUCO_ROWS["Pelvis"]


def distance_after_centring(points: torch.Tensor, fitted: torch.Tensor) -> torch.Tensor:
    """Mean distance of two point sets (B, N, 3) whose means are brought together first; (B,) in their unit."""
    difference = points - fitted
    return (difference - difference.mean(dim=1, keepdim=True)).norm(dim=-1).mean(dim=-1)


def human36_error(posed) -> torch.Tensor:
    """Millimetres between motion-capture joints and the 17 joints regressed from the fitted mesh."""
    return distance_after_centring(posed.rows["joint_cam"], MM_PER_M * posed.joints("human36"))


def muco_error(posed, annotated: bool = False) -> torch.Tensor:
    """Millimetres between MuCo joints and the joints regressed from the fitted mesh, over 14 joints of common name.

    Args:
        posed: batch.
        annotated: compare with the annotated 21 joints. The published training looked the 21-joint rows up in the
            17-joint array that it had regressed from the mesh itself, so that its error is 700 mm and more for any
            person and every sample is rejected; False does the same.
    """
    fitted = MM_PER_M * posed.joints("human36")
    names, rows = [HUMAN36.index(name) for name in MUCO_ROWS], list(MUCO_ROWS.values())
    points = posed.rows["joint_cam"] if annotated else fitted
    return distance_after_centring(points[:, rows], fitted[:, names])


def coco_error(posed) -> torch.Tensor:
    """Pixels (of a 64 x 64 crop) between annotated keypoints and projected joints of the fit, over labelled keypoints.

    The crop is that of the projected joints of the input joint set.
    """
    keypoints = posed.rows["keypoints"]
    fitted = posed.image("coco")[:, : keypoints.shape[1]]
    boxes, _ = process_boxes(tight_boxes(posed.image(posed.input_set)), aspect_ratio=1.0)
    matrices = crop_matrices(boxes, out_size=COCO_CROP)
    distance = (apply_affine(keypoints[..., :2], matrices) - apply_affine(fitted, matrices)).norm(dim=-1)
    valid = keypoints[..., 2]
    return (distance * valid).sum(dim=1) / valid.sum(dim=1)
