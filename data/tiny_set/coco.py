"""COCO: keypoint annotations of training images and SMPLify fits with weak-perspective cameras."""

from pathlib import Path

import numpy as np

from data.tiny_set.people import POSE, People, person_box, turn, write_json
from lib.joints.tables import COCO

WIDTH, HEIGHT = 640, 480
KEYPOINTS = COCO.keypoint_num
HIDDEN = 0.15  # share of keypoints that are not labelled
PIXEL_NOISE, BAD_FIT_NOISE = 1.0, 0.35  # pixels, radians
EXTRA = ("crowd", "no keypoints", "no fit", "bad fit", "thin box")  # people after the ``samples`` good ones


def write_coco(root: Path, people: People, samples: int) -> None:
    """``samples`` usable people and one of each kind that is left out or masked."""
    folder = root / "data" / "COCO" / "annotations"
    kinds = [""] * samples + list(EXTRA)
    count, rng = len(kinds), people.rng
    pose, shape = turn(people.views(count), people.poses(count)), people.shapes(count)
    coco = people.pose(pose, shape, np.zeros((count, 3))).coco[:, :KEYPOINTS]
    scale = rng.uniform(110.0, 160.0, count)
    centre = np.array([WIDTH, HEIGHT]) / 2 + rng.uniform(-30.0, 30.0, (count, 2))
    shift = centre - scale[:, None] * coco[..., :2].mean(axis=1)
    points = scale[:, None, None] * coco[..., :2] + shift[:, None] + rng.normal(0.0, PIXEL_NOISE, (count, KEYPOINTS, 2))
    boxes = person_box(points)
    images, annotations, fits = [], [], {}
    for row, kind in enumerate(kinds):
        image_id, annotation_id = 100 + row, 1000 + row
        labelled = (rng.uniform(size=KEYPOINTS) > HIDDEN) & (kind not in ("crowd", "no keypoints"))
        keypoints = np.concatenate([points[row].round(), np.full((KEYPOINTS, 1), 2.0)], axis=1) * labelled[:, None]
        images.append(_image(image_id))
        annotations.append(
            {
                "id": annotation_id,
                "image_id": image_id,
                "category_id": 1,
                "iscrowd": int(kind == "crowd"),
                "num_keypoints": int(labelled.sum()),
                "area": boxes[row, 2] * boxes[row, 3] / 2,
                "bbox": boxes[row] * (1, 1, 0 if kind == "thin box" else 1, 1),
                "keypoints": keypoints.ravel(),
                "segmentation": [],
            }
        )
        if kind != "no fit":
            error = rng.normal(0.0, BAD_FIT_NOISE, POSE) if kind == "bad fit" else 0.0
            # fits give one scale, or the same one for x and y
            s = [scale[row], scale[row]] if row % 2 else scale[row]
            fits[str(annotation_id)] = {
                "smpl_param": {"pose": pose[row] + error, "shape": shape[row], "trans": np.zeros(3)},
                "cam_param": {"s": np.round(s, 6).tolist(), "t": shift[row]},
            }
    content = {"info": {}, "licenses": [], "images": images, "annotations": annotations, "categories": [_category()]}
    write_json(folder / "person_keypoints_train2017.json", content)
    write_json(folder / "coco_smplify_train.json", fits)


def _image(number: int) -> dict:
    empty = dict.fromkeys(("coco_url", "flickr_url", "date_captured"), "")
    return {"id": number, "file_name": f"{number:012d}.jpg", "width": WIDTH, "height": HEIGHT, "license": 1, **empty}


def _category() -> dict:
    names = [joint.replace("L_", "left_").replace("R_", "right_").lower() for joint in COCO.joints[:KEYPOINTS]]
    bones = [[a + 1, b + 1] for a, b in COCO.bones if max(a, b) < KEYPOINTS]
    return {"id": 1, "name": "person", "supercategory": "person", "keypoints": names, "skeleton": bones}
