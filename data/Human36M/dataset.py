"""Human3.6M with SMPL fits (train and test).

Files in ``data/Human36M/annotations``, per subject: ``Human36M_subject{S}_{data,camera,joint_3d,smpl_param}.json``;
tests without ``use_gt_input`` also read ``absnet_output_on_testset.json``. Protocol 2: subjects 1, 5, 6, 7, 8 against
9, 11, every 5th frame of training, every 50th of test; samples without a fit are left out; the neutral body whatever
the gender. The motion-capture joints are the targets, fits more than 25 mm from them do not supervise.
"""

import re
from pathlib import Path

import numpy as np

from data.Human36M.evaluation import ACTIONS, lift_evaluator, mesh_evaluator
from lib.datasets.fit_errors import human36_error
from lib.datasets.pose_dataset import RecordDataset
from lib.datasets.protocol import FitCheck, Inspection, MeshSamples, NeededFile, Protocol, image_path, released
from lib.datasets.storage.annotations import Detections, field, find, read_json, text, whole_number
from lib.datasets.storage.columns import BODY_COLUMNS, CAMERA_COLUMNS, People, body_fit, clamp_betas, sort_rows
from lib.joints.tables import HUMAN36
from lib.messages import shown
from lib.units import MM_PER_M

SUBJECTS = {
    1: {"train": (1, 5, 6, 7, 8, 9), "test": (11,)},
    2: {"train": (1, 5, 6, 7, 8), "test": (9, 11)},
}
FRAME_STEP = {"train": 5, "test": 50}
PARTS = ("data", "camera", "joint_3d", "smpl_param")
DETECTIONS = "absnet_output_on_testset.json"
SOURCES = {
    "annotations": released("1kgVH-GugrLoc9XyvP6nRoaFpw3TmM5xK"),
    "fits": released("1s-yywb4zF_OOLMmw1rsYh_VZFilgSrrD"),
    "detections": released("1iRuNa6CqoHbloJ-wFPpW6g72QmP9xZT-"),
}
FIRST_ACTION = 2  # files count actions from 2 on
ACTION_PATTERN = re.compile(r"act_(\d\d)")


def _file(folder: Path, subject: int, part: str) -> Path:
    return folder / "annotations" / f"Human36M_subject{subject}_{part}.json"


def _sample_name(records, index: int) -> str:
    path = image_path(records, index)
    return "_".join((*path.parts[-2:-1], path.stem))


