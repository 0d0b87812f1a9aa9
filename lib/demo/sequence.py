"""Results for sequences: the frames of a video with one or several people, batch by batch.

The poses of all frames are in memory (2 kB per person and frame); meshes and pictures only of one batch, so a video may
be of any length.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from lib.body.joint_prior import joint_prior
from lib.body.lbs import lbs
from lib.demo.carrying import carry_over, longest_carried
from lib.demo.fits import SequenceFits
from lib.demo.inputs import DemoInput
from lib.demo.lifting import LONGEST_NAME, Lifter, chosen_people
from lib.demo.options import PARAM_FORMATS, DemoOptions
from lib.demo.sequence_files import FrameResult, SequenceFiles, earlier_files
from lib.demo.smoothing import MeshSmoother, PoseSmoother, with_meshes
from lib.demo.temporal import lift_tracks, temporal_lifter
from lib.demo.turntables import SequenceTurntable
from lib.export.params import mirrored_fit, params_of
from lib.export.people import PeopleArrays
from lib.files import say_replaced, staged
from lib.geometry.mirror import mirror_points
from lib.joints.tables import JOINT_SETS
from lib.mesh.fit_params import fit_params, shape_frames
from lib.messages import shown_name
from lib.poses import Selection, assign_tracks
from lib.predictor import Film, LiftedPeople
from lib.predictor.surfaces import LONGEST_GAP
from lib.render.marks import mark_carried
from lib.render.mesh_renderer import MeshRenderer, person_colour
from lib.render.poses import add_hands, draw_pose
from lib.render.views import draw_people
from lib.settings.setting import NETWORK
from lib.units import MM_PER_M

_BATCH = 64  # people
_FPS = 30.0
Shapes = dict[int, torch.Tensor]  # (S,) by track number


@dataclass(frozen=True)
class _Job:
    """A sequence on its way."""

    source: DemoInput
    lifter: Lifter
    options: DemoOptions
    selections: list[Selection]
    size: tuple[int, int]
    fps: float
    formats: tuple[str, ...]
    lifted: list[LiftedPeople] | None = None  # of a temporal lifter, of each frame

    @property
    def drawn(self) -> bool:
        """Meshes are drawn over the pictures."""
        return bool({"mp4", "gif", "png"} & set(self.formats))

    @property
    def pictures(self) -> bool:
        """The pictures are needed."""
        return self.drawn or "html" in self.formats

    @property
    def with_params(self) -> bool:
        """Body parameters are written."""
        return bool(set(PARAM_FORMATS) & set(self.formats))

    def lift(
        self, frames: list[int], shapes: Shapes | None = None, film: Film | None = None, rows: list[int] | None = None
    ) -> PeopleArrays:
        """The people of these frames, at least one in all; with shapes by track, and what a film keeps of them. With
        ``rows`` only the one with this number in each frame."""
        names = [self.source.sequence.frames[number].name for number in frames]
        pose3d = None if self.source.pose3d is None else [self.source.pose3d[number] for number in frames]
        people = [self.selections[number] for number in frames]
        lifted = None if self.lifted is None else [self.lifted[number] for number in frames]
        if rows is not None:
            people = [chosen_people(all_, np.arange(len(all_)), [row]) for all_, row in zip(people, rows)]
            lifted = None if lifted is None else [all_[row : row + 1] for all_, row in zip(lifted, rows)]
        return self.lifter(people, names, self.size, pose3d, shapes, film, frames, self.source.size_known, lifted)

    def with_hands(self, people: PeopleArrays, frames: list[int], film: Film) -> PeopleArrays:
        """The people of these frames with hands, where asked for."""
        if self.lifter.hands is None:
            return people
        found = [self.source.sequence.frames[number] for number in frames]
        selections = [self.selections[number] for number in frames]
        return self.lifter.hands(people, found, selections, self.source.size_known, film, frames)

    @property
    def surfaces(self) -> bool:
        """Meshes are surfaces of the body model, not the network's vertices."""
        return self.lifter.predictor.mesh != NETWORK


