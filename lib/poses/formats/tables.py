"""Joints in text tables: csv with named or numbered columns (a row for each frame, person or joint), DeepLabCut's csv,
and numbers without a head."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lib.messages import shown_name, shown_names
from lib.poses.people import SIDES
from lib.poses.reading.builder import FrameBuilder
from lib.poses.reading.content import whole_number
from lib.poses.reading.joint_parts import JOINT_NUMBERS
from lib.poses.reading.numbering import close
from lib.poses.reading.records import Person, unflattened
from lib.poses.reading.request import Format
from lib.poses.reading.rows import is_number, titles_of, to_float

_LAYOUT = (
    "a csv table with a row for each frame and columns nose_x, nose_y, nose_score, ... or x1, y1, v1, ..., a row for "
    "each joint (frame, landmark, x, y, score), or rows of numbers alone"
)
_FRAME = ("frame", "frame_id", "frame_index", "frame_number", "frame_num", "frame_idx", "frameid", "image", "image_id",
          "filename", "file", "time_index")  # fmt: skip
_PERSON = ("person", "person_id", "track_id", "id", "idx", "track", "player", "personid")
_JOINT = ("landmark", "joint", "keypoint", "landmark_id", "joint_id", "landmark_index", "name", "landmark_name", "part",
          "bodypart", "keypoint_id", "joint_name", "keypoint_name", "body_part", "landmark_idx", "joint_idx",
          "keypoint_idx", "joint_index", "keypoint_index", "point", "index")  # fmt: skip
_SIDE = ("hand", "handedness", "side")
_SCORES = ("visibility", "score", "confidence", "likelihood", "conf", "c", "v", "vis", "prob", "s", "presence")
_UNITS = ("px", "pixel", "pixels", "norm", "normalized", "normalised")
_MOST_ROWS = 1 << 31
_LEAST_COUNTED = 3  # rows from which rising whole numbers count them
_LEAST_PEOPLE = 10  # numbers that differ within a frame are no longer people's
_LEAST_ROW = 20  # numbers that a row with a person's joints has


def rows_of_records(content) -> list[list[str]] | None:
    """The rows of a table as JSON, a dict for each with the titles as keys; None of anything else."""
    if not isinstance(content, list) or not content or not all(isinstance(row, dict) for row in content):
        return None
    head = list(content[0])
    plain = all(list(row) == head and not any(isinstance(v, list | dict) for v in row.values()) for row in content)
    titles = titles_of(head)
    long = {"x", "y"} <= set(titles) and _first(titles, _FRAME) is not None
    wide = sum(_joint_column(title)[1] == "x" and title.lower() != "x" for title in head) >= _LEAST_PEOPLE
    if not plain or not (long or wide):
        return None
    return [head, *(["" if value is None else str(value) for value in row.values()] for row in content)]


def matches(rows) -> bool:
    return len(rows) > 0 and ((_is_head(rows[0]) and len(rows) > 1) or all(map(is_number, rows[0])))


def _is_head(row: Sequence[str]) -> bool:
    return not any(is_number(value) and value for value in row)


def add(builder: FrameBuilder, rows, name: str) -> None:
    """People of each frame; a table without frame numbers has one row for each frame."""
    if rows[0][0].lower() == "scorer":
        _add_deeplabcut(builder, rows)
    elif not _is_head(rows[0]):
        _add_numbers(builder, _floats(builder, rows, 1), name)
    else:
        head = titles_of(rows[0])
        rows = [row + [""] * (len(head) - len(row)) for row in rows]
        if {"x", "y"} <= set(head) and (_first(head, _JOINT) is not None or _first(head, _FRAME) is not None):
            _add_long(builder, head, rows[1:], name)
        elif {"x", "y"} <= set(head):
            columns = [head.index("x"), head.index("y"), *_of(head, _SCORES)]
            _add_numbers(builder, _floats(builder, [[row[c] for c in columns] for row in rows[1:]], 2), name)
        else:
            _add_wide(builder, rows[0], rows[1:])


def _floats(builder: FrameBuilder, rows: Sequence[Sequence[str]], first: int) -> np.ndarray:
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        raise ValueError(f"{builder.path}: rows have {sorted(widths)[:4]} values; expected {_LAYOUT}")
    for line, row in enumerate(rows, first):
        if not all(map(is_number, row)):
            raise ValueError(f"{builder.path}: line {line} holds {shown_names(row)}; expected {_LAYOUT}")
    return np.array([[to_float(value) for value in row] for row in rows])


def _add_numbers(builder: FrameBuilder, values: np.ndarray, name: str) -> None:
    """A row for each joint of one person, or for each frame of one person."""
    values, numbers = _without_numbers(values)
    if values.shape[1] <= 4:
        builder.add(name, _person(values), "the rows")
        return
    if values.shape[1] < _LEAST_ROW:
        raise ValueError(f"{builder.path} has rows of {values.shape[1]} numbers; expected {_LAYOUT}")
    poses = unflattened(values, f"{builder.path}: row 1", _LAYOUT)
    for row, (number, pose) in enumerate(zip(numbers, poses)):
        builder.add(str(number), _person(pose), f"row {row + 1}", number)


def _without_numbers(values: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """The rows without a first column that counts them, and their numbers."""
    first, count = values[:, 0], values.shape[1] - 1
    steps = np.diff(first)
    counting = (
        len(first) >= _LEAST_COUNTED
        and (steps > 0).all()
        and (np.mod(first, 1) == 0).all()
        and first[0] >= 0
        and first[-1] < _MOST_ROWS
    )
    if counting and close([int(number) for number in first]):
        joints = count in (2, 3) and first[0] <= 1 and (steps == 1).all()
        if joints or any(count == columns * number for columns in (2, 3, 4) for number in JOINT_NUMBERS):
            return values[:, 1:], [int(number) for number in first]
    return values, list(range(len(values)))


def _person(rows: np.ndarray, names: tuple[str, ...] | None = None) -> Person | None:
    """Rows x, y, perhaps a depth, perhaps a score; None when all are empty."""
    if not np.isfinite(rows[:, :2]).any():
        return None
    if rows.shape[1] == 2:
        return Person(np.column_stack([rows, np.ones(len(rows))]), names, scored=False)
    return Person(np.column_stack([rows[:, :2], rows[:, -1]]), names)


def _first(head: Sequence[str], names: Sequence[str]) -> int | None:
    return next((head.index(name) for name in names if name in head), None)


def _of(head: Sequence[str], names: Sequence[str]) -> list[int]:
    place = _first(head, names)
    return [] if place is None else [place]


def _add_long(builder: FrameBuilder, head: list[str], rows: list[list[str]], name: str) -> None:
    frame, person, joint = _first(head, _FRAME), _first(head, _PERSON), _first(head, _JOINT)
    if joint is None:
        rows, joint, person = _counted_joints(rows, frame, person)
    columns = [head.index("x"), head.index("y"), *_of(head, _SCORES)]
    values = _floats(builder, [[row[column] if column < len(row) else "" for column in columns] for row in rows], 2)
    side = _first(head, _SIDE)
    groups: dict[tuple[str, ...], dict[str, np.ndarray]] = {}
    for row, value in zip(rows, values):
        key = (name if frame is None else row[frame], *("" if c is None else row[c] for c in (person, side)))
        marks = groups.setdefault(key, {})
        if row[joint] in marks:
            raise ValueError(
                f"{builder.path}: frame {shown_name(key[0])} has the joint {shown_name(row[joint])} twice; number its "
                "people in a column person"
            )
        marks[row[joint]] = value
    joints = list(dict.fromkeys(row[joint] for row in rows))
    numbered = all(_joint_number(text, joints[0]).isdecimal() for text in joints)
    names = None if numbered else tuple(joints)
    if numbered:
        start = joints[0]
        joints = sorted(joints, key=lambda text: int(_joint_number(text, start)))
    empty = np.full(len(columns), np.nan)
    for (frame_name, person_name, hand), marks in groups.items():
        pose = np.array([marks.get(text, empty) for text in joints])
        _add_person(builder, frame_name, _of_side(_person(pose, names), hand), person_name)


def _of_side(person: Person | None, hand: str) -> Person | None:
    """With the side of a hand, where a table names it."""
    known = person is not None and hand.lower() in SIDES
    return replace(person, side=hand.lower()) if person is not None and known else person


def _counted_joints(rows: list[list[str]], frame: int | None, person: int | None):
    """Rows with a last column that counts the joints of each person of a frame, for tables without one; and the columns
    of joints and people. Numbers that differ within a frame are the joints' and no people's."""
    first = [row for row in rows if frame is None or row[frame] == rows[0][frame]]
    if person is not None and len({row[person] for row in first}) == len(first) > _LEAST_PEOPLE:
        return rows, person, None
    counts: Counter[tuple[str, ...]] = Counter()
    counted = []
    for row in rows:
        key = tuple(row[column] for column in (frame, person) if column is not None)
        counted.append([*row, str(counts[key])])
        counts[key] += 1
    return counted, len(rows[0]), person


def _add_person(builder: FrameBuilder, frame: str, person: Person | None, track: str) -> None:
    number = whole_number(float(frame)) if frame and is_number(frame) else None
    if person is not None and track and is_number(track):
        person = replace(person, track=whole_number(float(track)))
    name = frame if number is None else str(number)
    if person is None:
        builder.add_frame(name, number)
        return
    builder.add(name, person, f"frame {frame}" + (f", person {track}" if track else ""), number)


def _add_wide(builder: FrameBuilder, head: list[str], rows: list[list[str]]) -> None:
    """Columns of each joint; the others but frame and person are not read."""
    lower = titles_of(head)
    frame, person, side = _first(lower, _FRAME), _first(lower, _PERSON), _first(lower, _SIDE)
    joints: dict[str, dict[str, int]] = {}
    for column, title in enumerate(head):
        if column not in (frame, person):
            part, axis = _joint_column(title)
            if axis:
                joints.setdefault(part, {}).setdefault(axis, column)
    joints = {part: axes for part, axes in joints.items() if {"x", "y"} <= set(axes)}
    if not joints:
        raise ValueError(
            f"{builder.path} has the columns {shown_names(head)}, none of them x and y of joints; expected {_LAYOUT}"
        )
    parts = list(joints)
    numbered = all(_joint_number(part, parts[0]).isdecimal() for part in parts)
    order = sorted(parts, key=lambda part: int(_joint_number(part, parts[0]))) if numbered else parts
    scored = all("score" in axes for axes in joints.values())
    axes = ("x", "y", "score") if scored else ("x", "y")
    columns = [[joints[part][axis] for axis in axes] for part in order]
    used = sorted({column for group in columns for column in group})
    table = _floats(builder, [[row[column] if column < len(row) else "" for column in used] for row in rows], 2)
    place = {column: index for index, column in enumerate(used)}
    for number, (row, values) in enumerate(zip(rows, table)):
        pose = np.array([[values[place[column]] for column in group] for group in columns])
        _add_person(
            builder,
            str(number) if frame is None else row[frame],
            _of_side(_person(pose, None if numbered else tuple(order)), "" if side is None else row[side]),
            "" if person is None else row[person],
        )


def _joint_number(text: str, other: str) -> str:
    """The number of a joint, as in ``landmark_3`` of names that differ in it alone."""
    start = re.sub("[0-9]+$", "", other)
    return text.removeprefix(start) if re.fullmatch("[0-9]+", text.removeprefix(start)) else text


def _joint_column(title: str) -> tuple[str, str]:
    """Joint and x, y or score of a column's title: ``nose_x``, ``x1``, ``x_nose``, ``LEFT_HIP.visibility``."""
    words = [word for word in re.split(r"[ _.\-/:()\[\]]+", title.strip()) if word]
    words = words[:-1] if words and words[-1].lower() in _UNITS else words
    if words and (match := re.fullmatch(r"([a-z]+)([0-9]+)", words[0].lower())) and len(words) == 1:
        words = [match[1], match[2]]
    for place in (-1, 0):
        axis = words[place].lower() if len(words) > 1 else ""
        axis = "score" if axis in _SCORES else axis
        if axis in ("x", "y", "score"):
            rest = words[:-1] if place else words[1:]
            return "_".join(rest), axis
    return title, ""


