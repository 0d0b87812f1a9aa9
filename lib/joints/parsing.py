"""From the content of a joint set file (see ``lib/joints/files.py``) to a `JointSet`, with every entry checked."""

import warnings
from collections.abc import Mapping

import numpy as np

from lib.joints.joint_set import JointSet
from lib.joints.sources import JointSource, VertexWeights, find_cycle
from lib.joints.tables import JOINT_SETS
from lib.messages import naming, shown, shown_name, shown_names

MOST_JOINTS = 256  # more than bodies with hands and faces have


def unique(values: list, where: str) -> list:
    """``values``, or a ValueError that starts with ``where`` when one is there twice."""
    seen = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{where}: {shown(value)} is given twice")
        seen.add(value)
    return values


def checked_names(joints: list, source: str) -> list[str]:
    """Joint names, or a ValueError about the first that is none; or about their number."""
    if len(joints) > MOST_JOINTS:
        raise ValueError(f"{source}: {len(joints)} joints, at most {MOST_JOINTS} are sensible")
    for joint in joints:
        if not isinstance(joint, str) or not joint or "." in joint:
            raise ValueError(
                f"{source}: joint name {shown(joint)} must be a text without dots (quote Yes, No, On, Off)"
            )
    return joints


def parse(content: dict, source: str) -> JointSet:
    """The joint set that a content without files describes.

    Raises:
        ValueError: the message names the entry.
    """
    name, kind = content.get("name"), content.get("body", "body")
    if not isinstance(name, str) or not name or name in JOINT_SETS:
        raise ValueError(f"{source}: name: {shown(name)} must be a text other than {', '.join(JOINT_SETS)}")
    if kind not in ("body", "hand"):
        raise ValueError(f"{source}: body: {shown(kind)} is not body or hand")
    joints = tuple(content["joints"])
    lookup = _Lookup(joints, source)
    if "root" not in content or not content.get("bones"):
        raise ValueError(f"{source}: root and bones are missing" if "root" not in content else f"{source}: no bones")
    flips = lookup.pairs(content.get("flip_pairs"), "flip_pairs")
    _check_flips(flips, joints, source)
    derived = _derived(content.get("derived") or {}, lookup)
    sources = tuple(
        _source(content["joints"][joint], joint, joints, kind, source) for joint in joints[: len(joints) - len(derived)]
    )
    cycle = find_cycle(dict(zip(joints, sources)))
    if cycle:
        raise ValueError(f"{source}: joints are means of each other: {' -> '.join(cycle)}")
    links, scored = content.get("graph_links"), content.get("eval_joints")
    joint_set = JointSet(
        name=name,
        joints=joints,
        root=lookup.index(content["root"], "root"),
        bones=lookup.pairs(content["bones"], "bones"),
        graph_links=flips if links is None else lookup.pairs(links, "graph_links"),
        flip_pairs=flips,
        eval_joints=tuple(range(len(joints))) if scored is None else lookup.indices(scored, "eval_joints"),
        derived=derived,
        body=kind,
        sources=sources,
    )
    _warn_disconnected(joint_set, source)
    return joint_set


class _Lookup:
    """Joint indices of names (or of indices, checked)."""

    def __init__(self, joints: tuple[str, ...], source: str):
        self.joints, self.source = joints, source

    def index(self, joint, where: str) -> int:
        if type(joint) is int and 0 <= joint < len(self.joints):
            return joint
        if type(joint) is int:
            raise ValueError(f"{self.source}: {where}: joint {joint} is out of range, there are {len(self.joints)}")
        if joint not in self.joints:
            raise ValueError(f"{self.source}: {where}: no joint {shown(joint)}; there are {shown_names(self.joints)}")
        return self.joints.index(joint)

    def indices(self, values, where: str) -> tuple[int, ...]:
        if not isinstance(values, list) or not values:
            raise ValueError(f"{self.source}: {where}: expected a list of joints, got {shown(values)}")
        return tuple(unique([self.index(value, where) for value in values], f"{self.source}: {where}"))

    def pairs(self, values, where: str) -> tuple[tuple[int, int], ...]:
        if values is not None and not isinstance(values, list):
            raise ValueError(f"{self.source}: {where}: expected a list of pairs, got {shown(values)}")
        pairs = []
        for value in values or []:
            if not isinstance(value, list) or len(value) != 2:
                raise ValueError(f"{self.source}: {where}: expected a pair of joints, got {shown(value)}")
            a, b = (self.index(joint, where) for joint in value)
            if a == b:
                raise ValueError(f"{self.source}: {where}: {shown(value)} pairs a joint with itself")
            pairs.append((a, b))
        return tuple(pairs)