def lift_sequence(source: DemoInput, lifter: Lifter, options: DemoOptions, formats: tuple[str, ...]) -> list[Path]:
    """Lift all frames and write what ``formats`` asks for.

    Returns:
        the files.

    Raises:
        ValueError: nobody in any frame, pictures of different sizes.
    """
    fps = options.fps or source.images.fps or _FPS
    sequence = assign_tracks(source.sequence, joint_score=options.joint_score)
    source = replace(source, sequence=sequence)
    image = source.images.read(0, sequence.frames[0])
    size = image.shape[1], image.shape[0]
    temporal = temporal_lifter(source, lifter.predictor, options, fps)
    selections = _select_all(source, lifter, size, fps, temporal is not None)
    job = _Job(source, lifter, options, selections, size, fps, formats)
    if not any(map(len, job.selections)):
        raise ValueError(f"{source.title}: nobody left to lift; {_first_note(source, job.selections)}")
    if temporal is not None:
        seen_in = size if source.size_known else None
        job = replace(job, lifted=lift_tracks(temporal, selections, fps, seen_in, options.focal))
    fitted = job.surfaces or options.constant_shape or job.with_params
    shapes = _track_shapes(job) if fitted else None
    name_length = min(LONGEST_NAME, max(len(frame.name) for frame in sequence.frames))
    output = Path(options.output)
    turntables = options.turntable_formats
    earlier = earlier_files(output, source.stem, formats, turntables)
    with ExitStack() as stack:
        aside = stack.enter_context(staged(output, earlier))
        renderer = (
            stack.enter_context(MeshRenderer(options.renderer, pictures=len(sequence.frames)))
            if job.drawn or turntables
            else None
        )
        files = stack.enter_context(
            SequenceFiles(aside, source.stem, formats, lifter.predictor.mesh_model, fps, name_length)
        )
        fits = SequenceFits()
        results = fits.watched(_results(job, shapes, renderer if job.drawn else None))
        circled = [aside / f"{source.stem}_turntable.{kind}" for kind in turntables]
        turning = stack.enter_context(SequenceTurntable(_people(job) == 1)) if circled else None
        results = results if turning is None else turning.recorded(results)
        bar = tqdm(results, "lifting", len(sequence.frames), unit="frame", disable=None)
        files.write(bar)
        if turning is not None and renderer is not None:
            turning.save(circled, renderer, fps)
    for line in (*fits.lines, *(() if lifter.hands is None else lifter.hands.lines)):
        print(line)
    if renderer is not None:
        print(f"Renderer: {renderer.note}")
    if files.residual is not None:
        print(f"Parameters: mean distance to the vertices {MM_PER_M * files.residual:.1f} mm")
    for line in files.lines:
        print(line)
    say_replaced(earlier)
    return [output / path.relative_to(aside) for path in (*files.written, *circled)]


def _people(job: _Job) -> int:
    """Number of people in the whole sequence."""
    return len({track for people in job.selections for track in people.tracks.tolist()})


def _select_all(
    source: DemoInput, lifter: Lifter, size: tuple[int, int], fps: float, together: bool
) -> list[Selection]:
    """Whom to lift in each frame, or all together; prints how many were left out and filled."""
    smoother = PoseSmoother(fps) if lifter.options.smooth in ("input", "both") and not together else None
    selections: list[Selection] = []
    left_out = filled = 0
    keypoints = lifter.predictor.joint_set.keypoint_num  # the others are derived from these
    for frame in source.sequence.frames:
        people = lifter.select(frame, source.sequence.source, size, selections[-1] if selections else None)
        left_out += len(frame.poses) - len(people)
        people = chosen_people(people, people.tracks, lifter.options.people)
        filled += int(people.filled[:, :keypoints].sum())
        selections.append(people)
    if left_out or filled:
        print(
            f"Warning: {left_out} of {source.sequence.person_count} poses left out, {filled} missing joints filled; "
            f"the first: {_first_note(source, selections)}"
        )
    if lifter.options.smooth or together:
        selections = carry_over(selections, fps)
        carried = sum(int(people.carried.sum()) for people in selections if people.carried is not None)
        if carried:
            print(
                f"Carried over: {carried} poses of people who were not seen for up to {longest_carried(fps)} frames, "
                "marked with a ring"
            )
    if smoother is not None:
        selections = [smoother(number, people) for number, people in enumerate(selections)]
    return selections


def _first_note(source: DemoInput, selections: list[Selection]) -> str:
    frames = source.sequence.frames
    noted = [(shown_name(frame.name), people.notes[0]) for frame, people in zip(frames, selections) if people.notes]
    return f"frame {noted[0][0]}, {noted[0][1]}" if noted else "the frames are empty"