def _add_deeplabcut(builder: FrameBuilder, rows: list[list[str]]) -> None:
    """Three or four lines of titles: scorer, (individuals,) bodyparts, coords; then a row for each frame."""
    titles = {row[0].lower(): row[1:] for row in rows[:4] if row[0].lower() in ("individuals", "bodyparts", "coords")}
    if not {"bodyparts", "coords"} <= set(titles):
        raise ValueError(f"{builder.path} begins like DeepLabCut's csv, without the lines bodyparts and coords")
    body = rows[len(titles) + 1 :]
    values = _floats(builder, [row[1:] for row in body], len(titles) + 2)
    people = titles.get("individuals", [""] * len(titles["coords"]))
    for number, row in enumerate(values):
        for track, individual in enumerate(dict.fromkeys(people)):
            joints: dict[str, dict[str, float]] = {}
            for who, part, axis, value in zip(people, titles["bodyparts"], titles["coords"], row):
                if who == individual:
                    joints.setdefault(part, {})[axis.lower()] = value
            pose = np.array(
                [[marks.get(axis, np.nan) for axis in ("x", "y", "likelihood")] for marks in joints.values()]
            )
            _add_person(builder, body[number][0], _person(pose, tuple(joints)), str(track) if individual else "")


FORMAT = Format("csv table", _LAYOUT, matches, add)
