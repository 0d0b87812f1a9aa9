"""Bodies with another skeleton than SMPL's: the same surface, on SMPL's 24 joints.

Poses of data sets, priors and fits turn SMPL's joints. Further joints of a rig (fingers, jaw, eyes, twist bones) stay
at rest and follow their ancestor as one rigid piece, so their skinning weights can be given to it: the vertices of any
such pose are exactly those of the whole rig.
"""

import re

import numpy as np

from lib.joints.tables import SMPL

# SMPL's joints under the names of SMPL-X and its kin, in the order of the joint set smpl
_SMPLX_NAMES = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle",
    "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder",
    "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hand", "right_hand",
)  # fmt: skip
_HANDS = (22, 23)  # the only joints of SMPL that other rigs of its family do without
NAMES_KEY = "joint_names"
# arrays of a model file that have an axis of joints
_JOINT_AXIS = ("J_regressor", "J", "kintree_table", "weights", "posedirs")


def _plain(name: str) -> str:
    """A joint's name without case and separators; ``L_`` and ``left_`` are one."""
    name = re.sub(r"^(l|left|r|right)[_ .-]", lambda side: side[1][0].lower() + "_", str(name), flags=re.IGNORECASE)
    return re.sub(r"[ .-]", "_", name).lower()


def smpl_joints(names: list[str] | None, joint_num: int, source: str) -> list[int | None]:
    """The rig's joint that is each of SMPL's 24; None for a hand joint that it lacks.

    Args:
        names: the rig's joint names, of SMPL or SMPL-X in any spelling; None: its first 22 joints are SMPL's, as in
            SMPL+H and SMPL-X.
        joint_num: joints of the rig.
        source: named in errors.

    Raises:
        ValueError: a joint that a body cannot do without is not found.
    """
    if names is None:
        found: list[int | None] = [joint if joint < min(joint_num, _HANDS[0]) else None for joint in range(24)]
    else:
        place = {_plain(name): number for number, name in enumerate(names)}
        spellings = zip(map(_plain, SMPL.joints), map(_plain, _SMPLX_NAMES))
        found = [next((place[name] for name in pair if name in place), None) for pair in spellings]
    missing = [SMPL.joints[joint] for joint, number in enumerate(found) if number is None and joint not in _HANDS]
    if missing:
        hint = f"the array {NAMES_KEY} should name the rig's joints" if names is None else f"{NAMES_KEY} lacks them"
        raise ValueError(
            f"{source}: no {', '.join(missing)} among its {joint_num} joints; {hint} (as SMPL or SMPL-X name them)"
        )
    return found


def on_smpl_joints(arrays: dict[str, np.ndarray], source: str) -> dict[str, np.ndarray]:
    """A body model's arrays on SMPL's skeleton; a model that has it is given back as it is.

    Args:
        arrays: checked arrays of a file (``lib.body.model_file.load_model_arrays``), optionally with ``joint_names``
            (K,) text.
        source: named in errors.

    Returns:
        The arrays with 24 joints; a hand joint that the rig lacks lies in the middle of the joints behind the wrist and
        moves nothing.

    Raises:
        ValueError: see ``smpl_joints``; or as many names as joints are not there.
    """
    parents = arrays["kintree_table"][0].astype(np.int64)
    joint_num = len(parents)
    if joint_num == SMPL.joint_num and NAMES_KEY not in arrays:
        return arrays
    names = arrays[NAMES_KEY].ravel().tolist() if NAMES_KEY in arrays else None
    if names is not None and len(names) != joint_num:
        raise ValueError(f"{source}: {len(names)} {NAMES_KEY} for {joint_num} joints")
    found = smpl_joints(names, joint_num, source)
    number = {rig: joint for joint, rig in enumerate(found) if rig is not None}
    pelvis = found[0]
    assert pelvis is not None  # smpl_joints lets only hand joints be missing

    def ancestor(rig: int) -> int:
        """SMPL's joint that a joint of the rig follows."""
        while rig not in number:
            rig = int(parents[rig]) if rig else pelvis
        return number[rig]

    # joints above the pelvis follow it, as the pelvis is the root of every pose
    follows = np.array([ancestor(rig) for rig in range(joint_num)])
    weights = np.zeros((len(arrays["weights"]), SMPL.joint_num))
    np.add.at(weights.T, follows, arrays["weights"].T.astype(np.float64))
    rows = [_joint_rows(rig, joint, parents, found) for joint, rig in enumerate(found)]
    posedirs = arrays["posedirs"].reshape(*arrays["posedirs"].shape[:2], joint_num - 1, 9)
    still = np.zeros_like(posedirs[:, :, 0])
    blend = np.stack([still if rig is None else posedirs[:, :, rig - 1] for rig in found[1:]], axis=2)
    below = list(enumerate(found))[1:]
    tree = [joint - 2 if rig is None else ancestor(int(parents[rig])) for joint, rig in below]
    first = arrays["kintree_table"][0, 0]
    return {
        **{key: value for key, value in arrays.items() if key not in (*_JOINT_AXIS, NAMES_KEY)},
        "kintree_table": np.stack([np.array([first, *tree]), np.arange(SMPL.joint_num)]),
        "weights": weights,
        "J_regressor": np.stack([arrays["J_regressor"][row].mean(axis=0) for row in rows]),
        "posedirs": blend.reshape(*blend.shape[:2], -1),
    }


def _joint_rows(rig: int | None, joint: int, parents: np.ndarray, found: list[int | None]) -> list[int]:
    """Joints of the rig whose mean is SMPL's ``joint``: itself, or for a missing hand those behind the wrist."""
    if rig is not None:
        return [rig]
    wrist = found[joint - 2]
    return (np.flatnonzero(parents[1:] == wrist) + 1).tolist() or [wrist]
