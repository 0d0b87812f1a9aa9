"""Joint sets by name, file or content."""

from collections.abc import Mapping
from pathlib import Path

from lib.joints.files import SUFFIXES, read_joint_set
from lib.joints.joint_set import JointSet
from lib.joints.tables import JOINT_SETS
from lib.messages import shown


def get_joint_set(value: str | Path | Mapping | JointSet) -> JointSet:
    """A joint set.

    Args:
        value: name of a built-in set, path of a joint set file (``.yml``) or its content as settings carry it; a joint
            set itself is given back.

    Raises:
        ValueError: unknown name (the message lists the known ones), or content that describes no joint set.
        FileNotFoundError: no such file.
    """
    if isinstance(value, JointSet):
        return value
    if isinstance(value, str) and value in JOINT_SETS:
        return JOINT_SETS[value]
    if isinstance(value, str) and not value.lower().endswith(SUFFIXES):
        raise ValueError(
            f"unknown joint set {shown(value)}; choose one of {', '.join(JOINT_SETS)} or a joint set file (.yml)"
        )
    return read_joint_set(value)
