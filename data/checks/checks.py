"""The checks of ``data/verify.py``: numbers of records, units, joint ranges, fits and detections against annotations.

Limits are wide: they tell wrong units, frames, orders and files from right ones, not good annotations from better ones.
"""

from itertools import pairwise

import numpy as np
import torch

from data.checks.report import FAIL, OK, WARN, Report
from data.checks.view import View
from lib.datasets.pose_dataset import RecordDataset
from lib.mesh.mesh_model import GENDERS, MeshModel
from lib.units import MM_PER_M

# error of fits and detections that is doubtful, and that only wrong data can have
FIT_MM = {"body": (60.0, 150.0), "hand": (10.0, 40.0)}
PLACE_MM = (150.0, 500.0)
FIT_SHARE, DETECTION_SHARE = (0.08, 0.25), (0.1, 0.25)  # of the person's size in the image
REJECTED_SHARE = (0.3, 0.95)  # of the fits
DEPTH = {"body": (0.5, 60.0), "hand": (0.1, 3.0)}  # metres from the camera
# millimetres, joint by joint; body: hip, knee, ankle; hand: wrist to the tip of the middle finger
CHAINS = {
    "body": (("R_Hip", "R_Knee", "R_Ankle"), 500.0, 1200.0),
    "hand": (("Wrist", "Middle_1", "Middle_2", "Middle_3", "Middle_4"), 110.0, 280.0),
}
REST_SIZE = {"body": (1.0, 2.5), "hand": (0.1, 0.3)}  # metres: height of a body, reach of a hand from its wrist
ORTHONORMAL = 1e-3
ENOUGH = 100_000  # records for medians