class Human36M(RecordDataset):
    """One sample per annotated person, ordered by image name."""

    name = "Human36M"
    frame_step = FRAME_STEP
    image_folder = "images"
    protocol = Protocol(
        target_set="human36",
        annotated_set="human36",
        input_sets=("human36", "coco"),
        test_detections=True,
        fit_check=FitCheck(
            error=human36_error,
            threshold=25.0,
            masks={"human36": ("mesh",), "coco": ("mesh", "lift_pose3d")},
        ),
    )
    inspection = Inspection("annotations/Human36M_subject*_data.json")
    mesh_samples = MeshSamples(500, _sample_name, aligned=True)

    @property
    def subjects(self) -> tuple[int, ...]:
        chosen = SUBJECTS[self.cfg.DATASET.human36_protocol][self.mode]
        return chosen[:1] if self.debug else chosen

    def options(self) -> dict:
        return {"protocol": self.cfg.DATASET.human36_protocol}

    @classmethod
    def needed_files(cls, split, root):
        folder, files = root / "data" / cls.name, []
        for subject in SUBJECTS[2][split]:
            for part in PARTS:
                holds = "fits" if part == "smpl_param" else "annotations"
                files.append(NeededFile(_file(folder, subject, part), holds, SOURCES[holds]))
        detections = NeededFile(folder / DETECTIONS, "detections", SOURCES["detections"])
        return [*files, detections] if split == "test" else files

    def files(self) -> list[Path]:
        files = [_file(self.folder, subject, part) for subject in self.subjects for part in PARTS]
        if not self.sources.detections:
            return files
        # here and not where it is read, which a cache makes unnecessary
        if self.cfg.DATASET.input_joint_set != HUMAN36.name:
            raise ValueError(
                f"{DETECTIONS} holds human36 joints: test on Human36M with DATASET.input_joint_set human36, or with "
                "use_gt_input True"
            )
        return [*files, self.folder / DETECTIONS]

    def parse(self):
        detections = None
        if self.sources.detections:
            path = self.files()[-1]
            detections = Detections(path, read_json(path, dict), HUMAN36.keypoint_num, "image")
        people = People()
        for subject in self.subjects:
            self._read(people, subject)
        columns, skipped = people.columns()
        names = np.array([_bare(name.decode()) for name in columns["image"]])
        order = np.argsort(names, kind="stable")
        columns = sort_rows(columns, order)
        columns["betas"] = clamp_betas(columns["betas"])
        columns["joint_cam"] = columns["joint_cam"] @ columns["cam_R"].transpose(0, 2, 1) + columns["cam_t"][:, None]
        columns["cam_t"] /= MM_PER_M
        if detections is not None:
            columns["detections"] = self.detected(detections, names[order].tolist())
        return columns, skipped

    def _read(self, people: People, subject: int) -> None:
        """Adds the persons of a subject, in world millimetres still, and counts those that are left out."""
        path, cameras, joints, fits = paths = [_file(self.folder, subject, part) for part in PARTS]
        data = people.open(path, (cameras, CAMERA_COLUMNS), (joints, ("joint_cam",)), (fits, BODY_COLUMNS))
        trees = dict(zip(paths[1:], (read_json(other, dict) for other in paths[1:])))
        for annotation in data.annotations:
            image = data.image_of(annotation)
            record, view = f"annotation {annotation['id']}", f"image {image['id']}"
            frame = whole_number(path, view, image, "frame_idx")
            if frame % self.frame_step[self.mode]:
                continue
            if field(path, view, image, "subject") != subject:
                raise ValueError(f"{path}: {view} is of subject {shown(image['subject'])}, expected {subject}")
            action, subaction = (whole_number(path, view, image, key) for key in ("action_idx", "subaction_idx"))
            moment = (str(action), str(subaction), str(frame))
            fit = find(fits, record, trees[fits], *moment)
            if fit is None:
                people.skip("without an SMPL fit")
            elif people.usable(annotation):
                camera = str(whole_number(path, view, image, "cam_idx"))
                lens = field(cameras, f"for cam_idx of {view}, the file", trees[cameras], camera)
                people.add(
                    annotation,
                    image,
                    joint_cam=field(joints, record, trees[joints], *moment),
                    action=_action(path, view, image, action),
                    **{
                        column: field(cameras, f"camera {camera}", lens, key)
                        for column, key in zip(CAMERA_COLUMNS, ("R", "t", "f", "c"))
                    },
                    **body_fit(fits, record, fit),
                )

    def sort_keys(self):
        return {"image name": np.array([_bare(name.decode()) for name in self.records["image"]])}

    def annotation(self, posed, places):
        return {"truth": posed.rows["joint_cam"].numpy()}

    def evaluator(self, joint_set, full=True, regressor=None):
        build = lift_evaluator if regressor is None else mesh_evaluator
        frames = f"every {FRAME_STEP['test']}th frame of {' and '.join(f'S{subject}' for subject in self.subjects)}"
        setting = f"{frames} (protocol {self.cfg.DATASET.human36_protocol} of subjects)"
        return build(self, joint_set, full, regressor).described(setting)


def _bare(name: str) -> str:
    """An image's name without its folder."""
    return name.rpartition("/")[2]


def _action(path: Path, view: str, image: dict, index: int) -> int:
    """Index into ``ACTIONS`` of an image: what its name says, or else what the entry says."""
    match = ACTION_PATTERN.search(_bare(text(path, view, image, "file_name")))
    action = (int(match[1]) if match else index) - FIRST_ACTION
    if not 0 <= action < len(ACTIONS):
        last = FIRST_ACTION + len(ACTIONS) - 1
        raise ValueError(f"{path}: {view} is of action {action + FIRST_ACTION}, expected {FIRST_ACTION} to {last}")
    return action