def _check_flips(flips, joints: tuple[str, ...], source: str) -> None:
    used = [joint for pair in flips for joint in pair]
    twice = [joints[joint] for joint in used if used.count(joint) > 1]
    if twice:
        raise ValueError(f"{source}: flip_pairs: {twice[0]} is in two pairs")
    for a, b in flips:
        sides = {joints[a][:2], joints[b][:2]}
        if sides & {"L_", "R_"} and (sides != {"L_", "R_"} or joints[a][2:] != joints[b][2:]):
            warnings.warn(
                f"{source}: flip_pairs: {joints[a]} and {joints[b]} are no left and right joint", stacklevel=2
            )
    sided = [joint for index, joint in enumerate(joints) if joint[:2] in ("L_", "R_") and index not in used]
    if flips and sided:
        warnings.warn(f"{source}: flip_pairs: {', '.join(sided)} would not be mirrored", stacklevel=2)


def _derived(values, lookup: _Lookup) -> tuple[tuple[int, tuple[int, int]], ...]:
    if not isinstance(values, Mapping):
        raise ValueError(f"{lookup.source}: derived: expected joint: [joint, joint], got {shown(values)}")
    derived, count = [], len(lookup.joints)
    for joint, parents in values.items():
        (pair,) = lookup.pairs([parents], f"derived: {joint}")
        derived.append((lookup.index(joint, "derived"), pair))
    derived.sort()
    last = [index for index, _ in derived]
    if last != list(range(count - len(derived), count)):
        raise ValueError(f"{lookup.source}: derived joints must be the last ones: {shown_names(values)}")
    if any(parent in last for _, pair in derived for parent in pair):
        raise ValueError(f"{lookup.source}: a derived joint must be the mean of two joints that are not derived")
    return tuple(derived)


def _source(value, joint: str, joints: tuple[str, ...], kind: str, source: str) -> JointSource:
    """Where a joint is on the mesh."""
    source = f"{source}: joint {shown(joint)}"
    if isinstance(value, str):
        value = {"mean": [value]}
    if not isinstance(value, Mapping):
        raise ValueError(f"{source}: expected a source, got {shown(value)}")
    if "mean" not in value:
        vertices = value["vertices"]
        weights = value.get("weights") or {mesh: None for mesh in vertices}
        if set(weights) != set(vertices) or not vertices:
            raise ValueError(f"{source}: weights and vertices must be for the same meshes")
        return JointSource(vertices=tuple(_vertex_weights(m, vertices[m], weights[m], source) for m in vertices))
    names = value["mean"]
    if not isinstance(names, list) or not names:
        raise ValueError(f"{source}: mean: expected a list of joints, got {shown(names)}")
    for name in names:
        known, _, other = str(name).partition(".")
        if name == joint:
            raise ValueError(f"{source} is a mean of itself")
        if other:
            if known not in JOINT_SETS:
                raise ValueError(f"{source}: no joint set {shown(known)}; there are {', '.join(JOINT_SETS)}")
            if JOINT_SETS[known].body != kind:
                raise ValueError(f"{source}: {name} is a joint of a {JOINT_SETS[known].body}, not of a {kind}")
            with naming(source):
                JOINT_SETS[known].index(other)
        elif name not in joints:
            raise ValueError(
                f"{source}: no joint {shown(name)}; write coco.{shown_name(name)} for a joint of a built-in set"
            )
    return JointSource(mean=tuple(names))


def _vertex_weights(mesh: str, vertices, weights, source: str) -> VertexWeights:
    good = isinstance(vertices, list) and vertices and all(type(v) is int and v >= 0 for v in vertices)
    if not good:
        raise ValueError(f"{source}: vertices of {mesh}: expected a list of vertex numbers, got {shown(vertices)}")
    weights = [1 / len(vertices)] * len(vertices) if weights is None else weights
    if len(weights) != len(vertices) or not all(isinstance(w, (int, float)) and np.isfinite(w) for w in weights):
        raise ValueError(f"{source}: weights of {mesh}: expected {len(vertices)} numbers")
    return VertexWeights(mesh, tuple(unique(vertices, source)), tuple(map(float, weights)))


def _warn_disconnected(joint_set: JointSet, source: str) -> None:
    reached, new = set(), {joint_set.root}
    while new:
        reached |= new
        new = {i for pair in joint_set.bones for i in pair if reached & set(pair)} - reached
    apart = [joint for index, joint in enumerate(joint_set.joints) if index not in reached]
    if apart:
        warnings.warn(f"{source}: no bones lead from the root to {', '.join(apart)}", stacklevel=2)
