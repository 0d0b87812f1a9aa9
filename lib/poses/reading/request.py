"""What the user said about a file of poses, and how a format describes itself."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.poses.sources import get_source

if TYPE_CHECKING:
    from lib.poses.reading.builder import FrameBuilder


@dataclass(frozen=True)
class Request:
    """What the user said about the file.

    Attributes:
        joint_set: joint set that is wanted, where it is known: decides between body and hand, and between sources with
            as many joints.
        source: source that was named; None finds it by the joints' names or their number.
        image_size: width and height, needed for coordinates that are fractions of the image.
    """

    joint_set: str | Path | JointSet | None = None
    source: str | None = None
    image_size: tuple[int, int] | None = None

    @property
    def own_joint_set(self) -> JointSet | None:
        """The user's own joint set, when that is what is wanted."""
        joint_set = None if self.joint_set is None else get_joint_set(self.joint_set)
        return joint_set if joint_set is not None and joint_set.sources else None

    @property
    def body(self) -> str:
        """``body`` or ``hand``."""
        if self.source is not None:
            return get_source(self.source).body
        return "body" if self.joint_set is None else get_joint_set(self.joint_set).body


@dataclass(frozen=True)
class Format:
    """One layout of text files.

    Attributes:
        title: what the tool's files are called.
        layout: in words and by example, for messages.
        matches: whether a file's content has this layout.
        add: hands the people of a file's content to the builder; the name is the frame's where the content has none.
        per_image: a file holds one image, so that a folder of them may be a film.
    """

    title: str
    layout: str
    matches: Callable[[object], bool]
    add: Callable[["FrameBuilder", object, str], None]
    per_image: bool = False
