"""``--turntable``: a film of everybody in a picture or a sequence, seen from all round."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from lib.export import VideoWriter
from lib.export.people import PeopleArrays
from lib.render.mesh_renderer import MeshRenderer
from lib.render.turntable import Colour, Moment, Stage, playing_angles, still_frames

if TYPE_CHECKING:
    from lib.demo.sequence_files import FrameResult

FPS = 30.0  # of pictures' turntables


def save_turntable(path: Path, people: PeopleArrays, colours: Sequence[Colour], renderer: MeshRenderer, fps: float):
    """A film of the people of a picture, as they stand in space; a single one about its own axis.

    Args:
        path: ``.mp4`` or ``.gif``.
        people: of the picture.
        colours: (r, g, b) of each.
        renderer: draws them.
        fps: frames per second.
    """
    moment = _moment(people, colours, alone=len(people) == 1)
    stage = Stage(lambda: [moment])
    frames = still_frames(moment, fps)
    with VideoWriter(path, fps) as film:
        for still, angle in tqdm(frames, "turntable", unit="frame", disable=None):
            film.write(stage.draw(still, angle, renderer))


def _moment(people: PeopleArrays, colours: Sequence[Colour], alone: bool) -> Moment:
    """Without company nobody's place in space matters, which is the less certain the farther away it is."""
    return Moment(list(people.whole if alone else people.placed), people.row_faces, colours)


class SequenceTurntable:
    """Keeps the people of a sequence on disk while they pass, and films them at the end; a context.

    Args:
        alone: the sequence has one person.
    """

    def __init__(self, alone: bool):
        self._alone, self._count = alone, 0
        self._faces: dict[bytes, tuple[int, np.ndarray]] = {}
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed at the end of the block)

    def __enter__(self) -> SequenceTurntable:
        return self

    def __exit__(self, kind, error, trace) -> None:
        self._file.close()

    def recorded(self, results: Iterable[FrameResult]) -> Iterator[FrameResult]:
        """Hand results on after keeping their meshes."""
        for result in results:
            people = result.people
            moment = Moment([], [], []) if people is None else _moment(people, result.colours, self._alone)
            numbers = [self._number(faces) for faces in moment.faces]
            np.save(self._file, np.array(numbers, dtype=np.int64))
            np.save(self._file, np.array(moment.colours, dtype=np.float64).reshape(-1, 3))
            for mesh in moment.meshes:
                np.save(self._file, mesh.astype(np.float32))
            self._count += 1
            yield result

    def _number(self, faces: np.ndarray) -> int:
        return self._faces.setdefault(faces.tobytes(), (len(self._faces), faces))[0]

    def _moments(self) -> Iterator[Moment]:
        kept = [faces for _, faces in self._faces.values()]
        self._file.seek(0)
        for _ in range(self._count):
            numbers, colours = np.load(self._file).tolist(), np.load(self._file)
            yield Moment([np.load(self._file) for _ in numbers], [kept[number] for number in numbers], list(colours))

    def save(self, paths: Sequence[Path], renderer: MeshRenderer, fps: float) -> None:
        """Write the films, once all results have passed.

        Args:
            paths: ``.mp4`` or ``.gif`` each.
            renderer: draws them.
            fps: frames per second of the sequence.
        """
        stage = Stage(self._moments)
        times, angles = playing_angles(self._count, fps)
        for path in paths:
            moments = (moment for _ in range(times) for moment in self._moments())
            with VideoWriter(path, fps) as film:
                for moment, angle in zip(tqdm(moments, "turntable", len(angles), unit="frame", disable=None), angles):
                    film.write(stage.draw(moment, angle, renderer))
