"""3DPW sequence files to the annotation files of the data set PW3D, ``3DPW_latest_<split>.json``.

Everything in the result is in the frame of the camera: SMPL's root rotation is turned, and its translation corrected
for the root joint not being the origin that SMPL turns about.
"""

import json
from collections.abc import Sequence as SequenceOf
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from data.convert.pw3d_sequences import Person, Sequence, image_size, read_sequence, sequence_files
from lib.body.lbs import BodyParams, joint_transforms
from lib.body.rotation import axis_angle_to_matrix, rotate_root
from lib.files import atomic_write
from lib.geometry.cameras import project
from lib.messages import naming

BOX_SCALE = 1.2  # person boxes are this much larger than the box around the joints


def convert_splits(
    folder: Path,
    output: Path,
    splits: SequenceOf[str],
    neutral: BodyParams,
    names: tuple[str, ...] | None = None,
    size: tuple[int, int] | None = None,
    progress: bool = True,
) -> list[Path]:
    """Convert splits one after the other; image and annotation ids run on across them.

    Args:
        folder: 3DPW's folder, with ``sequenceFiles`` and ``imageFiles``.
        output: where ``3DPW_latest_<split>.json`` are written.
        splits: among ``train``, ``validation``, ``test``; their order decides the ids.
        neutral: SMPL's neutral model, float64 for exact results.
        names: only these sequences (None: all).
        size: width and height of the images of sequences without images.
        progress: show a bar.

    Returns:
        The files written.

    Raises:
        FileNotFoundError: a sequence file (all missing ones are listed before anything is converted) or image.
        ValueError: unknown split, damaged sequence file.
    """
    found = [sequence_files(folder, split, names) for split in splits]
    converter, written = Converter(neutral), []
    for split, files in zip(splits, found):
        images, annotations = [], []
        for path in tqdm(files, desc=split, disable=not progress):
            sequence = read_sequence(path)
            with naming(path):
                part = converter(sequence, image_size(folder, sequence.name, size))
            images += part[0]
            annotations += part[1]
        file = annotation_file(output, split)
        write_coco(file, images, annotations)
        written.append(file)
    return written


def annotation_file(output: Path, split: str) -> Path:
    """Where a converted split is written."""
    return output / f"3DPW_latest_{split}.json"


class Converter:
    """Sequences to images and annotations with running ids.

    Args:
        neutral: SMPL's neutral model.
    """

    def __init__(self, neutral: BodyParams):
        self.neutral = neutral
        self.image_num = 0
        self.annotation_num = 0

    def __call__(self, sequence: Sequence, size: tuple[int, int]) -> tuple[list[dict], list[dict]]:
        """Images (every frame) and annotations (every person in every frame that shows a joint of theirs)."""
        intrinsics, cameras = sequence.intrinsics, sequence.extrinsics
        focal, princpt = np.diag(intrinsics)[:2], intrinsics[:2, 2]
        first = self.image_num
        images = [
            {
                "id": first + frame,
                "file_name": f"image_{frame:05d}.jpg",
                "sequence": sequence.name,
                "frame_idx": frame,
                "width": size[0],
                "height": size[1],
                "cam_param": {"focal": focal, "princpt": princpt, "R": camera[:3, :3], "t": camera[:3, 3]},
            }
            for frame, camera in enumerate(cameras)
        ]
        self.image_num += len(images)
        people = [_in_camera(person, cameras, focal, princpt, size, self.neutral) for person in sequence.people]
        annotations = []
        for frame in range(len(cameras)):
            for number, (person, columns) in enumerate(zip(sequence.people, people)):
                if not person.valid[frame] or np.isnan(columns["bbox"][frame, 0]):
                    continue
                smpl = {
                    "shape": person.betas,
                    "pose": columns["pose"][frame],
                    "trans": columns["trans"][frame],
                    "gender": person.gender,
                }
                rest = ("joint_cam", "joint_img", "fitted_joint_cam", "bbox")
                annotations.append(
                    {
                        "id": self.annotation_num,
                        "image_id": first + frame,
                        "person_id": number,
                        **{key: columns[key][frame] for key in rest},
                        "openpose_result": person.openpose[frame],
                        "smpl_param": smpl,
                    }
                )
                self.annotation_num += 1
        return images, annotations


