"""What the demo works on: poses from a file, a detector or 3D joints, and the pictures they belong to."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lib import ROOT
from lib.demo.films import film_files, film_over
from lib.demo.hand_sides import check_hands, sided
from lib.demo.images import (
    ImageFolder,
    Images,
    StillImage,
    VideoImages,
    canvas_size,
    checked_canvas,
    open_images,
)
from lib.demo.names import output_stems
from lib.demo.options import DemoOptions
from lib.files import read_array
from lib.files.images import read_image
from lib.joints.joint_set import JointSet
from lib.joints.lookup import get_joint_set
from lib.joints.tables import JOINT_SETS
from lib.messages import naming, shown_names
from lib.poses import Frame, PoseSequence, read_poses
from lib.poses.timeline import numbered_by_name

SCENE = ".", ROOT / "demo" / "demo_input_2dpose.json", ROOT / "demo" / "demo_input_img"
_MOST_PEOPLE = 1000
_VIEW = 500  # pixels of the picture that 3D joints are shown in
_VIEW_SHARE = 0.8  # of it that they take up


@dataclass(frozen=True)
class DemoInput:
    """Frames of people and their pictures.

    Attributes:
        sequence: 2D poses in pixels.
        images: their pictures.
        title: for the user.
        stem: how output files are called after the input.
        pose3d: (N, J, 3) in the user's unit for each frame, when the user gave 3D joints.
    """

    sequence: PoseSequence
    images: Images
    title: str
    stem: str
    pose3d: list[np.ndarray] | None = None

    @property
    def size_known(self) -> bool:
        """The size of the pictures is that of the camera's, not one made up for a black background."""
        return not self.images.blank or self.sequence.image_size is not None

    @property
    def single(self) -> bool:
        """One person in one picture: the output files have the names of the original's first example."""
        return not self.sequence.is_video and len(self.sequence.frames) == 1 and self.sequence.person_count == 1


def sample_pose_path(joint_set: str) -> Path:
    """The pose that ships with the demo.

    Raises:
        ValueError: a user's own joint set has none.
    """
    if joint_set not in JOINT_SETS:
        raise ValueError(f"there is no sample pose for {joint_set}; give one with --input_pose")
    return ROOT / "demo" / f"sample_pose_{joint_set}.npy"


def load_input(options: DemoOptions) -> DemoInput:
    """Poses and pictures as the options say.

    Raises:
        FileNotFoundError, ValueError: options that exclude each other, missing or unusable files.
    """
    joint_set = get_joint_set(options.joint_set)
    sources = {"input_pose": options.input_pose, "input_pose3d": options.input_pose3d, "detect": options.detect}
    given = [name for name, source in sources.items() if source]
    if not options.detect and (options.detector != DemoOptions.detector or options.detector_model is not None):
        raise ValueError("--detector and --detector_model say how poses are found in --input_img; add --detect")
    if len(given) > 1:
        raise ValueError(f"--{' and --'.join(given)} exclude each other; give one source of poses")
    if options.detect and options.input_img is None:
        raise ValueError("--detect looks for people in a picture; give one with --input_img")
    if options.photos and options.video:
        raise ValueError("--photos and --video exclude each other")
    with naming(options.input_name):
        if options.input_pose3d is not None:
            source = _from_pose3d(Path(options.input_pose3d), options, joint_set)
        elif options.detect:
            source = _from_detector(options, joint_set)
        else:
            source = _from_file(options, joint_set)
    if options.hands:
        check_hands(source.sequence, joint_set, source.title)
    return replace(source, sequence=sided(source.sequence, options.hand_side, joint_set))