def check_records(dataset: RecordDataset, report: Report) -> None:
    """Numbers, values and order of all records."""
    records = dataset.records
    left_out = sum(records.notes.values())
    reasons = ", ".join(f"{number} {reason}" for reason, number in records.notes.items()) or "nothing"
    text = f"{len(dataset)} samples of {records.count} records; left out: {reasons}"
    report.add(WARN if left_out > records.count else OK, "counts", text)
    bad = [name for name in records if records[name].dtype.kind == "f" and not np.isfinite(records[name]).all()]
    report.add(FAIL if bad else OK, "finite", f"not finite: {', '.join(bad)}" if bad else "all numbers are")
    some = slice(None, None, max(1, records.count // ENOUGH))
    turns = np.linalg.norm(records["pose"][some].reshape(-1, records["pose"].shape[1] // 3, 3), axis=2).max(axis=1)
    hint = "axis-angle must be in radians"
    report.grade(
        np.median(turns), 4.0, 10.0, "pose", f"largest joint rotation {np.median(turns):.2f} rad (median)", hint
    )
    largest = np.abs(records["betas"][some]).max(axis=1)
    text = f"largest shape component {np.median(largest):.2f} (median), {np.mean(largest > 5):.0%} above 5"
    report.grade(np.median(largest), 3.0, 10.0, "betas", text, "are these SMPL shapes?")
    if "cam_R" in records:
        matrices = records["cam_R"][some].astype(np.float64)
        error = np.abs(matrices @ matrices.transpose(0, 2, 1) - np.eye(3)).max()
        mirrored = int((np.linalg.det(matrices) < 0).sum())
        text = f"{mirrored} mirrored, largest deviation from a rotation {error:.1e}"
        report.add(OK if error < ORTHONORMAL and not mirrored else FAIL, "camera rotations", text)
    if "focal" in records:
        low = records["focal"].min()
        report.add(OK if low > 10 else FAIL, "focal", f"smallest focal length {low:.1f} px")
    _check_order(dataset, report)


def _check_order(dataset: RecordDataset, report: Report) -> None:
    records = dataset.records
    count = records.count - dataset.repeated
    if "annotation_id" in records:
        ids = records["annotation_id"][:count]
        again = len(ids) - len(np.unique(ids))
        report.add(FAIL if again else OK, "duplicates", f"{again} annotation ids occur twice")
    keys = dataset.sort_keys()
    if keys:
        rows = list(zip(*(key[:count].tolist() for key in keys.values())))
        level, text = (OK, "") if all(a <= b for a, b in pairwise(rows)) else (FAIL, "not ")
        report.add(level, "order", f"{text}sorted by {' and '.join(keys)}")


def check_sizes(model: MeshModel, view: View, report: Report) -> None:
    """Body heights and hand sizes, limb lengths, distances from the camera: units."""
    kind = model.kind
    if view.fit is not None:
        size = rest_sizes(model, view.posed.rows["betas"], view.posed.rows.get("gender"))
        what = "height at rest" if kind == "body" else "reach at rest"
        text = f"{what} {np.median(size):.2f} m (median), {size.min():.2f} to {size.max():.2f}"
        report.within(
            float(np.median(size)), *REST_SIZE[kind], "size of fits", text, "shape does not belong to this model"
        )
        if "weak" not in view.posed.rows and view.placed:
            depth = view.fit[..., 2].mean(axis=1) / MM_PER_M
            text = f"{np.median(depth):.2f} m (median) from the camera, {depth.min():.2f} to {depth.max():.2f}"
            hint = "is trans in metres, and in the frame that formats say?"
            report.within(float(np.median(depth)), *DEPTH[kind], "distance of fits", text, hint)
    if view.truth is not None:
        names, low, high = CHAINS[kind]
        chain = view.truth[:, [view.joint_set.index(name) for name in names]]
        length = float(np.median(np.linalg.norm(np.diff(chain, axis=1), axis=2).sum(axis=1)))
        text = f"{names[0]} to {names[-1]} {length:.0f} mm (median)"
        report.within(length, low, high, "annotated joints", text, "are the joints in millimetres, and in this order?")


def rest_sizes(model: MeshModel, betas: torch.Tensor, gender: torch.Tensor | None) -> np.ndarray:
    """Height of bodies, or farthest point of hands from the wrist, at rest: (N,) metres."""
    sizes = np.empty(len(betas))
    codes = np.zeros(len(betas), dtype=int) if gender is None else gender.numpy()
    for code in np.unique(codes):
        chosen = np.flatnonzero(codes == code)
        params = model.params(GENDERS[code])
        shaped = params.v_template + torch.einsum("vcs,ns->nvc", params.shapedirs, betas[chosen])
        if model.kind == "body":
            sizes[chosen] = np.ptp(shaped[..., 1].numpy(), axis=1)
        else:
            wrist = params.J_template[0] + betas[chosen] @ params.J_shapedirs[0].T
            sizes[chosen] = (shaped - wrist[:, None]).norm(dim=2).amax(dim=1).numpy()
    return sizes


def check_image(view: View, report: Report) -> None:
    """Joints within the image, boxes around the joints."""
    joints = view.truth_image if view.truth is not None else view.fit_image
    if joints is None or view.size is None or not (view.size > 0).all():
        return
    inside = ((joints >= 0) & (joints <= view.size[:, None])).all(axis=2).mean(axis=1)
    text = f"{np.median(inside):.0%} of a person's joints inside the image (median)"
    report.grade(1 - np.median(inside), 0.5, 0.9, "in the image", text, "camera or image size is of other data")
    if view.bbox is not None and (view.bbox[:, 2:] > 0).all():
        overlap = _overlap(view.bbox, _tight(joints))
        text = f"overlap with the box around the joints {np.median(overlap):.2f} (median intersection over union)"
        report.grade(1 - np.median(overlap), 0.7, 0.9, "bbox", text, "boxes must be x, y, width, height in pixels")


def check_fits(dataset: RecordDataset, view: View, report: Report) -> None:
    """Fits against annotated joints, in 3D and in the image, and how many training rejects."""
    if view.fit is None:
        return report.add(OK, "fits", "none: the annotations of this split are not public")
    if view.truth is not None:
        difference = np.where(view.valid[..., None], view.fit - view.truth, 0.0)
        share = view.valid.sum(axis=1)[:, None, None]
        offset = difference.sum(axis=1, keepdims=True) / share
        error = _mean(np.linalg.norm(difference - offset, axis=2), view.valid)
        text = f"{_spread(error)} mm from the annotated joints, means brought together"
        report.grade(
            np.median(error), *FIT_MM[dataset.mesh_model.kind], "fits 3D", text, "frame or joint order differs"
        )
        if view.placed:
            distance = np.linalg.norm(offset[:, 0], axis=1)
            text = f"{_spread(distance)} mm between the means of fit and annotation"
            report.grade(np.median(distance), *PLACE_MM, "fits place", text, "trans or camera is off")
    if view.truth_image is None:
        what = "the file has no annotated joints" if view.annotated else "none to compare with in this format"
        report.add(WARN if view.annotated else OK, "fits 2D", what)
    else:
        error = _mean(np.linalg.norm(view.fit_image - view.truth_image, axis=2), view.valid)
        share = error / _person_size(view.fit_image)
        text = f"{_spread(error)} px from the annotated joints, {_spread(100 * share)} % of the person"
        report.grade(np.median(share), *FIT_SHARE, "fits 2D", text, "camera or trans is off")
    check = dataset.protocol.fit_check
    if check is None:
        return None
    rejected = int((check.error(view.posed) > check.threshold).sum())
    text = f"{rejected} of {len(view.fit)} are more than {check.threshold:g} {check.unit} off and do not supervise"
    return report.grade(rejected / len(view.fit), *REJECTED_SHARE, "rejected fits", text, "fits of other data?")


def check_detections(view: View, report: Report) -> None:
    """Detected joints against where they should be."""
    if view.detections is None:
        return
    if view.expected is None:
        return report.add(OK, "detections", "nothing to compare with: the truth of this split is not there")
    error = np.linalg.norm(view.detections - view.expected, axis=2).mean(axis=1)
    share = error / _person_size(view.expected)
    text = f"{_spread(error)} px from the projected joints, {_spread(100 * share)} % of the person"
    return report.grade(
        np.median(share), *DETECTION_SHARE, "detections", text, "of other images, other joint order, or of a crop?"
    )


def _mean(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Means (N,) over the valid joints of each sample."""
    return (values * valid).sum(axis=1) / np.maximum(valid.sum(axis=1), 1)


def _spread(values: np.ndarray) -> str:
    return f"{np.median(values):.1f} (95th percentile {np.percentile(values, 95):.1f})"


def _tight(joints: np.ndarray) -> np.ndarray:
    low = joints.min(axis=1)
    return np.concatenate([low, joints.max(axis=1) - low], axis=1)


def _person_size(joints: np.ndarray) -> np.ndarray:
    """Side (N,) in pixels of the square with the area of the box around the joints."""
    extent = _tight(joints)[:, 2:]
    return np.maximum(np.sqrt(extent[:, 0] * extent[:, 1]), 1.0)


def _overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    common = np.clip(high - low, 0, None).prod(axis=1)
    return common / np.maximum(a[:, 2:].prod(axis=1) + b[:, 2:].prod(axis=1) - common, 1e-9)
