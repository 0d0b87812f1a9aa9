"""Reading poses: the one entry point for all file formats.

    sequence = read_poses("alphapose-results.json", joint_set="coco")

A file's format is recognised by its content, the joints by their names or their number. ``format`` names the one or the
other where that is not enough: a key of ``FORMATS``, or a key of ``lib.poses.sources.SOURCES``.
"""

import zipfile
from dataclasses import replace
from pathlib import Path

from lib.joints.joint_set import JointSet
from lib.messages import shown_names
from lib.poses.formats.arrays import read_arrays
from lib.poses.formats.frames import Part, of_people
from lib.poses.formats.table import FORMATS, JSON_FORMATS, TABLE_FORMATS, in_frames, recognised
from lib.poses.formats.tables import rows_of_records
from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.content import found, natural_key, read_json
from lib.poses.reading.objects import read_objects
from lib.poses.reading.request import Format, Request
from lib.poses.reading.rows import read_table
from lib.poses.reading.scales import in_pixels

from .people import PoseSequence
from .sources import SOURCES

__all__ = ["FORMATS", "JSON_FORMATS", "read_poses"]

_ARRAYS, _TABLES = (".npy", ".npz"), (".csv", ".tsv", ".txt")
_HINTS = {
    "shapes": "labelme's points have no joint order: export COCO keypoints",
    "poses2d": "save 3DPW's poses2d[person] as .npy",
    "joints2d": "save joints2d as .npy",
    "box": "boxes without joints: run the tool's pose model",
    "bbox": "boxes without joints: run the tool's pose model",
}
_FOLDER = "a folder is read frame by frame: *.json of a tool for each image, or the *.txt labels of YOLO"
_IN_FOLDERS = (
    'OpenPose JSON {"people": [{"pose_keypoints_2d": [...]}]}, or what MMPose, Sapiens, EasyMocap and others write'
)


def read_poses(
    path: str | Path,
    format: str | None = None,
    joint_set: str | Path | JointSet | None = None,
    image_size: tuple[int, int] | None = None,
) -> PoseSequence:
    """Read a detector's file, or a folder with a file for each image.

    Args:
        path: ``.npy``, ``.npz``, ``.json`` or lines of JSON, ``.csv``, ``.txt``, or a folder.
        format: a key of ``FORMATS`` (layout of the file) or of ``SOURCES`` (its joints); None recognises both.
        joint_set: joint set that is wanted (name, file or itself); decides between body and hands, and between sources
            with equally many joints (an array of 17: COCO or Human3.6M). An array with as many joints as a user's own
            set has is taken to be in its order.
        image_size: width and height, needed for fractions of the image (MediaPipe).

    Returns:
        poses in pixels; their scores are the file's, 1 where it has none.

    Raises:
        FileNotFoundError: no such file or folder.
        ValueError: unknown format, or another layout than expected: names what was expected and what was found.
    """
    path = Path(path)
    if format is not None and format not in FORMATS and format not in SOURCES:
        known = f"a file format, {', '.join(FORMATS)}, or the joints, {', '.join(SOURCES)}"
        raise ValueError(f"unknown format {format!r}; choose {known}")
    request = Request(joint_set, format if format in SOURCES else None, image_size)
    layout = format if format in FORMATS else None
    return in_pixels(path, _read(path, layout, request), image_size)


def _read(path: Path, layout: str | None, request: Request) -> PoseSequence:
    if path.is_dir():
        return _read_folder(path, layout, request)
    content = _objects(path)
    if content is None and (layout == "npy" or (layout is None and _is_array(path))):
        return read_arrays(path, request)
    formats = _formats_of(path, layout)
    if content is None:
        content = read_table(path) if formats is TABLE_FORMATS else read_json(path)
        rows = rows_of_records(content) if formats is JSON_FORMATS and layout is None else None
        if rows is not None:
            content, formats = rows, TABLE_FORMATS
    form, parts = _form_of(path, content, formats, layout)
    builder = FrameBuilder(path, request, form)
    for name, number, part in parts:
        if name:
            builder.add_frame(name, number)
        if part or not name:
            form.add(builder, part, name or path.stem)
    return builder.sequence()


def _objects(path: Path):
    """What a pickle or an array of objects holds; None of all other files."""
    if not path.is_file() or path.suffix.lower() not in (".npy", ".pkl", ".pickle"):
        return None
    with open(path, "rb") as stream:
        if stream.read(1) not in (b"\x80", b"\x93"):
            return None
        stream.seek(0)
        # the header of an array of objects is text that says so
        if path.suffix.lower() == ".npy" and b"|O" not in stream.read(128):
            return None
    return read_objects(path, "poses as plain numbers in .npy or JSON")


def _is_array(path: Path) -> bool:
    """By its name, or by its first bytes when the name says nothing."""
    if path.suffix.lower() in _ARRAYS or _start(path).startswith(b"\x93NUMPY"):
        return True
    if not _start(path).startswith(b"PK\x03\x04") or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return all(name.endswith(".npy") for name in archive.namelist())


def _start(path: Path) -> bytes:
    """First bytes of a file that are no space; nothing when there is no such file."""
    if not path.is_file():
        return b""
    with open(path, "rb") as stream:
        return stream.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()


