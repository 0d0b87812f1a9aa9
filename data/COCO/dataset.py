"""COCO with SMPLify fits (training only).

Files in ``data/COCO/annotations``: ``person_keypoints_train2017.json`` and ``coco_smplify_train.json`` (annotation id
-> ``smpl_param {pose, shape}``, ``cam_param {s, t}``: weak perspective, pixels per metre and pixels). Kept: persons, no
crowds, with keypoints and a fit. Fits whose projection is more than 3 pixels of a 64 x 64 crop off do not supervise.
"""

from pathlib import Path

import torch

from lib.datasets.fit_errors import coco_error
from lib.datasets.pose_dataset import RecordDataset
from lib.datasets.protocol import FitCheck, Inspection, NeededFile, Protocol, released
from lib.datasets.storage.annotations import field, find, read_json, whole_number
from lib.datasets.storage.columns import BODY_COLUMNS, People, body_fit, clamp_betas
from lib.joints import tables


class COCO(RecordDataset):
    """One sample per annotated person, in file order."""

    name = "COCO"
    splits = ("train",)
    image_folder = "images/train2017"
    protocol = Protocol(
        target_set="human36",
        input_sets=("human36", "coco"),
        fit_check=FitCheck(
            error=coco_error,
            threshold=3.0,
            masks=dict.fromkeys(("human36", "coco"), ("mesh", "lift_pose3d", "reg_pose3d")),
            joint_sets=("coco",),
            unit="px of a 64 x 64 crop",
        ),
    )
    inspection = Inspection(
        "annotations/person_keypoints_train2017.json", settings={"DATASET": {"input_joint_set": "coco"}}
    )

    @classmethod
    def needed_files(cls, split, root):
        folder = root / "data" / cls.name / "annotations"
        site = "get it from annotations_trainval2017.zip of https://cocodataset.org/#download"
        fits = released("1X7OMEGQJOe0Tcn2GvvP1koKkq4yghIzr")
        return [
            NeededFile(folder / "person_keypoints_train2017.json", "annotations", site),
            NeededFile(folder / "coco_smplify_train.json", "fits", fits),
        ]

    def parse(self):
        path, fit_path = self.files()
        people = People()
        data = people.open(path, (fit_path, (*BODY_COLUMNS, "weak")))
        fits = read_json(fit_path, dict)
        for annotation in data.annotations:
            record = f"annotation {annotation['id']}"
            fit = find(fit_path, record, fits, str(annotation["id"]))
            if whole_number(path, record, annotation, "iscrowd"):
                people.skip("marked as crowd")
            elif whole_number(path, record, annotation, "num_keypoints") == 0:
                people.skip("without keypoints")
            elif fit is None:
                people.skip("without an SMPL fit")
            elif people.usable(annotation):
                people.add(
                    annotation,
                    data.image_of(annotation),
                    keypoints=field(path, record, annotation, "keypoints"),
                    weak=_weak(fit_path, record, fit),
                    trans=(0, 0, 0),
                    **body_fit(fit_path, record, field(fit_path, record, fit, "smpl_param"), trans=False),
                )
        columns, skipped = people.columns()
        columns["betas"] = clamp_betas(columns["betas"])
        columns["keypoints"][..., 2] = columns["keypoints"][..., 2] > 0
        return columns, skipped

    def annotation(self, posed, places):
        keypoints, joints = posed.rows["keypoints"], tables.COCO
        valid = torch.zeros(len(keypoints), joints.joint_num, dtype=torch.bool)
        valid[:, : joints.keypoint_num] = keypoints[..., 2] > 0
        return {"truth_image": joints.add_derived(keypoints[..., :2]).numpy(), "valid": valid.numpy()}


def _weak(path: Path, record: str, fit: dict) -> list:
    """sx, sy, tx, ty; the scale may be one number or two."""
    scale, shift = (field(path, record, fit, "cam_param", key) for key in ("s", "t"))
    scale = scale if isinstance(scale, list) else [scale]
    if len(scale) not in (1, 2) or not isinstance(shift, list) or len(shift) != 2:
        raise ValueError(f"{path}: {record}: cam_param must be one or two numbers s and two numbers t")
    return (scale * 2 if len(scale) == 1 else scale) + shift
