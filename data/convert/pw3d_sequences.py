"""The sequence files of 3DPW: their names by split, where they lie, and reading them without executing anything.

Source: ``sequenceFiles/<split>/<name>.pkl`` and ``imageFiles/<name>/image_00000.jpg`` of the official download
(von Marcard et al., ECCV 2018; https://virtualhumans.mpi-inf.mpg.de/3DPW/).
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.body.model_file import SHAPE_NUM
from lib.body.safe_pickle import load_entries, to_array
from lib.files.images import read_image
from lib.messages import one_line, shown, shown_names

SOURCE = "get sequenceFiles.zip and imageFiles.zip from https://virtualhumans.mpi-inf.mpg.de/3DPW/"
JOINTS, POSE, OPENPOSE = 24, 72, 18

# The order decides image and annotation ids, which detection files refer to.
SEQUENCES = {
    "train": (
        "courtyard_rangeOfMotions_00", "courtyard_dancing_01", "courtyard_warmWelcome_00", "outdoors_slalom_00",
        "outdoors_climbing_00", "courtyard_box_00", "courtyard_shakeHands_00", "courtyard_backpack_00",
        "courtyard_capoeira_00", "courtyard_giveDirections_00", "outdoors_climbing_02", "courtyard_captureSelfies_00",
        "courtyard_bodyScannerMotions_00", "courtyard_golf_00", "courtyard_relaxOnBench_00", "courtyard_basketball_00",
        "courtyard_laceShoe_00", "courtyard_goodNews_00", "courtyard_jacket_00", "courtyard_relaxOnBench_01",
        "outdoors_climbing_01", "outdoors_slalom_01", "outdoors_freestyle_00", "courtyard_arguing_00",
    ),
    "validation": (
        "courtyard_hug_00", "outdoors_freestyle_01", "courtyard_drinking_00", "outdoors_parcours_00",
        "courtyard_rangeOfMotions_01", "outdoors_parcours_01", "outdoors_crosscountry_00", "courtyard_dancing_00",
        "courtyard_basketball_01", "outdoors_golf_00", "courtyard_jumpBench_01", "downtown_walkDownhill_00",
    ),
    "test": (
        "downtown_runForBus_01", "downtown_walkBridge_01", "flat_guitar_01", "downtown_walkUphill_00",
        "downtown_upstairs_00", "office_phoneCall_00", "downtown_rampAndStairs_00", "downtown_runForBus_00",
        "downtown_downstairs_00", "downtown_bar_00", "downtown_arguing_00", "downtown_crossStreets_00",
        "downtown_weeklyMarket_00", "downtown_car_00", "downtown_warmWelcome_00", "downtown_sitOnStairs_00",
        "outdoors_fencing_01", "downtown_walking_00", "flat_packBags_00", "downtown_cafe_00", "downtown_stairs_00",
        "downtown_windowShopping_00", "downtown_enterShop_00", "downtown_bus_00",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Person:
    """One person of a sequence of F frames; metres, radians, world frame.

    Attributes:
        pose (F, 72), betas (10,), trans (F, 3): SMPL parameters.
        joints: (F, 24, 3) SMPL joints.
        gender: ``female`` or ``male``.
        valid: (F,) bool, whether the camera pose of the frame fits this person.
        openpose: (F, 18, 3) detections x, y, score in pixels.
    """

    pose: np.ndarray
    betas: np.ndarray
    trans: np.ndarray
    joints: np.ndarray
    gender: str
    valid: np.ndarray
    openpose: np.ndarray


@dataclass(frozen=True)
class Sequence:
    """One sequence.

    Attributes:
        name: as in the file.
        extrinsics: (F, 4, 4) world to camera, metres.
        intrinsics: (3, 3) pixels.
        people: one entry per person.
    """

    name: str
    extrinsics: np.ndarray
    intrinsics: np.ndarray
    people: tuple[Person, ...]


def present_splits(folder: Path) -> list[str]:
    """Splits whose folder of sequence files exists.

    Raises:
        FileNotFoundError: none does.
    """
    splits = [split for split in SEQUENCES if (folder / "sequenceFiles" / split).is_dir()]
    if not splits:
        raise FileNotFoundError(f"no folder of {', '.join(SEQUENCES)} in {folder / 'sequenceFiles'}; {SOURCE}")
    return splits


def sequence_files(folder: Path, split: str, names: tuple[str, ...] | None = None) -> list[Path]:
    """The sequence files of a split, in the order of ``SEQUENCES``.

    Args:
        folder: holds ``sequenceFiles``.
        split: ``train``, ``validation`` or ``test``.
        names: only these; those of other splits are passed over.

    Raises:
        ValueError: unknown split.
        FileNotFoundError: lists the files that are not there.
    """
    if split not in SEQUENCES:
        raise ValueError(f"unknown 3DPW split {split!r}; choose among {', '.join(SEQUENCES)}")
    chosen = [name for name in SEQUENCES[split] if names is None or name in names]
    files = [folder / "sequenceFiles" / split / f"{name}.pkl" for name in chosen]
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise FileNotFoundError(f"3DPW sequence files not found: {', '.join(missing)}; {SOURCE}")
    return files


def read_sequence(path: Path) -> Sequence:
    """Read a sequence file. Nothing in it is executed.

    Raises:
        ValueError: truncated or damaged, missing keys, shapes that do not fit; names the file.
    """
    try:
        with path.open("rb") as file:
            content = load_entries(file)
        sequence = _sequence(content)
        if not re.fullmatch(r"\w+", sequence.name):  # the name of its folder of images
            raise ValueError(f"its name is {shown(sequence.name)}")
        return sequence
    except Exception as error:  # what a damaged pickle raises depends on the byte that was hit
        reason = f"{type(error).__name__}: {one_line(error, 300)}"
        raise ValueError(f"{path} is not a 3DPW sequence file: {reason}; {SOURCE}") from error


def image_size(folder: Path, sequence: str, default: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height of a sequence's images, from its first image.

    Args:
        folder: holds ``imageFiles``.
        default: used when the image is not there.

    Raises:
        FileNotFoundError: no image and no default.
        ValueError: the file is no image.
    """
    path = folder / "imageFiles" / sequence / "image_00000.jpg"
    if not path.is_file():
        if default is not None:
            return default
        raise FileNotFoundError(
            f"{path} not found: the size of the images is read from it; {SOURCE}, or give --image_size WIDTH HEIGHT"
        )
    image = read_image(path)
    return image.shape[1], image.shape[0]