def _batches(job: _Job) -> Iterator[list[int]]:
    """Frame numbers, about ``_BATCH`` people together."""
    frames: list[int] = []
    count = 0
    for number, people in enumerate(job.selections):
        frames.append(number)
        count += len(people)
        if count >= _BATCH:
            yield frames
            frames, count = [], 0
    if frames:
        yield frames


def _track_shapes(job: _Job) -> Shapes:
    """Body shape (S,) of every track, from frames spread evenly over it."""
    if job.lifter.betas is not None:
        known = torch.from_numpy(job.lifter.betas)
        return {track: known for people in job.selections for track in people.tracks.tolist()}
    model = job.lifter.predictor.mesh_model
    prior = joint_prior(model.kind)
    places: dict[int, list[tuple[int, int]]] = {}
    for number, people in enumerate(job.selections):
        for row, track in enumerate(people.tracks.tolist()):
            places.setdefault(track, []).append((number, row))
    shapes = {}
    for track, where in tqdm(places.items(), "body shapes", unit="person", disable=None):
        chosen = shape_frames(len(where))
        frames, rows = map(list, zip(*(where[index] for index in chosen)))
        vertices = job.lift(frames, rows=rows).model_vertices
        group = np.zeros(len(chosen), np.int64)
        shapes[track] = fit_params(vertices, model, group, prior=prior).betas[0]
    return shapes


def _results(job: _Job, shapes: Shapes | None, renderer: MeshRenderer | None) -> Iterator[FrameResult]:
    """Frame by frame what was found, with the picture where a renderer is given."""
    model = job.lifter.predictor.mesh_model
    regress = job.lifter.regress
    smoother = MeshSmoother(job.fps, regress) if job.options.smooth in ("output", "both") else None
    params, (film, hand_film) = model.params(), (Film(longest_gap=round(LONGEST_GAP * job.fps)) for _ in range(2))
    for frames in _batches(job):
        counts = [len(job.selections[number]) for number in frames]
        people = fit = None
        if any(counts):
            people = job.lift(frames, shapes if job.surfaces else None, film)
            if smoother is not None:
                people = smoother(np.repeat(frames, counts), people)
            if shapes is not None and job.surfaces:
                betas = torch.stack([shapes[track] for track in people.track.tolist()])
                fit = params_of(people, model, betas) if job.with_params else None
            elif shapes is not None:
                betas = torch.stack([shapes[track] for track in people.track.tolist()])
                fit = fit_params(people.model_vertices, model, betas=betas, prior=joint_prior(model.kind))
                if job.options.constant_shape:
                    body = lbs(params, fit.pose, fit.betas)[0] + fit.trans[:, None]
                    people = with_meshes(people, mirror_points(body.numpy(), people.left), regress)
                fit = mirrored_fit(fit, people.left)
            people = job.with_hands(people, frames, hand_film)
        ends = np.cumsum(counts)
        for number, start, end in zip(frames, ends - counts, ends):
            rows = slice(start, end)
            yield _frame_result(
                job,
                number,
                people.take(rows) if people is not None and start < end else None,
                fit[rows] if fit is not None and start < end else None,
                renderer,
            )


def _frame_result(job: _Job, number: int, people, fit, renderer: MeshRenderer | None) -> FrameResult:
    frame, selection = job.source.sequence.frames[number], job.selections[number]
    place = number if frame.number is None else frame.number
    colours = [] if people is None else [person_colour(track, job.options.seed) for track in people.track.tolist()]
    if not job.pictures:
        return FrameResult(place, frame.name, people, fit, None, colours)
    image = job.source.images.read(number, frame)
    if (image.shape[1], image.shape[0]) != job.size:
        raise ValueError(
            f"picture of frame {shown_name(frame.name)} is {image.shape[1]} x {image.shape[0]}, the first one was "
            f"{job.size[0]} x {job.size[1]} pixels; for unrelated pictures "
            + ("leave --video out" if job.options.video else "add --photos")
        )
    picture = posed = image
    if people is not None and renderer is not None:
        picture = mark_carried(draw_people(image, people, colours, renderer), people)
    if "html" in job.formats:
        for pose in selection.poses:
            posed = draw_pose(posed, pose, job.lifter.predictor.joint_set)
        for hands in () if people is None or people.hands is None else people.hands.hand_pose2d:
            add_hands(posed, hands, JOINT_SETS["mano"])
    return FrameResult(place, frame.name, people, fit, picture, colours, posed)
