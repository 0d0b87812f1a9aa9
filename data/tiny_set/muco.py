"""MuCo-3DHP: several people per composed image, 21 joints each, and SMPL fits in the camera's frame."""

from pathlib import Path

import numpy as np

from data.tiny_set.people import People, Posed, person_box, project, turn, write_json
from lib.joints.tables import HUMAN36, SMPL
from lib.units import MM_PER_M

SIZE, FOCAL = 2048, 1500.0
JOINT_NOISE = 5.0  # mm
# Where the 21 joints are taken from. Nose stands in for MuCo's "head", which lies between neck and top of the head.
JOINTS = (
    ("human36", "Head"), ("human36", "Neck"), ("human36", "R_Shoulder"), ("human36", "R_Elbow"), ("human36", "R_Wrist"),
    ("human36", "L_Shoulder"), ("human36", "L_Elbow"), ("human36", "L_Wrist"), ("human36", "R_Hip"),
    ("human36", "R_Knee"), ("human36", "R_Ankle"), ("human36", "L_Hip"), ("human36", "L_Knee"), ("human36", "L_Ankle"),
    ("human36", "Pelvis"), ("human36", "Torso"), ("human36", "Nose"), ("smpl", "R_Hand"), ("smpl", "L_Hand"),
    ("smpl", "R_Toe"), ("smpl", "L_Toe"),
)  # fmt: skip
EXTRA = ("no fit", "not a number", "thin box")  # images after the ``samples`` good ones, by their nearest person
NEAR, FAR = (3.3, 4.0), (4.3, 5.0)  # metres from the camera


def write_muco(root: Path, people: People, samples: int) -> None:
    """``samples`` usable images with two people each, the nearer of whom counts, and some that are left out."""
    folder = root / "data" / "MuCo" / "data"
    kinds = [""] * samples + list(EXTRA)
    images, annotations, fits = [], [], {}
    for number, kind in enumerate(kinds):
        focal = np.array([FOCAL, FOCAL + number])
        image = {"id": number, "file_name": f"unaugmented_set/{number:02d}/{number:06d}.jpg"}
        images.append(image | {"width": SIZE, "height": SIZE, "f": focal, "c": np.full(2, SIZE / 2)})
        shape = people.shapes(2)
        trans = people.translation(shape, np.concatenate([people.places(1, NEAR), people.places(1, FAR)]))
        pose = turn(people.views(2), people.poses(2))
        joints = MM_PER_M * muco_joints(people.pose(pose, shape, trans))
        joints += people.rng.normal(0.0, JOINT_NOISE, joints.shape)
        joint_img = project(joints, focal, np.full(2, SIZE / 2))
        boxes = person_box(joint_img)
        # the nearer person is not always the first
        for place, row in enumerate(people.rng.permutation(2)):
            case = kind if row == 0 else ""
            annotation_id = 10 * number + place
            annotations.append(
                {
                    "id": annotation_id,
                    "image_id": number,
                    "keypoints_cam": joints[row],
                    "keypoints_img": joint_img[row],
                    "keypoints_vis": [True] * len(JOINTS),
                    "bbox": boxes[row] * (1, 1, 0 if case == "thin box" else 1, 1),
                }
            )
            if case != "no fit":
                lost = np.nan if case == "not a number" else 1.0
                fits[str(annotation_id)] = {"pose": pose[row] * lost, "shape": shape[row], "trans": trans[row]}
    write_json(folder / "MuCo-3DHP.json", {"images": images, "annotations": annotations})
    write_json(folder / "smpl_param.json", fits)


def muco_joints(posed: Posed) -> np.ndarray:
    """MuCo's 21 joints (N, 21, 3), metres."""
    sets = {"human36": (HUMAN36, posed.human36), "smpl": (SMPL, posed.kinematic)}
    return np.stack([sets[name][1][:, sets[name][0].index(joint)] for name, joint in JOINTS], axis=1)
