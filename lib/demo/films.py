"""Films over pictures: which picture belongs to which frame, settled before anything is lifted."""

from dataclasses import replace
from pathlib import Path

from lib.demo.images import IMAGE_SUFFIXES, ImageFolder, Images, ImageSeries, VideoImages, image_files
from lib.messages import shown_name, shown_names
from lib.poses import Frame, PoseSequence
from lib.poses.timeline import all_frames, check_span, frame_numbers, moved, split_number


def film_over(sequence: PoseSequence, images: Images) -> tuple[PoseSequence, Images]:
    """The film of a sequence: over a video it has the video's frames, over a folder those of the images that belong to
    it; elsewhere it goes from the first to the last frame of the poses.

    Returns:
        all frames (``lib.poses.timeline``), and their pictures in this order. Notes say what was decided.

    Raises:
        ValueError, FileNotFoundError: people in frames that have no picture.
    """
    if isinstance(images, VideoImages):
        return _over_video(sequence, images), images
    if isinstance(images, ImageFolder):
        return _over_folder(sequence, images)
    return all_frames(sequence), images


def film_files(folder: ImageFolder) -> dict[int, Path]:
    """The images of a folder that is a film, by the numbers in their names, in their order.

    Raises:
        ValueError: images without numbers, or with equal ones.
    """
    files = folder.numbers
    if files is None:
        names = shown_names(path.name for path in folder.files)
        raise ValueError(
            f"{folder.title}: images of a film are told apart by numbers in their names, as in 000001.jpg, 000002.jpg; "
            f"found {names}. Leave --video out if they are photos"
        )
    return {number: files[number] for number in sorted(files)}


def _over_video(sequence: PoseSequence, video: VideoImages) -> PoseSequence:
    count, numbers = video.count, frame_numbers(sequence)
    last = max((number for number, frame in zip(numbers, sequence.frames) if len(frame.poses)), default=0)
    if min(numbers) > 0 and max(numbers) == count:
        note = f"the poses count frames from 1, so that their last one, {count}, is the last of the video"
        sequence = moved(replace(sequence, notes=(*sequence.notes, note)), -1)
    elif last >= count:
        frames = "1 frame" if count == 1 else f"{count} frames"
        raise ValueError(
            f"the poses go up to frame {last} (the first is 0), but {video.title} has {frames}; is it the video of "
            "these poses?"
        )
    return all_frames(sequence, 0, count - 1)


def _over_folder(sequence: PoseSequence, folder: ImageFolder) -> tuple[PoseSequence, Images]:
    numbers = frame_numbers(sequence)
    listed = dict(zip(numbers, sequence.frames))
    peopled = {number: frame for number, frame in listed.items() if len(frame.poses)} or listed
    pictures, note = next(
        (found for frames in (listed, peopled) if (found := _by_name(frames, folder) or _by_number(frames, folder))),
        None,
    ) or _by_place(listed, peopled, folder)
    first, last = min(pictures), max(pictures)
    check_span(first, last, len(pictures), f"the numbers of the images in {folder.title}")
    notes = [note] if note else []
    files: list[Path] = []
    for number in range(first, last + 1):
        files.append(pictures.get(number) or files[-1])
    if len(files) > len(pictures):
        notes.append(f"{len(files) - len(pictures)} frames have no picture, that of the frame before stays")
    sequence = replace(sequence, notes=(*sequence.notes, *notes))
    return all_frames(sequence, first, last), ImageSeries(files, folder.title)


_Found = tuple[dict[int, Path], str]  # pictures by frame number, and what to tell the user


def _by_name(frames: dict[int, Frame], folder: ImageFolder) -> _Found | None:
    """Pictures that are called like the frames, with those between and around them; None unless all frames have one."""
    named = {number: folder.named(frame.name) for number, frame in frames.items()}
    found = {number: path for number, path in named.items() if path is not None}
    if len(set(found.values())) < len(frames):
        return None
    parts = [(path, split_number(path.name)) for path in found.values()]
    offsets = {part[1] - number for number, (_, part) in zip(found, parts) if part is not None}
    series = {(path.parent, path.suffix, part and part[::2]) for path, part in parts}
    if len(series) == len(offsets) == 1 and all(part is not None for _, part in parts):
        (parent, suffix, around), offset = series.pop(), offsets.pop()
        for path in image_files(parent):
            part = split_number(path.name)
            if part and path.suffix == suffix and part[::2] == around and part[1] >= offset:
                found.setdefault(part[1] - offset, path)
    return found, ""


def _by_number(frames: dict[int, Frame], folder: ImageFolder) -> _Found | None:
    """Pictures by the numbers in their names, if need be counted from the first; None unless all frames have one."""
    files = folder.numbers
    if not files:
        return None
    first = min(files)
    contiguous = max(files) - first + 1 == len(files)
    for start in (0, first, first - 1) if contiguous else (0,):
        if all(number + start in files for number in frames):
            number = min(frames)
            note = f"frame {number} of the poses is {shown_name(files[number + start].name)}: found by its number"
            if start:
                note += f", counted from {'0' if start == first else '1'}"
            return {place - start: path for place, path in files.items()}, note
    return None


def _by_place(listed: dict[int, Frame], peopled: dict[int, Frame], folder: ImageFolder) -> _Found:
    """As many pictures as frames, without numbers, one after the other.

    Raises:
        FileNotFoundError: another count, or names that say more.
    """
    first = min(listed)
    in_order = sorted(listed) == list(range(first, first + len(folder.files)))
    files_meant = any(Path(frame.name).suffix.lower() in IMAGE_SUFFIXES for frame in listed.values())
    if in_order and folder.numbers is None and not files_meant:
        return dict(enumerate(folder.files, first)), "frames and images are matched in the order of the images' names"
    files = folder.numbers or {}
    missing = [
        frame.name for number, frame in peopled.items() if folder.named(frame.name) is None and number not in files
    ] or [frame.name for frame in peopled.values()]
    found = f"its {len(folder.files)} images are {shown_names(path.name for path in folder.files)}"
    if not folder.files:
        found = "it has no image itself, but folders"
    elif not folder.numbers:
        found += ", which do not all have a number of their own"
    raise FileNotFoundError(
        f"{folder.title} has no picture for {len(missing)} of {len(peopled)} frames with people: "
        f"{shown_names(missing)}; {found}"
    )