def _sequence(content) -> Sequence:
    if not isinstance(content, dict):
        raise ValueError("it does not hold a dict")
    extrinsics = _array(_entry(content, "cam_poses"), "cam_poses", (None, 4, 4))
    intrinsics = _array(_entry(content, "cam_intrinsics"), "cam_intrinsics", (3, 3))
    people = tuple(_person(content, person, extrinsics) for person in range(len(_per_person(content, "poses"))))
    return Sequence(str(to_array(_entry(content, "sequence"))), extrinsics, intrinsics, people)


def _person(content: dict, person: int, extrinsics: np.ndarray) -> Person:
    frames = len(extrinsics)

    def of_person(key: str, shape: tuple | None = None) -> np.ndarray:
        entry = _per_person(content, key)
        if person >= len(entry):
            raise ValueError(f"{key!r} has {len(entry)} entries, too few for person {person}")
        return to_array(entry[person]) if shape is None else _array(entry[person], key, shape)

    gender = str(of_person("genders"))
    if gender not in ("f", "m"):
        raise ValueError(f"gender {shown(gender)} of person {person}, expected f or m")
    betas = of_person("betas", (None,))[:SHAPE_NUM]
    if len(betas) != SHAPE_NUM:
        raise ValueError(f"{len(betas)} betas of person {person}, expected at least {SHAPE_NUM}")
    columns = {"pose": of_person("poses", (frames, POSE)), "trans": of_person("trans", (frames, 3))}
    columns["joints"] = of_person("jointPositions", (frames, 3 * JOINTS)).reshape(frames, JOINTS, 3)
    valid = of_person("campose_valid", (frames,)) != 0
    # only what is used must be right: frames without a camera may hold anything
    for name, rows in {**columns, "camera": extrinsics, "betas": np.broadcast_to(betas, (frames, SHAPE_NUM))}.items():
        bad = np.flatnonzero(valid & ~np.isfinite(rows).reshape(frames, -1).all(axis=1))
        if len(bad):
            raise ValueError(f"{name} of person {person} in frame {bad[0]} holds values that are not finite")
    openpose = of_person("poses2d", (frames, 3, OPENPOSE)).transpose(0, 2, 1)
    return Person(**columns, betas=betas, gender="female" if gender == "f" else "male", valid=valid, openpose=openpose)


def _entry(content: dict, key: str):
    if key not in content:
        raise ValueError(f"no key {key!r}, found {shown_names(content) or 'nothing'}")
    return content[key]


def _per_person(content: dict, key: str) -> list:
    """An entry with one item per person, as a list."""
    entry = _entry(content, key)
    return entry if isinstance(entry, list) else list(to_array(entry))


def _array(entry, key: str, shape: tuple) -> np.ndarray:
    """A float64 array of a shape (None: any size)."""
    array = to_array(entry)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{key!r} does not hold numbers")
    if array.ndim != len(shape) or any(wanted not in (None, size) for wanted, size in zip(shape, array.shape)):
        raise ValueError(f"{key!r} has shape {array.shape}, expected {shape}")
    return array.astype(np.float64)
