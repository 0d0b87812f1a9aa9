"""The files of a sequence, written frame by frame: film, arrays, parameters, page, meshes."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lib.export import NpzWriter, Shot, VideoWriter, save_amass, save_html, save_mesh, save_params
from lib.export.animation import Motion, SkinnedDistance, save_bvh, save_skinned_glb
from lib.export.meshes import MESH_FORMATS
from lib.export.people import PeopleArrays
from lib.export.video import VIDEO_FORMATS
from lib.mesh.fit_params import ParamFit
from lib.mesh.mesh_model import MeshModel

_FEW_PEOPLE = 2  # that are named each


@dataclass(frozen=True)
class FrameResult:
    """What was found in a frame.

    Attributes:
        number: of the frame in its film.
        name: of the frame.
        people: None when there is nobody.
        fit: body parameters of the people, where asked for.
        picture: (H, W, 3) uint8, blue-green-red, with the meshes, where asked for.
        colours: (r, g, b) of the people.
        posed: (H, W, 3) the input picture with the 2D poses, where asked for.
    """

    number: int
    name: str
    people: PeopleArrays | None
    fit: ParamFit | None
    picture: np.ndarray | None
    colours: list[tuple[float, float, float]]
    posed: np.ndarray | None = None


def earlier_files(folder: Path, stem: str, formats: Sequence[str], turntables: Sequence[str] = ()) -> list[Path]:
    """Files that an earlier run left of a sequence of this name: those that are written again, and all of single
    frames and people, of which there may have been more."""
    ends = {"params": "params.npz", "rigged": "rigged.glb"}
    found = [folder / f"{stem}_{ends.get(kind, f'mesh.{kind}')}" for kind in formats]
    found += [folder / f"{stem}_turntable.{kind}" for kind in turntables]
    numbered = (
        ("", re.escape(stem) + r"_person_\d+(?:_poses\.npz|\.bvh)"),
        (f"{stem}_frames", r"\d{6,}\.png"),
        (f"{stem}_meshes", r"\d{6,}\.(?:obj|glb|ply)"),
    )
    for part, name in numbered:
        place = folder / part
        found += [path for path in (sorted(place.iterdir()) if place.is_dir() else ()) if re.fullmatch(name, path.name)]
    return [path for path in found if path.is_file()]


class SequenceFiles:
    """Writes results as they come, in memory that does not grow with the frames (a page's own data apart).

    Args:
        folder: of the results.
        stem: start of the names.
        formats: see ``lib.demo.options.SEQUENCE_FORMATS``.
        mesh_model: of the meshes.
        fps: frames per second.
        name_length: characters of the longest frame name.

    Attributes:
        written: the files, or folders of many files, after the block.
        residual: mean distance of parameters and vertices, metres; None without parameters.
        lines: what the user is told about the files, after the block.
    """

    def __init__(
        self, folder: Path, stem: str, formats: tuple[str, ...], mesh_model: MeshModel, fps: float, name_length: int
    ):
        self._folder, self._stem, self._formats, self._model, self._fps = folder, stem, formats, mesh_model, fps
        self._name_length = name_length
        self._stack = ExitStack()
        self._frame_num = 0
        self._kept: list[tuple[ParamFit, np.ndarray, np.ndarray, np.ndarray, np.ndarray, list[str]]] = []
        self._colours: dict[int, tuple[float, float, float]] = {}
        self._skinned = SkinnedDistance(mesh_model) if "rigged" in formats else None
        self.written: list[Path] = []
        self.lines: list[str] = []
        self.residual: float | None = None

    def _path(self, suffix: str) -> Path:
        return self._folder / f"{self._stem}_{suffix}"

    def __enter__(self) -> "SequenceFiles":
        enter = self._stack.enter_context
        self._films = [
            enter(VideoWriter(self._path(f"mesh.{kind}"), self._fps)) for kind in self._chosen(VIDEO_FORMATS)
        ]
        self._arrays = enter(NpzWriter(self._path("mesh.npz"), self._name_length)) if "npz" in self._formats else None
        return self

    def __exit__(self, kind, error, trace) -> None:
        self._stack.__exit__(kind, error, trace)
        if kind is not None:
            return
        self.written = [film.path for film in self._films] + ([self._arrays.path] if self._arrays else [])
        self.written += self._write_params()
        self.written += [self._path("meshes")] if self._chosen(MESH_FORMATS) else []
        self.written += [self._path("frames")] if "png" in self._formats else []
        self.written += [self._path("mesh.html")] if "html" in self._formats else []

    def _chosen(self, kinds: Iterable[str]) -> list[str]:
        return [kind for kind in kinds if kind in self._formats]

    def write(self, results: Iterable[FrameResult]) -> None:
        """Write all frames."""
        passed = self._each(results)
        if "html" in self._formats:
            shots = (
                Shot(
                    np.zeros((0, 1, 3), np.float32) if result.people is None else result.people.placed,
                    result.colours,
                    result.posed,
                    result.name,
                    None if result.people is None else result.people.left,
                    None if result.people is None or result.people.hands is None else result.people.row_faces,
                )
                for result in passed
            )
            faces = self._model.faces
            save_html(self._path("mesh.html"), shots, faces, f"Pose2Mesh: {self._stem}", self._fps)
        for _ in passed:
            pass

    def _each(self, results: Iterable[FrameResult]) -> Iterator[FrameResult]:
        """Hand the results on after writing them to all files that grow frame by frame."""
        for result in results:
            if result.picture is not None:
                self._write_picture(result.number, result.picture)
            if result.people is not None:
                self._write_people(result, result.people)
            self._frame_num += 1
            yield result

    def _write_picture(self, number: int, picture: np.ndarray) -> None:
        for film in self._films:
            film.write(picture)
        if "png" in self._formats:
            from lib.demo.picture_files import save_image

            folder = self._path("frames")
            folder.mkdir(parents=True, exist_ok=True)
            save_image(folder / f"{number:06d}.png", picture)

    def _write_people(self, result: FrameResult, people: PeopleArrays) -> None:
        if self._arrays is not None:
            self._arrays.append(people)
        names = [f"person_{track}" for track in people.track.tolist()]
        for kind in self._chosen(MESH_FORMATS):
            path = self._path("meshes") / f"{result.number:06d}.{kind}"
            vertices, faces, rows, parts = people.parts(people.placed, names)
            save_mesh(path, vertices, faces, [result.colours[row] for row in rows], parts)
        if result.fit is not None:
            number = np.full(len(people), self._frame_num)
            self._kept.append((result.fit, people.track, number, people.translation, people.left, list(people.frame)))
            self._colours |= zip(people.track.tolist(), result.colours)
            if self._skinned is not None:
                self._skinned.add(result.fit, people)

    def _write_params(self) -> list[Path]:
        """Parameters of everybody, one motion file for each person, and one with the skeletons of all."""
        if not self._kept:
            return []
        fits, tracks, numbers, translations, lefts, names = zip(*self._kept)
        fit, left = ParamFit.joined(fits), np.concatenate(lefts)
        track, number, translation = np.concatenate(tracks), np.concatenate(numbers), np.concatenate(translations)
        self.residual = float(fit.residual.mean())
        files = []
        if "params" in self._formats:
            files.append(self._path("params.npz"))
            frames = [name for group in names for name in group]
            save_params(files[-1], fit, self._model, track, frames, translation, left=left)
        of_each = {int(person): np.flatnonzero(track == person) for person in np.unique(track)}
        if "amass" in self._formats:
            for person, rows in of_each.items():
                one = fit[rows]
                placed = ParamFit(one.pose, one.betas, one.trans + torch.from_numpy(translation[rows]), one.residual)
                files.append(self._path(f"person_{person}_poses.npz"))
                save_amass(files[-1], placed, self._model, self._fps)
        self._note_unseen({person: self._frame_num - len(rows) for person, rows in of_each.items()})
        if not self._chosen(("bvh", "rigged")):
            return files
        motions = {
            person: Motion.of(
                f"person_{person}", fit[rows], self._model, number[rows], translation[rows], bool(left[rows[0]])
            )
            for person, rows in of_each.items()
        }
        return files + self._write_motions(motions)

    def _write_motions(self, motions: dict[int, Motion]) -> list[Path]:
        """Skeletons of people by track."""
        files = []
        if "bvh" in self._formats:
            for person, motion in motions.items():
                files.append(self._path(f"person_{person}.bvh"))
                save_bvh(files[-1], motion, self._fps, self._frame_num)
        if self._skinned is not None:
            files.append(self._path("rigged.glb"))
            colours = [self._colours[person] for person in motions]
            save_skinned_glb(files[-1], list(motions.values()), colours, self._fps, self._frame_num)
            self.lines.append(self._skinned.line)
        return files

    def _note_unseen(self, unseen: dict[int, int]) -> None:
        """Tell what files of a row per frame have for people who are unseen in so many frames."""
        gaps = [f"person_{person} in {count}" for person, count in unseen.items() if count]
        ways = {"bvh": "keeps the pose before", "rigged": "keeps the pose before", "amass": "leaves these frames out"}
        told = [f"{kind} {ways[kind]}" for kind in self._chosen(ways)]
        if gaps and told:
            more = f" and {len(gaps) - _FEW_PEOPLE} others" if len(gaps) > _FEW_PEOPLE else ""
            whom = ", ".join(gaps[:_FEW_PEOPLE])
            self.lines.append(f"Unseen: {whom}{more} of {self._frame_num} frames; {', '.join(told)}")
