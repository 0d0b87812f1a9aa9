"""SURREAL: rendered people in small images, SMPL in the camera's frame, detections of the 24 SMPL joints."""

from pathlib import Path

import numpy as np

from data.tiny_set.people import People, person_box, project, turn, write_json
from lib.units import MM_PER_M

WIDTH, HEIGHT, FOCAL = 320, 240, 600.0
DISTANCE = (5.5, 7.5)  # metres
PIXEL_NOISE = 2.0
GENDERS = ("female", "male")


def write_surreal(root: Path, people: People, samples: int) -> None:
    """``samples`` images each of the splits that files call train and val (the test split), and one thin box."""
    folder = root / "data" / "SURREAL" / "data"
    for place, split in enumerate(("train", "val")):
        count = samples + 1
        pose, shape = turn(people.views(count), people.poses(count)), people.shapes(count)
        # files are in no order; programs sort them by image id
        ids = people.rng.permutation(count) + 1
        images, annotations, detections = [], [], []
        for row, image_id in enumerate(ids.tolist()):
            gender = GENDERS[row % 2]
            one = slice(row, row + 1)
            trans = people.translation(shape[one], people.places(1, DISTANCE), gender)
            joint_cam = people.pose(pose[one], shape[one], trans, gender).kinematic[0]
            joint_img = project(joint_cam, (FOCAL, FOCAL), (WIDTH / 2, HEIGHT / 2))
            box = person_box(joint_img)
            if row == samples:
                box[2] = 0.0
            annotation_id = 1000 * place + row
            camera = {"focal": [FOCAL, FOCAL], "princpt": [WIDTH / 2, HEIGHT / 2], "R": np.eye(3), "t": np.zeros(3)}
            file_name = f"0{place}_01/0{place}_01_c0001/{image_id}.jpg"
            image = {"id": image_id, "file_name": file_name, "width": WIDTH, "height": HEIGHT}
            images.append(image | {"cam_param": camera})
            annotations.append(
                {
                    "id": annotation_id,
                    "image_id": image_id,
                    "bbox": box,
                    "joint_cam": MM_PER_M * joint_cam,
                    "smpl_param": {"pose": pose[row], "shape": shape[row], "trans": trans[0], "gender": gender},
                }
            )
            if row < samples:
                points = people.detections(joint_img, PIXEL_NOISE)
                detections.append({"image_id": image_id, "annotation_id": annotation_id, "keypoints": points})
        write_json(folder / f"{split}.json", {"images": images, "annotations": annotations})
        write_json(folder / f"hrnet_output_on_{split}set.json", detections)
