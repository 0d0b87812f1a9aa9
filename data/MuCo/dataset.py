"""MuCo-3DHP with SMPL fits (training only).

Files in ``data/MuCo/data``: ``MuCo-3DHP.json`` (COCO style; images with ``f``, ``c``; annotations with
``keypoints_cam`` (21, 3) mm) and ``smpl_param.json`` (annotation id -> ``pose``, ``shape``, ``trans``, camera frame,
metres). Of each image only the nearest person is used.
"""

import math
from functools import partial
from pathlib import Path

import numpy as np

from lib.datasets.fit_errors import MUCO_ROOT, MUCO_ROWS, muco_error
from lib.datasets.pose_dataset import RecordDataset
from lib.datasets.protocol import FitCheck, Inspection, NeededFile, Protocol, released
from lib.datasets.storage.annotations import field, find, read_json
from lib.datasets.storage.columns import BODY_COLUMNS, People, body_fit, clamp_betas
from lib.joints.tables import HUMAN36
from lib.settings.config import Config

DEBUG_SAMPLES = 10_000


def _protocol(annotated: bool) -> Protocol:
    check = FitCheck(
        error=partial(muco_error, annotated=annotated),
        threshold=45.0,
        masks=dict.fromkeys(("human36", "coco"), ("mesh", "lift_pose3d", "reg_pose3d")),
        without_mesh=False,
    )
    return Protocol(
        target_set="human36",
        input_sets=("human36", "coco"),
        loose_noise_box=True,
        flip_in_crop=True,
        fit_check=check,
    )


class MuCo(RecordDataset):
    """The nearest person of each image, in image order.

    The published check of the fits compares the wrong joints and rejects everybody in Pose2Mesh training (see
    ``lib.datasets.fit_errors.muco_error``); ``DATASET.muco_fit_check: annotated`` compares with the annotation.
    """

    name = "MuCo"
    splits = ("train",)
    image_folder = "data"
    protocol = _protocol(annotated=False)
    inspection = Inspection("data/*.json", settings={"DATASET": {"muco_fit_check": "annotated"}})

    def __init__(self, mode: str, cfg: Config, *args, **others):
        if cfg.DATASET.muco_fit_check == "annotated":
            self.protocol = _protocol(annotated=True)
        super().__init__(mode, cfg, *args, **others)

    @classmethod
    def needed_files(cls, split, root):
        folder = root / "data" / cls.name / "data"
        return [
            NeededFile(folder / "MuCo-3DHP.json", "annotations", released("1yL2ey3aWHJnh8f_nhWP--IyC9krAPsQN")),
            NeededFile(folder / "smpl_param.json", "fits", released("1_JrrbHZICDTe1lqi8S6D_Y1ObmrerAoU")),
        ]

    def parse(self):
        path, fit_path = self.files()
        people = People(joint_cam=(21, 3))
        data = people.open(path, (fit_path, BODY_COLUMNS))
        fits = read_json(fit_path, dict)
        for image in data.images.values():
            if self.debug and len(people) > DEBUG_SAMPLES:
                break
            nearest = min(data.annotations_of(image), key=lambda person: _depth(path, person), default=None)
            if nearest is None:
                people.skip("without a person")
                continue
            record = f"annotation {nearest['id']}"
            fit = find(fit_path, record, fits, str(nearest["id"]))
            if fit is None:
                people.skip("without an SMPL fit")
            elif _has_nan(values := body_fit(fit_path, record, fit)):
                people.skip("with NaN in the SMPL fit")
            elif people.usable(nearest):
                view = f"image {image['id']}"
                lens = {"focal": field(path, view, image, "f"), "princpt": field(path, view, image, "c")}
                people.add(nearest, image, joint_cam=nearest["keypoints_cam"], **lens, **values)
        columns, skipped = people.columns()
        columns["betas"] = clamp_betas(columns["betas"])
        return columns, skipped

    def annotation(self, posed, places):
        """The joints of common name; the others are in the middle of them and not valid."""
        joints, rows = [HUMAN36.index(name) for name in MUCO_ROWS], list(MUCO_ROWS.values())
        annotated = posed.rows["joint_cam"].numpy()[:, rows]
        truth = annotated.mean(axis=1, keepdims=True).repeat(HUMAN36.joint_num, axis=1)
        truth[:, joints] = annotated
        valid = np.isin(np.arange(HUMAN36.joint_num), joints)
        return {"truth": truth, "valid": np.tile(valid, (len(truth), 1))}


def _depth(path: Path, person: dict) -> float:
    joints = field(path, f"annotation {person['id']}", person, "keypoints_cam")
    try:
        depth = float(joints[MUCO_ROOT][2])
    except (TypeError, ValueError, LookupError, OverflowError):
        raise ValueError(f"{path}: annotation {person['id']}: keypoints_cam is not numeric (21, 3)") from None
    if math.isnan(depth):  # would be neither nearer nor farther than others
        raise ValueError(f"{path}: annotation {person['id']}: keypoints_cam holds NaN")
    return depth


def _has_nan(values: dict) -> bool:
    # NaN is the one number that differs from itself
    return any(number != number for value in values.values() if isinstance(value, list) for number in value)