def camera_smpl(
    pose: torch.Tensor, betas: torch.Tensor, trans: torch.Tensor, cameras: torch.Tensor, neutral: BodyParams
) -> tuple[torch.Tensor, torch.Tensor]:
    """World-frame SMPL parameters in the frame of cameras.

    Args:
        pose: (F, 72) axis-angle. betas: (10,). trans: (F, 3) metres. cameras: (F, 4, 4) world to camera, metres.
        neutral: model whose root joint the translation is corrected with.

    Returns:
        pose (F, 72) and trans (F, 3).
    """
    rotation, shift = cameras[:, :3, :3], cameras[:, :3, 3]
    # The neutral model's root joint also for women and men, as in the annotations that published figures were made
    # with. The offset is constant per person and cancels in everything that is relative to the root.
    root = neutral.J_template[0] + neutral.J_shapedirs[0] @ betas
    pose = torch.cat([rotate_root(rotation, pose[:, :3]), pose[:, 3:]], dim=1)
    turned = (rotation @ (trans + root)[..., None]).squeeze(-1)
    return pose, turned + shift - root


def joint_boxes(joint_img: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boxes x, y, width, height (F, 4) around the joints (F, J, 2) that are inside the image; NaN where none is."""
    inside = ((joint_img >= 0) & (joint_img < np.asarray(size))).all(axis=2)[..., None]
    low = np.where(inside, joint_img, np.inf).min(axis=1)
    high = np.where(inside, joint_img, -np.inf).max(axis=1)
    seen = inside.any(axis=1)
    low, high = np.where(seen, low, np.nan), np.where(seen, high, np.nan)
    extent = BOX_SCALE * (high - low)
    return np.concatenate([(low + high - extent) / 2, extent], axis=1)


def _in_camera(person: Person, cameras, focal, princpt, size, neutral: BodyParams) -> dict[str, np.ndarray]:
    """Columns of one person, a row per frame."""
    kind = neutral.J_template.dtype
    world = [torch.from_numpy(array).to(kind) for array in (person.pose, person.betas, person.trans, cameras)]
    pose, trans = camera_smpl(*world, neutral)
    rest = neutral.J_template + neutral.J_shapedirs @ world[1]
    local = axis_angle_to_matrix(pose.unflatten(1, (-1, 3)))
    fitted = joint_transforms(neutral, local, rest.expand(len(pose), -1, -1))[..., :3, 3] + trans[:, None]
    joint_cam = person.joints @ cameras[:, :3, :3].transpose(0, 2, 1) + cameras[:, None, :3, 3]
    joint_img = project(*(torch.from_numpy(np.array(array)) for array in (joint_cam, focal, princpt))).numpy()
    return {
        "pose": pose.numpy(),
        "trans": trans.numpy(),
        "joint_cam": joint_cam,
        "joint_img": joint_img,
        "fitted_joint_cam": fitted.numpy(),
        "bbox": joint_boxes(joint_img, size),
    }


def write_coco(file: Path, images: list[dict], annotations: list[dict]) -> None:
    """Write ``{"images": [...], "annotations": [...]}``; arrays inside become lists."""
    with atomic_write(file) as stream:
        for key, items, start, end in (("images", images, "{", ", "), ("annotations", annotations, "", "}\n")):
            stream.write(f'{start}"{key}": [')
            for number, item in enumerate(items):
                stream.write(("," if number else "") + "\n" + json.dumps(item, default=np.ndarray.tolist))
            stream.write(f"]{end}")