def _formats_of(path: Path, layout: str | None) -> dict[str, Format]:
    """JSON or tables, by the first character where the name says otherwise."""
    if layout is not None:
        return TABLE_FORMATS if layout in TABLE_FORMATS else JSON_FORMATS
    start = _start(path)
    if path.suffix.lower() in _TABLES:
        return JSON_FORMATS if start.lstrip(b'"')[:1] in (b"{", b"[") else TABLE_FORMATS
    text = (start[:1].isalnum() and b"," in start) or b";" in start[:1]
    return TABLE_FORMATS if path.suffix.lower() == ".json" and text else JSON_FORMATS


def _form_of(path: Path, content, formats: dict[str, Format], layout: str | None) -> tuple[Format, list[Part]]:
    """The format of a file's content, and what it is to read of it, frame by frame or at once.

    Raises:
        ValueError: it has none, or not the one that was named.
    """
    name, parts = in_frames(content, formats)
    if layout is not None and (name != layout and (layout == "plain" or not formats[layout].matches(content))):
        guess = f"; it looks like {name}" if name else ""
        raise ValueError(f"{path} is not {layout}: expected {formats[layout].layout}; found {_held(content)}{guess}")
    if content == [] and layout is None:
        raise ValueError(f"{path} holds an empty list: the detector found nobody, or its results are in another file")
    chosen = layout or name
    if layout is not None and name != layout:
        parts = [("", None, content)]
    if chosen is None:
        raise ValueError(
            f"{path} holds {_held(content)}, none of the known layouts: {', '.join(formats)}; see lib/poses/README.md"
            f"{_hint(content)}"
        )
    return formats[chosen], parts


def _hint(content) -> str:
    """What a file of no known layout is likely to be, and the way on; nothing when that is unknown."""
    if isinstance(content, dict) and of_people(content):
        return "; its keys are people: give the people of each frame, [[person, ...], ...]"
    record = content
    for _ in range(3):
        values = list(record.values()) if isinstance(record, dict) else record
        known = [hint for key, hint in _HINTS.items() if isinstance(record, dict) and key in record]
        if known or not isinstance(values, list) or not values:
            return f"; {known[0]}" if known else ""
        record = values[0]
    return ""


def _held(content) -> str:
    rows = isinstance(content, list) and bool(content) and isinstance(content[0], list)
    if rows and all(isinstance(value, str) for value in content[0]):
        return f"{len(content)} lines, the first with {shown_names(content[0])}"
    return found(content)


def _read_folder(folder: Path, layout: str | None, request: Request) -> PoseSequence:
    """A file for each image, in the order of the numbers in their names; files of another kind are left out, named."""
    files = sorted(
        (file for file in folder.iterdir() if file.suffix.lower() in (".json", ".txt")),
        key=lambda file: natural_key(file.name),
    )
    contents: dict[Path, object] = {}
    kinds: dict[str, list[Path]] = {}
    empty: list[Path] = []  # what YOLO writes of a frame without people
    for file in files:
        formats = TABLE_FORMATS if file.suffix.lower() == ".txt" else JSON_FORMATS
        formats = {name: form for name, form in formats.items() if form.per_image}
        try:
            contents[file] = content = read_table(file) if file.suffix.lower() == ".txt" else read_json(file)
        except ValueError:
            continue
        name = recognised(content, formats if layout is None else {**formats, **_named(layout)})
        if name is not None and layout in (None, name):
            kinds.setdefault(name, []).append(file)
        elif not content and file.suffix.lower() == ".txt":
            empty.append(file)
    if not kinds:
        known = f"expected {_IN_FOLDERS if layout is None else _layout_of(layout)}"
        inner = [file.name for file in folder.iterdir() if file.is_dir()]
        below = f"; files in its folders ({shown_names(inner)}) are not looked at" if inner else ""
        what = f"has none of these files among its {len(files)}" if files else "has no .json files"
        raise ValueError(f"folder {folder} {what}; {known}; {_FOLDER}{below}")
    name = max(kinds, key=lambda kind: len(kinds[kind]))
    form = {**JSON_FORMATS, **TABLE_FORMATS}[name]
    builder = FrameBuilder(folder, request, form)
    builder.folder = True
    used = [*kinds[name], *(empty if name == "yolo_labels" else ())]
    for file in sorted(used, key=lambda file: natural_key(file.name)):
        if file in empty:
            builder.add_frame(file.stem)
        else:
            form.add(builder, contents[file], file.stem)
    others = [file.name for file in files if file not in used]
    if others:
        builder.notes.append(f"{len(others)} file(s) of the folder left out, not {form.title}: {shown_names(others)}")
    sequence = builder.sequence()
    return replace(sequence, format=f"{form.title} folder")


def _layout_of(name: str) -> str:
    forms = {**JSON_FORMATS, **TABLE_FORMATS}
    return forms[name].layout if name in forms else "files"


def _named(layout: str) -> dict[str, Format]:
    return {name: form for name, form in {**JSON_FORMATS, **TABLE_FORMATS}.items() if name == layout}
