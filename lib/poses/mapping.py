"""Joints of a source to those of a joint set.

``RECIPES`` is the one table: for every joint of every set the ways to get it, best first, each a weighted mean of roles
(``lib.poses.sources``) with weights that sum to 1. A person's joint takes the first way whose joints that person has.
Left sides are listed, right sides mirror them, so mapping and mirroring can be exchanged.

Ways with several joints other than plain means are least-squares fits on projections of the open body, poses drawn from
the pose prior, and tested on the open benchmark: ``lib/poses/README.md`` has the distances. Joints that are further
than 3 % of the person's size from every such mean stay unmapped: ``lib.poses.missing`` fills them from all the others.
"""

import itertools
from functools import cache
from pathlib import Path

import numpy as np

from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set

from .sources import Source, get_source, mirrored

Recipe = dict[str, float]

_MOST_WAYS = 256  # to get a mean; those of means of means multiply

# roles that most sources lack and that follow from two others
VIRTUAL: dict[str, tuple[Recipe, ...]] = {
    "Pelvis": ({"L_Hip": 0.5, "R_Hip": 0.5},),
    "Neck": ({"L_Shoulder": 0.5, "R_Shoulder": 0.5},),
    "Ears": ({"L_Ear": 0.5, "R_Ear": 0.5},),
}
_THORAX = ({"Thorax": 1.0}, {"Neck": 0.65, "Ears": 0.35}, {"Neck": 1.13, "Pelvis": -0.13}, {"Neck": 1.0})
_MIDSPINE = ({"MidSpine": 1.0}, {"Pelvis": 0.49, "Neck": 0.51})

RECIPES: dict[str, dict[str, tuple[Recipe, ...]]] = {
    "human36": {
        "Torso": _MIDSPINE,
        "Neck": _THORAX,
        "Head": ({"HeadTop": 1.0}, {"Ears": 1.64, "Neck": -0.64}, {"Skull": 2.37, "Thorax": -1.37}),
    },
    "coco": {
        "L_Eye": ({"L_Eye": 1.0}, {"Nose": 0.77, "HeadTop": 0.23, "L_Shoulder": 0.07, "R_Shoulder": -0.07}),
        "L_Ear": ({"L_Ear": 1.0}, {"Nose": 0.04, "HeadTop": 0.6, "L_Shoulder": 0.36}),
        # as in training, whatever joints of these names a detector has
        "Pelvis": (*VIRTUAL["Pelvis"], {"Pelvis": 1.0}),
        "Neck": (*VIRTUAL["Neck"], {"Neck": 1.0}),
    },
    "smpl": {
        "Torso": (
            {"LowSpine": 1.0},
            {"Pelvis": 0.16, "MidSpine": 0.98, "Thorax": -0.14},
            {"Pelvis": 0.66, "Neck": 0.34},
        ),
        "Spine": _MIDSPINE,
        "Chest": (
            {"HighSpine": 1.0},
            {"Pelvis": -0.18, "MidSpine": 0.9, "Thorax": 0.28},
            {"Pelvis": 0.23, "Neck": 0.77},
        ),
        "Neck": _THORAX,
        "Head": ({"Skull": 1.0}, {"Ears": 0.88, "Neck": 0.12}, {"HeadTop": 0.4, "Thorax": 0.6}),
        "L_Thorax": ({"L_Collar": 1.0}, {"Neck": 0.86, "L_Shoulder": 0.14}),
        "L_Hand": ({"L_Hand": 1.0}, {"L_Index": 0.5, "L_Pinky": 0.5}, {"L_Wrist": 1.39, "L_Elbow": -0.39}),
        "L_Toe": (
            {"L_Toe": 1.0},
            {"L_BigToe": 0.39, "L_SmallToe": 0.39, "L_Ankle": 0.22},
            {"L_BigToe": 0.75, "L_Ankle": 0.25},
            {"L_FootIndex": 0.75, "L_Ankle": 0.25},
        ),
    },
    "mano": {},
}
"""Ways to get the joints of a set; a joint that is not listed is the source's joint of that name."""


def map_pose(
    poses: np.ndarray, source: str | Path | JointSet | Source, joint_set: str | JointSet, joint_score: float = 0.0
) -> np.ndarray:
    """Poses of a source in the joint order of a set.

    Args:
        poses: (N, J, 3) x, y and score, or (N, J, 2), taken as certain. Derived joints of a user's own set may be left
            out when it is the source.
        source: see ``lib.poses.get_source``.
        joint_set: see ``lib.joints.lookup.get_joint_set``.
        joint_score: source joints with NaN coordinates or a score up to this are missing.

    Returns:
        (N, Jt, 3) float32. The score is the smallest of those used; joints that cannot be had are NaN with score 0.

    Raises:
        ValueError: unknown names, wrong number of joints, or a hand for a body set.
    """
    origin, target = _pair(source, joint_set)
    poses = np.asarray(poses)
    poses = origin.with_derived(poses) if poses.ndim == 3 else poses
    if poses.ndim != 3 or poses.shape[1] != origin.joint_num or poses.shape[2] not in (2, 3):
        raise ValueError(
            f"expected poses (N, {origin.joint_num}, 2 or 3) of source {origin.name!r}, got {poses.shape}; "
            f"joints in order: {origin.describe()}"
        )
    poses = poses.astype(np.float64)
    if poses.shape[2] == 2:
        poses = np.concatenate([poses, np.ones_like(poses[..., :1])], axis=2)
    missing = ~np.isfinite(poses).all(axis=2) | ~(poses[..., 2] > joint_score)
    poses = np.where(missing[..., None], [np.nan, np.nan, 0.0], poses)

    roles = {role: poses[:, index] for index, role in enumerate(origin.role_names)}
    for role, ways in VIRTUAL.items():
        roles[role] = _first_way(({role: 1.0}, *ways), roles, len(poses))
    joints = [_first_way(ways, roles, len(poses)) for ways in recipes(target, origin).values()]
    return np.stack(joints, axis=1).astype(np.float32)