def _from_file(options: DemoOptions, joint_set: JointSet) -> DemoInput:
    path, image_path = options.input_pose, options.input_img
    if path is None:
        path = sample_pose_path(options.joint_set)
    elif str(path) == SCENE[0]:
        path, image_path = SCENE[1], SCENE[2] if image_path is None else image_path
    path = Path(path)
    images = None if image_path is None else _opened(Path(image_path), options)
    size = images.size if images else None
    sequence = read_poses(path, options.format, options.joint_set, size)
    if options.photos:
        frames = [replace(frame, number=None, tracks=None) for frame in sequence.frames]
        sequence = replace(sequence, frames=frames, is_video=False)
    if not (options.video or sequence.is_video):
        _check_crowds(sequence)
    if (options.video or isinstance(images, VideoImages)) and not sequence.is_video and not options.photos:
        sequence = _as_video(sequence)
    if images is None or image_path is None:
        images = Images(_common_size(sequence))
    elif isinstance(images, StillImage) and not sequence.is_video and len(sequence.frames) > 1:
        sequence = _frame_of(sequence, Path(image_path))
    if sequence.is_video:
        sequence, images = film_over(sequence, images)
    else:
        sequence = _told_of_missing(sequence, images)
    single = not sequence.is_video and len(sequence.frames) == 1
    stem = output_stems([(single and sequence.frames[0].name) or path.name])[0]
    return DemoInput(sequence, images, f"{path} ({sequence.format}, joints of {sequence.source})", stem)


def _opened(path: Path, options: DemoOptions) -> Images:
    """The images of a path; raises ValueError for the frames of a video as photos."""
    images = open_images(path)
    if options.photos and isinstance(images, VideoImages):
        raise ValueError(f"{path} is a video, whose frames follow each other; leave --photos out")
    return images


def _told_of_missing(sequence: PoseSequence, images: Images) -> PoseSequence:
    """The sequence, with a note about pictures that do not exist.

    Raises:
        FileNotFoundError: none exists.
        ValueError: one picture would be that of several frames.
    """
    peopled = [frame for frame in sequence.frames if len(frame.poses)]
    if isinstance(images, ImageFolder):
        places = {frame.name: images.path(0, frame) for frame in peopled if not images.lacks(frame)}
        shared = next((path for path, count in Counter(places.values()).items() if count > 1), None)
        if shared is not None:
            names = shown_names(name for name, path in places.items() if path == shared)
            raise ValueError(f"{shared} would be the image of {names}; give the folder in which each has its own")
    missing = [frame.name for frame in peopled if images.lacks(frame)]
    if not missing:
        return sequence
    what = f"{images.title} has no image {shown_names(map(repr, missing))}"
    if len(missing) == len(peopled):
        raise FileNotFoundError(f"{what}; if the poses are frames that follow each other, add --video")
    note = f"{what}: {len(missing)} of {len(peopled)} left out"
    return replace(sequence, notes=(*sequence.notes, note))


def _check_crowds(sequence: PoseSequence) -> None:
    """Raises ValueError for more people in one picture than anybody wants drawn, each with files of their own."""
    largest = max(len(frame.poses) for frame in sequence.frames)
    if largest > _MOST_PEOPLE:
        raise ValueError(
            f"{largest} people in one picture, at most {_MOST_PEOPLE} are drawn; --video takes them as the frames of "
            "one person"
        )


def _as_video(sequence: PoseSequence) -> PoseSequence:
    """Frames that follow each other; of one frame with N people N frames."""
    frames = sequence.frames
    if len(frames) == 1:
        alone = (frames[0].take([row]) for row in range(len(frames[0].poses)))
        frames = [replace(one, name=str(number), tracks=np.zeros(1, np.int64)) for number, one in enumerate(alone)]
    return numbered_by_name(replace(sequence, frames=frames, is_video=True))


def _common_size(sequence: PoseSequence) -> tuple[int, int] | None:
    """Size of the black picture of all frames of a video, or of the only frame. None: each frame's own."""
    if sequence.image_size is not None or not (sequence.is_video or len(sequence.frames) == 1):
        return sequence.image_size and checked_canvas(*sequence.image_size)
    return canvas_size(sequence.frames)


def _frame_of(sequence: PoseSequence, image: Path) -> PoseSequence:
    """The one frame that belongs to an image, by its name.

    Raises:
        ValueError: none does.
    """
    frames = [frame for frame in sequence.frames if Path(frame.name).stem.lstrip("0") == image.stem.lstrip("0")]
    if not frames:
        names = shown_names(frame.name for frame in sequence.frames)
        raise ValueError(
            f"the poses are of {len(sequence.frames)} images ({names}), none called {image.name}; give the folder "
            "of the images, or --video when they are frames before one background"
        )
    return replace(sequence, frames=frames[:1])


