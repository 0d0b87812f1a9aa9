"""The demo's course: read, check, lift, draw, write; says what it does and what it wrote."""

from pathlib import Path

from tqdm import tqdm

from lib.demo.images import Images
from lib.demo.inputs import DemoInput, load_input
from lib.demo.options import SMOOTHING, DemoOptions
from lib.demo.people import Selection, select_people
from lib.poses import Frame, approximated, describe_mapping, unmapped

_BAD_FIT = 30.0  # pixels of the 500 x 500 crop; poses in the right joint order stay well below


def run_demo(options: DemoOptions) -> list[Path]:
    """Everything that ``demo/run.py`` does; prints what is used and written.

    Returns:
        the files that were written.

    Raises:
        ValueError, FileNotFoundError: unusable input; the message says what was wanted.
    """
    source = load_input(options)
    _check_sequence_options(options, source.sequence.is_video)
    formats = options.formats(source.sequence.is_video)
    for line in describe_input(source, str(options.joint_set)):
        print(line)
    if options.check_input:
        return _check_input(source, options)

    # these bring torch and the renderer, which take a second: not before the input is known to be good
    from lib.demo.lifting import Lifter
    from lib.predictor import Pose2MeshPredictor

    predictor = Pose2MeshPredictor(
        str(options.joint_set), options.weights, options.device, options.body, options.root
    )  # fmt: skip
    for line in predictor.description:
        print(line)
    lifter = Lifter(predictor, options.focal, options.unit)
    if source.sequence.is_video:
        from lib.demo.sequence import lift_sequence

        return _report(lift_sequence(source, lifter, options, formats))
    return _report(_lift_pictures(source, lifter, options, formats))


def _check_sequence_options(options: DemoOptions, is_video: bool) -> None:
    """
    Raises:
        ValueError: options that only sequences have, or values that make no sense.
    """
    if options.smooth not in ("", *SMOOTHING):
        raise ValueError(f"unknown smoothing {options.smooth!r}; choose one of {', '.join(SMOOTHING)}")
    if options.fps is not None and not 0 < options.fps <= 1000:
        raise ValueError(f"--fps must be between 0 and 1000 frames per second, got {options.fps:g}")
    given = [name for name in ("smooth", "constant_shape") if getattr(options, name)]
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
    lines = [f"Poses: {source.title}; {_plural(people, 'person', 'people')} in {_plural(count, 'frame', 'frames')}"]
    lines.append(f"Image: {source.images.title}" + (f", {size[0]} x {size[1]} pixels" if size else ""))
    lines += [f"Note: {note}" for note in sequence.notes]
    missing, means = unmapped(sequence.source, joint_set), approximated(sequence.source, joint_set)
    if missing:
        lines.append(f"Joints that {sequence.source} lacks, filled from the others: {', '.join(missing)}")
    if means:
        lines.append(f"Joints estimated from several of {sequence.source}: {', '.join(means)}")
    return lines


def _check_input(source: DemoInput, options: DemoOptions) -> list[Path]:
    """Draw the named joints of the first frame, or of the pictures, and stop."""
    from lib.demo.picture import save_image, write_files
    from lib.poses import draw_check

    sequence = source.sequence
    for line in describe_mapping(sequence.source, str(options.joint_set)):
        print(f"  {line}")
    frames = list(enumerate(sequence.frames))
    if sequence.is_video:
        frames = [max(frames, key=lambda entry: len(entry[1].poses))]
    files = []
    for number, frame in frames:
        image = None if type(source.images) is Images else source.images.read(number, frame)
        picture = draw_check(image, frame, sequence.source, options.min_score)
        name = f"{'demo' if source.single else Path(frame.name).stem or source.stem}_check.png"
        files += write_files(options.output, {name: lambda path, picture=picture: save_image(path, picture)})
        for note in select(frame, source, options, None).notes:
            print(f"{frame.name}: {note}")
    return _report(files)


def select(
    frame: Frame,
    source: DemoInput,
    options: DemoOptions,
    size: tuple[int, int] | None,
    previous: Selection | None = None,
) -> Selection:
    """``select_people`` with the options of the command."""
    return select_people(
        frame, source.sequence.source, str(options.joint_set), options.min_score, options.fill, size, previous
    )  # fmt: skip


def _lift_pictures(source: DemoInput, lifter, options: DemoOptions, formats: tuple[str, ...]) -> list[Path]:
    from lib.demo.picture import PictureResults, write_files
    from lib.renderer import MeshRenderer

    frames = source.sequence.frames
    files: list[Path] = []
    reasons: list[str] = []
    with MeshRenderer(options.renderer, pictures=len(frames)) as renderer:
        results = PictureResults(
            renderer, lifter.predictor.joint_set, lifter.predictor.mesh_model, formats, options.seed
        )
        for number, frame in enumerate(tqdm(frames, unit="image", disable=True if len(frames) == 1 else None)):
            try:
                image = source.images.read(number, frame)
            except (ValueError, OSError) as error:
                if len(frames) == 1:
                    raise
                tqdm.write(f"Warning: {frame.name} left out: {error}")  # one bad file shall not cost the others
                continue
            size = image.shape[1], image.shape[0]
            people = select(frame, source, options, size)
            where = "" if source.single else f"{frame.name}: "
            reasons += people.notes
            for note in people.notes:
                tqdm.write(f"Warning: {where}{note}")
            if not len(people):
                tqdm.write(f"{where}nobody to lift")
                continue
            pose3d = None if source.pose3d is None else [source.pose3d[number]]
            lifted = lifter([people], [frame.name], size, pose3d)
            for line in _camera_lines(people, lifted.residual, size):
                tqdm.write(where + line)
            stem = source.stem if len(frames) == 1 else Path(frame.name).stem
            files += write_files(options.output, results.writers(image, lifted, people, stem, source.single))
        if not files:
            raise ValueError(f"{source.title}: nobody left to lift; {reasons[0] if reasons else 'no people'}")
        print(f"Renderer: {renderer.note}")
    return files


def _camera_lines(people: Selection, residuals, size: tuple[int, int]) -> list[str]:
    """How well cameras fit, and signs of input that runs but gives nonsense."""
    lines = []
    for pose, row, residual in zip(people.poses, people.rows, residuals):
        whose = "" if len(people) == 1 else f" of person {row}"
        lines.append(f"Camera{whose}: mean distance to the pose {residual:.1f} pixels of a 500-pixel crop")
        if residual > _BAD_FIT:
            lines.append("Warning: the mesh fits the pose badly; are the joints in the order that --help lists?")
        outside = int(((pose < 0) | (pose >= size)).any(axis=1).sum())
        if outside > len(pose) / 2:
            lines.append(
                f"Warning: {outside} of {len(pose)} joints lie outside the picture; is it the image of this pose?"
            )
    return lines


def _plural(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _report(files: list[Path]) -> list[Path]:
    shown = ", ".join(map(str, files[:8])) + (f" and {len(files) - 8} more" if len(files) > 8 else "")
    print(f"Wrote: {shown}")
    return files
