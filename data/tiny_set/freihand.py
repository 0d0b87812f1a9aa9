"""FreiHAND: MANO parameters of right hands with a camera, detections, and the published test truth."""

from pathlib import Path

import numpy as np
import torch

from data.tiny_set.people import SHAPE, People, person_box, project, turn, write_json
from lib.body.hand import TIP_VERTICES_LAYER, hand_joints
from lib.body.hand_prior import HandPosePrior
from lib.body.lbs import lbs
from lib.units import MM_PER_M

SIZE, FOCAL = 224, 480.0
DISTANCE = (0.55, 0.8)  # metres
PIXEL_NOISE = 2.0


def write_freihand(root: Path, people: People, samples: int) -> None:
    """``samples`` training and test hands each, and one thin box in training."""
    folder = root / "data" / "FreiHAND" / "data"
    _write_split(folder, "train", "training", "train", people, samples + 1, bad_box=samples)
    joints, vertices = _write_split(folder, "eval", "evaluation", "test", people, samples)
    write_json(folder / "evaluation_xyz.json", joints)
    write_json(folder / "evaluation_verts.json", vertices)


def _write_split(folder: Path, split: str, images_in: str, detected: str, people: People, count: int, bad_box=None):
    """Files of a split; the test split's say nothing about pose and shape.

    Returns:
        joints (count, 21, 3) and vertices (count, 778, 3), metres, camera frame, in the order of db_idx.
    """
    rng = people.rng
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    pose = HandPosePrior.load().sample(count, generator).numpy().astype(np.float64)
    shape = rng.normal(0.0, 0.7, (count, SHAPE))
    rotation, places = people.views(count), people.places(count, DISTANCE, lateral=0.05)
    params = people.params("hand")
    vertices, kinematic = lbs(params, torch.from_numpy(turn(rotation, pose)), torch.from_numpy(shape))
    joints = hand_joints(vertices, kinematic, TIP_VERTICES_LAYER["right"]).numpy()
    trans = places - joints.mean(axis=1)
    joints, vertices = joints + trans[:, None], vertices.numpy() + trans[:, None]
    ids = rng.permutation(count) + 1  # programs sort by image id
    images, annotations, hands, detections = [], [], {}, []
    for row, image_id in enumerate(ids.tolist()):
        camera = {"focal": [FOCAL + row % 5, FOCAL + 1], "princpt": [SIZE / 2, SIZE / 2]}
        joint_img = project(joints[row], camera["focal"], camera["princpt"])
        box = person_box(joint_img) * (1, 1, 0 if row == bad_box else 1, 1)
        file_name = f"{images_in}/rgb/{row:08d}.jpg"
        images.append({"id": image_id, "file_name": file_name, "width": SIZE, "height": SIZE, "db_idx": row})
        annotations.append({"id": 200 + row, "image_id": image_id, "category_id": 1, "iscrowd": 0, "bbox": box})
        if split == "train":
            hands[str(row)] = {
                "cam_param": camera | {"R": rotation[row], "t": trans[row]},
                "mano_param": {"pose": pose[row], "shape": shape[row]},
                "joint_3d": MM_PER_M * joints[row],
            }
        else:
            # the official scale: length of the middle finger's first bone
            scale = np.linalg.norm(joints[row, 9] - joints[row, 10])
            hands[str(row)] = {"cam_param": camera, "scale": scale}
        if row != bad_box:
            points = people.detections(joint_img, PIXEL_NOISE)
            detections.append({"image_id": image_id, "annotation_id": 200 + row, "keypoints": points})
    write_json(folder / f"freihand_{split}_coco.json", {"images": images, "annotations": annotations})
    write_json(folder / f"freihand_{split}_data.json", hands)
    write_json(folder / f"hrnet_output_on_{detected}set.json", detections)
    return joints, vertices