def _from_detector(options: DemoOptions, joint_set: JointSet) -> DemoInput:
    from tqdm import tqdm

    from lib.poses.detectors import choose_tool

    assert options.input_img is not None  # checked before
    tool, notes = choose_tool(options.detector, joint_set.body, options.detector_model)
    path = Path(options.input_img)
    images = _opened(path, options)
    if isinstance(images, ImageFolder) and not images.files:
        raise FileNotFoundError(f"{path} has no image itself, but folders; give one of these")
    is_video = options.video or isinstance(images, VideoImages)
    with tool.open(joint_set.body, is_video, options.detector_model) as detector:
        pictures = tqdm(_named_pictures(images, path, is_video), "detecting", unit="image", disable=None)
        frames = [replace(detector(picture), name=name, number=number) for number, name, picture in pictures]
        notes += tool.notes(detector)
    sequence = PoseSequence(frames, detector.source, images.size, is_video, tool.title, tuple(notes))
    if not sequence.person_count:
        raise ValueError(detector.nobody(str(path)))
    if is_video:
        sequence, images = film_over(sequence, images)
    else:
        _check_crowds(sequence)
    return DemoInput(sequence, images, f"found by {tool.title} in {path} (joints of {detector.source})", path.stem)


def _named_pictures(images: Images, path: Path, is_video: bool) -> Iterator[tuple[int | None, str, np.ndarray]]:
    """Numbers (None of photos) and names of frames, and their pictures (H, W, 3)."""
    if isinstance(images, VideoImages):
        yield from ((number, str(number), picture) for number, picture in enumerate(images))
    elif isinstance(images, ImageFolder) and is_video:
        yield from ((number, file.name, read_image(file)) for number, file in film_files(images).items())
    elif isinstance(images, ImageFolder):
        yield from ((None, file.name, read_image(file)) for file in images.files)
    else:
        yield 0 if is_video else None, path.name, read_image(path)


def _from_pose3d(path: Path, options: DemoOptions, joint_set: JointSet) -> DemoInput:
    """3D joints as people seen by a camera far away."""
    pose3d = _load_pose3d(path, joint_set)
    low, high = pose3d[..., :2].min(axis=1), pose3d[..., :2].max(axis=1)
    extent = max(float((high - low).max()), 1e-9)
    pixels = (pose3d[..., :2] - (low + high)[:, None] / 2) * (_VIEW * _VIEW_SHARE / extent) + _VIEW / 2
    poses = np.concatenate([pixels, np.ones_like(pixels[..., :1])], axis=2).astype(np.float32)
    if options.input_img is not None:
        raise ValueError("--input_pose3d says nothing about a picture; leave --input_img out")
    is_video = options.video
    names = [str(number) for number in range(len(poses))] if is_video or len(poses) > 1 else [path.stem]
    tracks = np.zeros(1, np.int64) if is_video else None
    frames = [Frame(name, pose[None], tracks) for name, pose in zip(names, poses)]
    sequence = PoseSequence(frames, options.joint_set, (_VIEW, _VIEW), is_video, "3D joints")
    title = f"{path}, 3D joints of {joint_set.name} in {options.unit}, seen from far away"
    return DemoInput(sequence, Images((_VIEW, _VIEW)), title, path.stem, list(pose3d[:, None]))


def _load_pose3d(path: Path, joint_set: JointSet) -> np.ndarray:
    """(N, J, 3) float64 from ``.npy``."""
    wanted = f"a .npy file of numbers ({joint_set.joint_num}, 3) or (N, {joint_set.joint_num}, 3)"
    pose3d = read_array(path, wanted)
    accepted = (joint_set.joint_num, joint_set.keypoint_num)
    if pose3d.ndim not in (2, 3) or pose3d.shape[-2] not in accepted or pose3d.shape[-1] != 3 or not pose3d.size:
        raise ValueError(
            f"{path} holds {pose3d.dtype} {pose3d.shape}, expected {wanted}; joints in order: {joint_set.describe()}"
        )
    pose3d = pose3d.astype(np.float64).reshape(-1, *pose3d.shape[-2:])
    if not np.isfinite(pose3d).all():
        raise ValueError(f"{path} holds NaN or infinite values; the mesh network needs every 3D joint")
    return joint_set.add_derived(pose3d) if pose3d.shape[1] != joint_set.joint_num else pose3d
