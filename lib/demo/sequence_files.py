"""The files of a sequence, written frame by frame: film, arrays, parameters, page, meshes."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lib.export import NpzWriter, Shot, VideoWriter, save_amass, save_html, save_mesh, save_params
from lib.export.meshes import MESH_FORMATS
from lib.export.people import PeopleArrays
from lib.export.video import VIDEO_FORMATS
from lib.mesh.fit_params import ParamFit
from lib.mesh.mesh_model import MeshModel


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
    names = [f"{stem}_mesh.{kind}" for kind in formats] + ([f"{stem}_params.npz"] if "params" in formats else [])
    names += [f"{stem}_turntable.{kind}" for kind in turntables]
    found = [folder / name for name in names]
    numbered = (
        ("", re.escape(stem) + r"_person_\d+_poses\.npz"),
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
    """

    def __init__(
        self, folder: Path, stem: str, formats: tuple[str, ...], mesh_model: MeshModel, fps: float, name_length: int
    ):
        self._folder, self._stem, self._formats, self._model, self._fps = folder, stem, formats, mesh_model, fps
        self._name_length = name_length
        self._stack = ExitStack()
        self._kept: list[tuple[ParamFit, np.ndarray, np.ndarray, np.ndarray, list[str]]] = []
        self.written: list[Path] = []
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
            self._kept.append((result.fit, people.track, people.translation, people.left, list(people.frame)))

    def _write_params(self) -> list[Path]:
        """Parameters of everybody, and one motion file for each person."""
        if not self._kept:
            return []
        fits, tracks, translations, lefts, names = zip(*self._kept)
        fit = ParamFit.joined(fits)
        track, translation = np.concatenate(tracks), np.concatenate(translations)
        self.residual = float(fit.residual.mean())
        files = []
        if "params" in self._formats:
            files.append(self._path("params.npz"))
            frames = [name for group in names for name in group]
            left = np.concatenate(lefts)
            save_params(files[-1], fit, self._model, track, frames, translation, left=left)
        if "amass" in self._formats:
            for number in np.unique(track):
                rows = torch.from_numpy(track == number)
                one = fit[rows]
                placed = ParamFit(one.pose, one.betas, one.trans + torch.from_numpy(translation)[rows], one.residual)
                files.append(self._path(f"person_{number}_poses.npz"))
                save_amass(files[-1], placed, self._model, self._fps)
        return files
