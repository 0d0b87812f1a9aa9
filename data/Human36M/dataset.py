"""Human3.6M with SMPL fits (train and test).

Files in ``data/Human36M/annotations``, per subject: ``Human36M_subject{S}_{data,camera,joint_3d,smpl_param}.json``;
tests without ``use_gt_input`` also read ``absnet_output_on_testset.json``. Protocol 2: subjects 1, 5, 6, 7, 8 against
9, 11, every 5th frame of training, every 50th of test; samples without a fit are left out; the neutral body whatever
the gender. The motion-capture joints are the targets, fits more than 25 mm from them do not supervise.
"""

import re
from pathlib import Path

import numpy as np

from data.annotations import CocoFile, Detections, field, read_json
from data.base import RecordDataset
from data.columns import People, body_fit, clamp_betas, sort_rows
from data.fit_errors import human36_error
from data.protocol import FitCheck, Protocol
from lib.joint_sets import HUMAN36

SUBJECTS = {
    1: {"train": (1, 5, 6, 7, 8, 9), "test": (11,)},
    2: {"train": (1, 5, 6, 7, 8), "test": (9, 11)},
}
FRAME_STEP = {"train": 5, "test": 50}
PARTS = ("data", "camera", "joint_3d", "smpl_param")
ACTIONS = (
    "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases", "Sitting", "SittingDown",
    "Smoking", "Photo", "Waiting", "Walking", "WalkDog", "WalkTogether",
)  # fmt: skip
FIRST_ACTION = 2  # files count actions from 2 on
ACTION_PATTERN = re.compile(r"act_(\d\d)")


class Human36M(RecordDataset):
    """One sample per annotated person, ordered by image name."""

    name = "Human36M"
    image_folder = "images"
    protocol = Protocol(
        target_set="human36",
        annotated_set="human36",
        input_sets=("human36", "coco"),
        test_detections=True,
        fit_check=FitCheck(
            error=human36_error,
            threshold=25.0,
            masks={
                ("pose2mesh_net", "human36"): ("mesh",),
                ("pose2mesh_net", "coco"): ("mesh", "lift"),
                ("posenet", "coco"): ("lift",),
            },
        ),
    )

    @property
    def subjects(self) -> tuple[int, ...]:
        chosen = SUBJECTS[self.cfg.DATASET.human36_protocol][self.mode]
        return chosen[:1] if self.debug else chosen

    def options(self) -> dict:
        return {"protocol": self.cfg.DATASET.human36_protocol}

    def _file(self, subject: int, part: str) -> Path:
        return self.folder / "annotations" / f"Human36M_subject{subject}_{part}.json"

    def files(self) -> list[Path]:
        files = [self._file(subject, part) for subject in self.subjects for part in PARTS]
        return [*files, self.folder / "absnet_output_on_testset.json"] if self.sources.detections else files

    def parse(self):
        detections = self._detections() if self.sources.detections else None
        data = CocoFile([self._file(subject, "data") for subject in self.subjects])
        others = {
            (subject, part): read_json(self._file(subject, part), dict)
            for subject in self.subjects
            for part in PARTS[1:]
        }
        people = People(data.path)
        for annotation in data.annotations:
            self._add(people, others, annotation, data.image_of(annotation))
        columns, skipped = people.columns()
        names = np.array([Path(name.decode()).name for name in columns["image"]])
        order = np.argsort(names, kind="stable")
        columns = sort_rows(columns, order)
        columns["betas"] = clamp_betas(columns["betas"])
        columns["joint_cam"] = columns["joint_cam"] @ columns["cam_R"].transpose(0, 2, 1) + columns["cam_t"][:, None]
        columns["cam_t"] /= 1000
        if detections is not None:
            columns["detections"] = np.stack([detections(name) for name in names[order].tolist()])
        return columns, skipped

    def _detections(self) -> Detections:
        path = self.files()[-1]
        if self.cfg.DATASET.input_joint_set != HUMAN36.name:
            raise ValueError(
                f"{path.name} holds human36 joints: test on Human36M with DATASET.input_joint_set human36, or with "
                "use_gt_input True"
            )
        return Detections(path, read_json(path, dict), HUMAN36.keypoint_num, "image")

    def _add(self, people: People, others: dict, annotation: dict, image: dict) -> None:
        """Adds one person, in world millimetres still, or counts why not."""
        record, view = f"annotation {annotation['id']}", f"image {image['id']}"
        keys = ("subject", "cam_idx", "action_idx", "subaction_idx", "frame_idx")
        subject, camera, action, subaction, frame = (field(people.path, view, image, key) for key in keys)
        if frame % FRAME_STEP[self.mode]:
            return
        fits, joints, cameras = (self._file(subject, part) for part in ("smpl_param", "joint_3d", "camera"))
        moment = (str(action), str(subaction), str(frame))
        fit = others[subject, "smpl_param"].get(moment[0], {}).get(moment[1], {}).get(moment[2])
        if fit is None:
            return people.skip("without an SMPL fit")
        if not people.usable(annotation):
            return None
        match = ACTION_PATTERN.search(Path(field(people.path, view, image, "file_name")).name)
        lens = {
            column: field(cameras, "the file", others[subject, "camera"], str(camera), key)
            for column, key in (("cam_R", "R"), ("cam_t", "t"), ("focal", "f"), ("princpt", "c"))
        }
        people.add(
            annotation,
            image,
            joint_cam=field(joints, record, others[subject, "joint_3d"], *moment),
            action=(int(match[1]) if match else action) - FIRST_ACTION,
            **lens,
            **body_fit(fits, record, fit),
        )
        return None
