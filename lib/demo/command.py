"""The demo's course: read, check, lift, draw, write; says what it does and what it wrote."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lib.demo.inputs import DemoInput, load_input
from lib.demo.names import output_stems
from lib.demo.options import AUTO, OFF, PARAM_FORMATS, SMOOTHING, DemoOptions
from lib.files import say_replaced
from lib.joints.lookup import get_joint_set
from lib.messages import naming, one_line, shown_name
from lib.poses import approximated, describe_mapping, reading_of, select_people, unmapped
from lib.runtime.startup import imports_kept

if TYPE_CHECKING:
    from lib.predictor import Pose2MeshPredictor

FEW_FILES = 8  # that are all named


def run_demo(options: DemoOptions) -> list[Path]:
    """Everything that ``demo/run.py`` does; prints what is used and written.

    Returns:
        the files that were written.

    Raises:
        ValueError, FileNotFoundError: unusable input; the message says what was wanted.
    """
    return lift_input(load_input(options), options)


def load_predictor(options: DemoOptions) -> "Pose2MeshPredictor":
    """The predictor that the options name."""
    # it brings torch, which takes a second: not before the input is known to be good
    with imports_kept():
        from lib.predictor import Pose2MeshPredictor

    return Pose2MeshPredictor(
        options.joint_set,
        options.weights,
        options.device,
        options.body,
        options.root,
        options.mesh,
        options.precision,
    )


def lift_input(
    source: DemoInput,
    options: DemoOptions,
    load: Callable[[DemoOptions], "Pose2MeshPredictor"] = load_predictor,
) -> list[Path]:
    """What ``run_demo`` does with an input that is loaded.

    Args:
        source: of these options.
        options: as for ``run_demo``.
        load: where the predictor comes from, for programs that keep it.

    Returns, raises: see ``run_demo``.
    """
    _check_sequence_options(options, source.sequence.is_video)
    formats = options.formats(source.sequence.is_video)
    if "amass" in formats and get_joint_set(options.joint_set).body == "hand":
        raise ValueError("--save amass is for bodies, as AMASS files are; params has the parameters of hands")
    for line in (*describe_input(source, options.joint_set), *_better_reading(source, options)):
        print(one_line(line))
    if options.check_input:
        return _check_input(source, options)

    predictor = load(options)
    with imports_kept():
        from lib.demo.lifting import Lifter
        from lib.demo.pictures import lift_pictures
    for line in predictor.description:
        print(one_line(line))
    lifter = Lifter(predictor, options)
    if lifter.hands is not None:
        print(one_line(f"Hands: {lifter.hands.predictor.weights}, {lifter.hands.predictor.mesh_model.description}"))
        without = [name for name in formats if name in PARAM_FORMATS]
        if without:
            print(f"Not in {', '.join(without)}: the hands of --hands; bodies keep their own there, which do not move")
    with naming(options.input_name):
        if source.sequence.is_video:
            from lib.demo.sequence import lift_sequence

            return _report(lift_sequence(source, lifter, options, formats))
        return _report(lift_pictures(source, lifter, options, formats))


def _check_sequence_options(options: DemoOptions, is_video: bool) -> None:
    """
    Raises:
        ValueError: options that only sequences have, or values that make no sense.
    """
    if options.smooth not in ("", *SMOOTHING):
        raise ValueError(f"unknown smoothing {options.smooth!r}; choose one of {', '.join(SMOOTHING)}")
    if options.fps is not None and not 0 < options.fps <= 1000:
        raise ValueError(f"--fps must be between 0 and 1000 frames per second, got {options.fps:g}")
    temporal = options.temporal not in (AUTO, OFF)
    wanted = {"smooth": options.smooth, "constant_shape": options.constant_shape, "temporal": temporal}
    given = [name for name, value in wanted.items() if value]
    if given and not is_video:
        raise ValueError(
            f"--{' and --'.join(given)} need frames that follow each other, these poses do not say so; if they do, "
            "add --video"
        )


def describe_input(source: DemoInput, joint_set: str) -> list[str]:
    """What was read, in lines for the user."""
    sequence = source.sequence
    count, people = len(sequence.frames), sequence.person_count
    size = source.images.size or sequence.image_size
    # the same person in two frames of a film is two poses
    whom = ("pose", "poses") if sequence.is_video else ("person", "people")
    lines = [f"Poses: {source.title}; {_plural(people, *whom)} in {_plural(count, 'frame', 'frames')}"]
    lines.append(f"Image: {source.images.title}" + (f", {size[0]} x {size[1]} pixels" if size else ""))
    lines += [f"Note: {note}" for note in sequence.notes]
    missing, means = unmapped(sequence.source, joint_set), approximated(sequence.source, joint_set)
    if missing:
        lines.append(f"Joints that {sequence.source} lacks, filled from the others: {', '.join(missing)}")
    if means:
        lines.append(f"Joints estimated from several of {sequence.source}: {', '.join(means)}")
    return lines


def _better_reading(source: DemoInput, options: DemoOptions) -> list[str]:
    """Lines about a way to read the numbers that fits far better, if there is one."""
    if options.detect:
        return []
    reading = reading_of(source.sequence, options.joint_set, options.joint_score, source.images.size)
    if reading is None or source.pose3d is None:
        return [] if reading is None else reading.lines
    return [
        "Note: seen from the front, these 3D joints are no usual pose; expected are the joints of "
        f"{options.joint_set} in their order, x right, y down, z away from the camera"
    ]


def _check_input(source: DemoInput, options: DemoOptions) -> list[Path]:
    """Draw the named joints of the first frame, or of the pictures, and stop."""
    from lib.demo.picture_files import save_pictures, write_files
    from lib.poses import draw_check

    sequence = source.sequence
    for line in describe_mapping(sequence.source, options.joint_set):
        print(f"  {line}")
    frames = list(enumerate(sequence.frames))
    if sequence.is_video:
        frames = [max(frames, key=lambda entry: len(entry[1].poses))]
    files: list[Path] = []
    replaced: list[Path] = []
    # called like the results that lifting writes
    alone = sequence.is_video or len(frames) == 1
    stems = [source.stem] if alone else output_stems([frame.name for _, frame in frames])
    for (number, frame), stem in zip(frames, stems):
        if source.images.lacks(frame):
            continue  # which was said before
        image = None if source.images.blank else source.images.read(number, frame)
        picture = draw_check(image, frame, sequence.source, options.joint_score)
        name = f"{'demo' if source.single else stem}_check.png"
        replaced += [path for path in (Path(options.output) / name,) if path.exists()]
        files += write_files(options.output, partial(save_pictures, pictures={name: picture}))
        people = select_people(frame.poses, sequence.source, options.joint_set, options.joint_score, fill=options.fill)
        for note in people.notes:
            print(f"{shown_name(frame.name)}: {note}")
    say_replaced(replaced)
    return _report(files)


def _plural(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _report(files: list[Path]) -> list[Path]:
    print(f"Wrote: {wrote(files)}")
    return files


def wrote(files: list[Path]) -> str:
    """Files by name; many of one ending in one folder as the first and their number, so that every kind is named."""
    if len(files) <= FEW_FILES:
        return ", ".join(map(str, files))
    kinds: dict[tuple[Path, str], list[Path]] = {}
    for file in files:
        kinds.setdefault((file.parent, file.suffix), []).append(file)
    parts: list[str] = []
    for (_, ending), same in kinds.items():
        parts += map(str, same) if len(same) <= 2 else [f"{same[0]} and {len(same) - 1} more {ending}"]
    return ", ".join(parts)