def unmapped(source: str | Path | JointSet | Source, joint_set: str | JointSet) -> tuple[str, ...]:
    """Joints of the set that the source does not determine, see ``RECIPES``."""
    return tuple(joint for joint, way in ways_used(source, joint_set).items() if way is None)


def approximated(source: str | Path | JointSet | Source, joint_set: str | JointSet) -> tuple[str, ...]:
    """Joints of the set that are weighted means of the source's joints, derived pelvis and neck of coco left out."""
    derived = {get_joint_set(joint_set).joints[joint] for joint, _ in get_joint_set(joint_set).derived}
    ways = ways_used(source, joint_set)
    return tuple(joint for joint, way in ways.items() if way is not None and len(way) > 1 and joint not in derived)


def describe_mapping(source: str | Path | JointSet | Source, joint_set: str | JointSet) -> list[str]:
    """One line per joint of the set: how it comes about."""
    return [
        f"{joint}: " + (" + ".join(f"{weight:g} {role}" for role, weight in way.items()) if way else "unmapped, filled")
        for joint, way in ways_used(source, joint_set).items()
    ]


def ways_used(source: str | Path | JointSet | Source, joint_set: str | JointSet) -> dict[str, Recipe | None]:
    """The way each joint of the set is had from a source that misses nothing; None when there is none."""
    origin, target = _pair(source, joint_set)
    known = set(origin.role_names)
    known |= {role for role, ways in VIRTUAL.items() if any(set(way) <= known for way in ways)}
    ways_to = recipes(target, origin)
    return {joint: next((way for way in ways if set(way) <= known), None) for joint, ways in ways_to.items()}


def recipes(joint_set: str | JointSet, origin: Source | None = None) -> dict[str, tuple[Recipe, ...]]:
    """The ways to get each joint of a set, in the set's order, both sides.

    Args:
        joint_set: see ``lib.joints.lookup.get_joint_set``.
        origin: where the poses come from; a user's own set is taken from itself joint by joint.
    """
    target = get_joint_set(joint_set)
    if target.sources:
        roles = dict(zip(origin.joints, origin.role_names)) if origin is not None and origin.joint_set == target else {}
        return _own_recipes(target, roles)
    table = RECIPES.get(target.name, {})
    table = table | {
        mirrored(joint): tuple({mirrored(role): weight for role, weight in way.items()} for way in ways)
        for joint, ways in table.items()
        if mirrored(joint) != joint
    }
    return {joint: table.get(joint, ({joint: 1.0},)) for joint in target.joints}


def _own_recipes(target: JointSet, roles: dict[str, str]) -> dict[str, tuple[Recipe, ...]]:
    """Ways to get the joints of a user's own set, by what its file says about them.

    A joint that is one of a built-in set, or a mean of such, is had as that joint is; any joint, last of all, is the
    source's joint of its name. Derived joints are means, as in training.

    Args:
        roles: of its joints where the poses are in the set's own joints, which are then taken as they are; else empty.
    """
    sources = dict(zip(target.joints, target.sources))
    derived = {target.joints[joint]: [target.joints[parent] for parent in pair] for joint, pair in target.derived}

    @cache
    def ways(name: str) -> tuple[Recipe, ...]:
        if "." in name:
            set_name, _, joint = name.partition(".")
            return recipes(set_name)[joint]
        own = {roles.get(name, name): 1.0}
        if name in derived:
            return (*_means([ways(parent) for parent in derived[name]]), own)
        if roles or not sources[name].mean:
            return (own,)
        return (*_means([ways(part) for part in sources[name].mean]), own)

    return {joint: ways(joint) for joint in target.joints}


def _means(parts: list[tuple[Recipe, ...]]) -> list[Recipe]:
    """The mean of several joints, by every combination of ways to get them, the first of very many."""
    means = []
    for chosen in itertools.islice(itertools.product(*parts), _MOST_WAYS):
        mean: Recipe = {}
        for way in chosen:
            for role, weight in way.items():
                mean[role] = mean.get(role, 0.0) + weight / len(chosen)
        means.append(mean)
    return means


def _pair(source: str | Path | JointSet | Source, joint_set: str | JointSet) -> tuple[Source, JointSet]:
    origin, target = get_source(source), get_joint_set(joint_set)
    if origin.body != target.body:
        raise ValueError(
            f"source {origin.name!r} is a {origin.body}, joint set {target.name!r} a {target.body}; choose another "
            "--joint_set"
        )
    return origin, target


def _first_way(ways: tuple[Recipe, ...], roles: dict[str, np.ndarray], count: int) -> np.ndarray:
    """(N, 3) joint by the first way that each person allows; NaN with score 0 where none does."""
    joint = np.tile([np.nan, np.nan, 0.0], (count, 1))
    for way in ways:
        if not set(way) <= set(roles):
            continue
        first, *others = (weight * roles[role][:, :2] for role, weight in way.items())
        position = sum(others, start=first)
        score = np.min([roles[role][:, 2] for role in way], axis=0)
        use = np.isnan(joint[:, 0]) & np.isfinite(position[:, 0])
        joint[use] = np.column_stack([position, score])[use]
    return joint
