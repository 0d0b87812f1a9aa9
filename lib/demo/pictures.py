"""The course of the demo over pictures: each image's people are lifted, drawn and written before the next."""

from functools import partial
from pathlib import Path

import numpy as np

from lib.demo.fits import BAD_FIT
from lib.demo.inputs import DemoInput
from lib.demo.lifting import Lifter, chosen_people
from lib.demo.names import output_stems
from lib.demo.options import DemoOptions
from lib.demo.picture_files import PictureResults, earlier_files, write_files
from lib.demo.turntables import FPS
from lib.export.people import HIGH_RISK, PeopleArrays
from lib.files import say_replaced
from lib.messages import one_line, shown_name
from lib.poses import Selection
from lib.render.mesh_renderer import MeshRenderer
from lib.render.turntable import SECONDS
from lib.units import MM_PER_M


def lift_pictures(source: DemoInput, lifter: Lifter, options: DemoOptions, formats: tuple[str, ...]) -> list[Path]:
    """Lift the people of every picture and write their files.

    Returns:
        the files.

    Raises:
        ValueError, FileNotFoundError: nobody to lift in any picture; of a single picture whatever is wrong with it.
    """
    frames = source.sequence.frames
    stems = output_stems([frame.name for frame in frames])
    files: list[Path] = []
    earlier: list[Path] = []
    reasons: list[str] = []
    bar, say = frames, print
    if len(frames) > 1:
        from tqdm import tqdm

        bar, say = tqdm(frames, unit="image", disable=None), tqdm.write
    turntables, fps = options.turntable_formats, options.fps or FPS
    drawn = len(frames) * (1 + round(SECONDS * fps) * len(turntables))
    with MeshRenderer(options.renderer, pictures=drawn) as renderer:
        joint_set, model = lifter.predictor.joint_set, lifter.predictor.mesh_model
        results = PictureResults(renderer, joint_set, model, formats, options.seed, turntables, fps)
        for number, frame in enumerate(bar):
            if source.images.lacks(frame):
                continue  # which was said before
            try:
                image = source.images.read(number, frame)
            except (ValueError, OSError) as error:
                if len(frames) == 1:
                    raise
                say(
                    f"Warning: {shown_name(frame.name)} left out: {one_line(error, 200)}"
                )  # one bad file shall not cost the others
                continue
            size = image.shape[1], image.shape[0]
            people = lifter.select(frame, source.sequence.source, size)
            people = chosen_people(people, people.kept, options.people)
            where = "" if source.single else f"{shown_name(frame.name)}: "
            reasons += people.notes
            for note in people.notes:
                say(f"Warning: {where}{note}")
            if not len(people):
                say(f"{where}nobody to lift")
                continue
            pose3d = None if source.pose3d is None else [source.pose3d[number]]
            lifted = lifter([people], [frame.name], size, pose3d, size_known=source.size_known)
            if lifter.hands is not None:
                lifted = lifter.hands(lifted, [frame], [people], source.size_known)
            for line in _camera_lines(people, lifted, size):
                say(where + line)
            stem = source.stem if len(frames) == 1 else stems[number]
            write = partial(
                results.write, image=image, people=lifted, selection=people, stem=stem, single=source.single
            )
            if not files:  # the first results take the place of all earlier ones: a killed run leaves no mixture
                names = [source.stem] if len(frames) == 1 else stems
                earlier = earlier_files(Path(options.output), names, formats, source.single, turntables)
            files += write_files(options.output, write, () if files else earlier)
        if not files:
            where = f"{source.title} on {source.images.title}"
            raise ValueError(f"{where}: nobody left to lift; {reasons[0] if reasons else 'no people'}")
        say_replaced(earlier)
        for line in lifter.hands.lines if lifter.hands is not None else ():
            print(line)
        print(f"Renderer: {renderer.note}")
        if results.residuals:
            mean = MM_PER_M * np.concatenate(results.residuals).mean()
            print(f"Parameters: mean distance to the vertices {mean:.1f} mm")
        if results.skinned is not None:
            print(results.skinned.line)
    return files


def _camera_lines(people: Selection, lifted: PeopleArrays, size: tuple[int, int]) -> list[str]:
    """How well cameras fit, and signs of input that runs but gives nonsense."""
    lines = []
    rows = zip(people.poses, people.kept, lifted.residual, lifted.lift_residual, lifted.risk)
    for pose, row, residual, lift_residual, risk in rows:
        whose = "" if len(people) == 1 else f" of person {row}"
        lines.append(f"Camera{whose}: mean distance to the pose {residual:.1f} pixels of a 500-pixel crop")
        if lift_residual > BAD_FIT:
            lines.append("Warning: the mesh fits the pose badly; are the joints in the order that --help lists?")
        if risk > HIGH_RISK:
            lines.append(f"Warning: {whose.strip() or 'this body'} may be far off: {100 * risk:.0f} % for over 150 mm")
        outside = int(((pose < 0) | (pose >= size)).any(axis=1).sum())
        if outside > len(pose) / 2:
            lines.append(
                f"Warning: {outside} of {len(pose)} joints lie outside the picture; is it the image of this pose?"
            )
    return lines
