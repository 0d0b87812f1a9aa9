"""Some records of a data set, posed and projected, with what is annotated and detected; for ``data/verify.py``."""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from lib.datasets.pose_dataset import RecordDataset, stream
from lib.datasets.posed import Posed, PosedBodies
from lib.geometry.cameras import project
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.units import MM_PER_M


@dataclass(frozen=True)
class View:
    """N sampled records. Joints are those of ``joint_set``; None where a data set has no such thing.

    Attributes:
        indices: (N,) samples of the data set.
        names: image names, empty where there are none.
        joint_set: of everything but the detections.
        posed: the bodies.
        annotated: whether the format has joints to compare fits with.
        fit: (N, J, 3) mm, camera frame, joints of the body fit; fit_image: (N, J, 2) px, projected.
        truth: (N, J, 3) mm annotated joints; truth_image: (N, J, 2) px; valid: (N, J) which ones.
        placed: whether fit and annotation are in the same place, not only relative to the root.
        detections, expected: (N, K, 2) px detected joints and where they should be, of ``detected_set``.
        size: (N, 2) image width and height, px. bbox: (N, 4) px.
    """

    indices: np.ndarray
    names: list[str]
    joint_set: JointSet
    detected_set: JointSet
    posed: Posed
    annotated: bool = True
    fit: np.ndarray | None = None
    fit_image: np.ndarray | None = None
    truth: np.ndarray | None = None
    truth_image: np.ndarray | None = None
    valid: np.ndarray | None = None
    placed: bool = True
    detections: np.ndarray | None = None
    expected: np.ndarray | None = None
    size: np.ndarray | None = None
    bbox: np.ndarray | None = None

    def pick(self, rows: np.ndarray) -> "View":
        """Some of the records; ``posed`` stays that of all."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        picked = {name: value[rows] for name, value in arrays.items() if isinstance(value, np.ndarray)}
        return replace(self, names=[self.names[row] for row in rows], **picked)


def look(dataset: RecordDataset, indices: np.ndarray) -> View:
    """The view of some samples."""
    rows = dataset.rows(indices, stream(0))
    records = dataset.records
    detected = dataset.cfg.DATASET.input_joint_set
    own = dataset.inspection.joint_set or detected
    needed = {own, detected}
    if dataset.protocol.fit_check is not None:
        needed |= set(dataset.protocol.fit_check.joint_sets)
    bodies = PosedBodies(dataset.mesh_model, needed, whole_mesh=False)
    posed = Posed(bodies, rows, detected, dataset.protocol.annotated_set)
    places = indices if records.count == len(dataset) else indices * records.count // len(dataset)
    columns = {name: records[name][places] for name in ("image", "image_size", "bbox", "detections") if name in records}
    annotation = dataset.annotation(posed, places)
    found = dict(annotation or {})
    if "fit" not in found and not dataset.no_targets:
        found |= _fit(posed, own)
    if "truth" in found and "truth_image" not in found:
        found["truth_image"] = _project(posed, found["truth"])
    if "truth" in found and "valid" not in found:
        found["valid"] = np.ones(found["truth"].shape[:2], dtype=bool)
    if "detections" in columns:
        known = found.get("placed", True) and not dataset.no_targets
        targets = MM_PER_M * posed.targets(detected).numpy()
        found["expected"] = _project(posed, targets) if known else found.get("truth_image")
    return View(
        indices,
        names=[name.decode() for name in columns["image"]] if "image" in columns else [""] * len(indices),
        joint_set=get_joint_set(own),
        detected_set=get_joint_set(detected),
        posed=posed,
        annotated=annotation is not None,
        size=columns.get("image_size"),
        bbox=columns.get("bbox"),
        detections=columns.get("detections"),
        **found,
    )


def _fit(posed: Posed, name: str) -> dict:
    joints = MM_PER_M * posed.joints(name).numpy()
    # weak perspective has no camera to project with
    image = posed.image(name).numpy() if "weak" in posed.rows else _project(posed, joints)
    return {"fit": joints, "fit_image": image}


def _project(posed: Posed, joints: np.ndarray) -> np.ndarray:
    return project(torch.from_numpy(joints), posed.rows["focal"], posed.rows["princpt"]).numpy()
