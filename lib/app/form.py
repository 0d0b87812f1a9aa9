"""What a user chose on the page, as options of the demo."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lib.app.uploads import Inputs
from lib.demo.options import SMOOTHING, DemoOptions
from lib.joints.tables import JOINT_SETS
from lib.messages import shown, shown_name
from lib.poses.detectors import TOOLS
from lib.poses.people import SIDES

AUTO, FILM, PHOTOS = "auto", "film", "photos"
MESHES = ("auto", "refined", "fitted", "network")
CHOICES: dict[str, tuple[str, ...]] = {
    "joint_set": tuple(JOINT_SETS),
    "mesh": MESHES,
    "smooth": ("", *SMOOTHING),
    "frames": (AUTO, FILM, PHOTOS),
    "hand_side": ("", *SIDES),
    "detector": ("auto", *TOOLS),
}
# meshes of every frame of a film are many files, so that they are a choice of their own
PICTURE_FILES = ("obj", "glb", "ply", "npz", "params", "bvh", "rigged")
FILM_FILES = ("npz", "params", "amass", "bvh", "rigged", "gif", "png", "obj", "glb", "ply")
_LONGEST_TEXT = 200  # characters
_LARGEST = 1e6
_MOST_PEOPLE = 1000


@dataclass(frozen=True)
class Form:
    """The page's choices; what is not told apart here is as in ``DemoOptions``.

    Attributes:
        people: numbers with commas or spaces between them, as they were typed.
        frames: ``auto``, ``film`` or ``photos``: whether frames follow each other.
        format: "": recognised.
        hand_side: "": as the file says.
        picture_files, film_files: formats to write beside what the page shows.
    """

    joint_set: str = "coco"
    mesh: str = "auto"
    people: str = ""
    smooth: str = ""
    constant_shape: bool = False
    turntable: bool = False
    picture_files: tuple[str, ...] = ("obj", "glb", "npz", "params")
    film_files: tuple[str, ...] = ("npz", "params")
    frames: str = AUTO
    format: str = ""
    hand_side: str = ""
    hands: bool = False
    joint_score: float = DemoOptions.joint_score
    fill: bool = True
    height: float | None = None
    focal: float | None = None
    fps: float | None = None
    detector: str = "auto"

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Form":
        """The form of what a browser sent, which may be anything.

        Raises:
            ValueError: a value that the page does not offer.
        """
        form = cls(**{name: _checked(name, value, getattr(cls, name)) for name, value in values.items()})
        form.numbers()
        return form

    def numbers(self) -> tuple[int, ...]:
        """The people's numbers.

        Raises:
            ValueError: something else was typed.
        """
        parts = self.people.replace(",", " ").split()
        if len(parts) > _MOST_PEOPLE or not all(part.isdecimal() and len(part) < 10 for part in parts):
            raise ValueError(f"People: expected numbers with commas between them, as 0, 2, found {shown(self.people)}")
        return tuple(int(part) for part in parts)

    def options(self, inputs: Inputs, base: DemoOptions) -> DemoOptions:
        """Options of the demo.

        Args:
            inputs: what is lifted.
            base: what was decided when the app was started.
        """
        detect = inputs.poses is None and inputs.pictures is not None
        joint_set = inputs.joint_set or self.joint_set
        side = inputs.hand_side or (self.hand_side if joint_set == "mano" else "")
        return replace(
            base,
            input_pose=inputs.poses,
            input_img=inputs.pictures,
            detect=detect,
            detector=self.detector if detect else DemoOptions.detector,
            detector_model=base.detector_model if detect else None,
            format=self.format or None,
            joint_set=joint_set,
            hand_side=side or None,
            hands=self.hands,
            video=self.frames == FILM,
            photos=self.frames == PHOTOS,
            joint_score=self.joint_score,
            fill=self.fill,
            people=self.numbers(),
            focal=self.focal,
            fps=self.fps,
            mesh=self.mesh,
            height=self.height,
            turntable=self.turntable,
        )

    def saved(self, options: DemoOptions, is_video: bool, scene: bool) -> DemoOptions:
        """The options with what is written, and what only films have; known when the input was read.

        Args:
            options: of ``options``.
            is_video: the input is a film.
            scene: the page is written, in which meshes are turned.
        """
        page = ("html",) if scene else ()
        if is_video:
            save = ("mp4", *page, *self.film_files)
            return replace(options, save=save, smooth=self.smooth, constant_shape=self.constant_shape)
        return replace(options, save=(*page, *self.picture_files))

    def ignored(self, is_video: bool) -> str:
        """What a user chose in vain, in words."""
        if is_video or not (self.smooth or self.constant_shape):
            return ""
        return "Note: smoothing and one shape for each person are for films; these are pictures"


def _checked(name: str, value: Any, usual: Any) -> Any:
    """A value of the kind that the field has."""
    if name in CHOICES:
        value = "" if value is None else value
        if value not in CHOICES[name]:
            raise ValueError(f"{name}: {shown(value)} is none of {', '.join(filter(None, CHOICES[name]))}")
        return value
    if isinstance(usual, tuple):
        known = PICTURE_FILES if name == "picture_files" else FILM_FILES
        if not isinstance(value, (list, tuple)) or not all(entry in known for entry in value):
            raise ValueError(f"{name}: {shown(value)}, expected some of {', '.join(known)}")
        return tuple(value)
    if isinstance(usual, bool):
        return bool(value)
    if isinstance(usual, str):
        value = "" if value is None else value
        if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
            raise ValueError(f"{name}: expected a short text, found {shown(value)}")
        return value.strip()
    # a browser shows an empty field of numbers as 0, which none of them can be
    if value is None or value == "" or (usual is None and value == 0 and not isinstance(value, bool)):
        return usual
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{shown_name(name)}: expected a number, found {shown(value)}")
    if not math.isfinite(value) or abs(value) > _LARGEST:
        raise ValueError(f"{shown_name(name)}: expected a number of usual size, found {shown(value)}")
    return float(value)
