"""Results for single pictures: the people of one image, or of many images that have nothing to do with each other.

One person in one image gives ``demo_pose2d.png``, ``demo_mesh.png``, ``demo_mesh.obj``, ...; otherwise the files are
called as in the original's example with several people, ``<image>_pose2d_<person>.png``, ``<image>_mesh_<person>.png``
and ``<image>_mesh_<person>.obj``, and every picture also shows the people before.
"""

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from lib.demo.options import PARAM_FORMATS
from lib.demo.turntables import FPS, save_turntable
from lib.export.animation import Motion, SkinnedDistance, save_bvh, save_skinned_glb
from lib.export.people import PeopleArrays
from lib.export.png import PngSeries
from lib.files import staged
from lib.joints.joint_set import JointSet
from lib.joints.tables import JOINT_SETS
from lib.mesh.mesh_model import MeshModel
from lib.poses import Selection
from lib.render.marks import mark_risks
from lib.render.mesh_renderer import MeshRenderer, person_colour
from lib.render.poses import add_hands, add_skeleton, draw_pose
from lib.render.views import draw_people, draw_views

_OF_A_PERSON = re.compile(r"(.+)_(?:(?:pose2d|mesh)_\d+\.(?:png|obj)|person_\d+\.bvh)")
# ends of names that are not ``mesh.`` and the format
_ENDS = {"params": "params.npz", "rigged": "rigged.glb", "bvh": "person_0.bvh"}
_STILL = 30.0  # frames per second of a single one


def earlier_files(
    folder: Path, stems: Sequence[str], formats: Sequence[str], single: bool, turntables: Sequence[str] = ()
) -> list[Path]:
    """Files that an earlier run left of images of these names: those that are written again, and all of single people.

    Files in formats that are not among ``formats`` are not meant: asking for one after the other is common.
    """
    ends = [f"turntable.{kind}" for kind in turntables]
    ends += [_ENDS.get(kind, f"mesh.{kind}") for kind in formats if single or kind not in ("obj", "bvh")]
    if single:
        names = [f"demo_{end}" for end in ("pose2d.png", "mesh.png", "views.png", *ends)]
    else:
        names = [f"{stem}_{end}" for stem in stems for end in ("views.png", *ends)]
    found, known = [folder / name for name in names], set(stems)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = _OF_A_PERSON.fullmatch(path.name)
        found += [path] if match and match[1] in known else []
    return [path for path in found if path.is_file()]


def write_files(folder: Path, write: Callable[[Path], Iterable[str]], earlier: Iterable[Path] = ()) -> list[Path]:
    """Let files be written and put them in the place of the ``earlier`` ones (``lib.files.staged``).

    Args:
        folder: of the results.
        write: writes into the folder it is given, and names each file.
        earlier: files to remove.
    """
    with staged(folder, earlier) as aside:
        names = list(write(aside))
    return [Path(folder) / name for name in names]


def save_image(path: Path, image: np.ndarray) -> None:
    """Write a picture in the format of the path's suffix.

    Raises:
        ValueError: OpenCV cannot encode it.
    """
    done, data = cv2.imencode(path.suffix, image)
    if not done:
        raise ValueError(f"OpenCV cannot encode {path.name}")
    path.write_bytes(data.tobytes())


def save_pictures(folder: Path, pictures: dict[str, np.ndarray]) -> Iterator[str]:
    """Write pictures by file name into a folder, naming each."""
    for name, picture in pictures.items():
        save_image(folder / name, picture)
        yield name


class PictureResults:
    """Draws the people of one image and writes them.

    Args:
        renderer: of meshes.
        joint_set: of the 2D poses.
        mesh_model: of the meshes.
        formats: see ``lib.demo.options.PICTURE_FORMATS``.
        seed: see ``lib.render.mesh_renderer.person_colour``.
        turntables: file formats of turntables.
        fps: their frames per second.

    Attributes:
        residuals: (N,) of each image written so far, mean distance of parameters and vertices, metres.
        skinned: distance of skinned meshes from people's, of all images.
    """

    def __init__(
        self,
        renderer: MeshRenderer,
        joint_set: JointSet,
        mesh_model: MeshModel,
        formats: tuple[str, ...],
        seed: int,
        turntables: tuple[str, ...] = (),
        fps: float = FPS,
    ):
        self.renderer, self.joint_set, self.mesh_model = renderer, joint_set, mesh_model
        self.formats, self.seed, self.turntables, self.fps = formats, seed, turntables, fps
        self.residuals: list[np.ndarray] = []
        self.skinned = SkinnedDistance(mesh_model) if "rigged" in formats else None

    def write(
        self, folder: Path, image: np.ndarray, people: PeopleArrays, selection: Selection, stem: str, single: bool
    ) -> Iterator[str]:
        """Write the files of one image into a folder; nothing but what the next file needs stays in memory.

        Args:
            folder: where to.
            image: (H, W, 3) uint8, blue-green-red.
            people: rows of the image.
            selection: the same people.
            stem: start of the names where there may be several people.
            single: one person in one picture.

        Yields:
            the files' names.
        """
        colours = [person_colour(row, self.seed) for row in selection.kept]
        pictures = self._single if single else self._several
        posed = yield from pictures(folder, image, people, selection, colours, stem)
        stem = "demo" if single else stem
        yield from self._others(folder, stem, posed, people, selection, colours, single)
        for kind in self.turntables:
            save_turntable(folder / f"{stem}_turntable.{kind}", people, colours, self.renderer, self.fps)
            yield f"{stem}_turntable.{kind}"

    def _single(self, folder, image, people, selection, colours, stem) -> Generator[str, None, np.ndarray]:
        # filled joints have no score, but are shown like the others: they are what the network was given
        posed = draw_pose(image, selection.poses[0], self.joint_set, np.ones(len(selection.poses[0])))
        if people.hands is not None:
            add_hands(posed, people.hands.hand_pose2d[0], JOINT_SETS["mano"])
        scene = draw_people(image, people, colours, self.renderer)
        views = draw_views(image, selection.poses, self.joint_set, scene, people, colours, self.renderer)
        pictures = {"demo_pose2d.png": posed, "demo_mesh.png": scene, "demo_views.png": views}
        yield from save_pictures(folder, pictures)
        return posed

    def _several(self, folder, image, people, selection, colours, stem) -> Generator[str, None, np.ndarray]:
        cameras, depths = people.camera_image, people.translation[:, 2]
        series = self.renderer.render_series(people.drawn, people.row_faces, image, cameras, colours, depths)
        posed, scene = image.copy(), image
        pose_files, mesh_files = PngSeries(), PngSeries()
        for row, (scene, changed) in enumerate(series):
            number = selection.kept[row]
            posed_rows = add_skeleton(posed, selection.poses[row].T, self.joint_set.bones, colours[row])
            if people.hands is not None:
                hands_rows = add_hands(posed, people.hands.hand_pose2d[row], JOINT_SETS["mano"])
                if hands_rows.stop:
                    ends = (posed_rows.start, hands_rows.start), (posed_rows.stop, hands_rows.stop)
                    posed_rows = slice(min(ends[0]), max(ends[1]))
            pose_files.save(folder / f"{stem}_pose2d_{number}.png", posed, posed_rows)
            yield f"{stem}_pose2d_{number}.png"
            mesh_files.save(folder / f"{stem}_mesh_{number}.png", scene, changed)
            yield f"{stem}_mesh_{number}.png"
        scene = mark_risks(scene, people)
        views = draw_views(image, selection.poses, self.joint_set, scene, people, colours, self.renderer)
        yield from save_pictures(folder, {f"{stem}_views.png": views})
        return posed

    def _others(self, folder, stem, posed, people, selection, colours, single) -> Iterator[str]:
        """Everything but pictures."""
        from lib.export import save_mesh, save_npz

        names = [f"person_{number}" for number in selection.kept]
        for kind in self.formats:
            if kind in PARAM_FORMATS:
                continue
            if kind == "obj":
                for row, number in enumerate(selection.kept):
                    name = f"{stem}_mesh.obj" if single else f"{stem}_mesh_{number}.obj"
                    one = people.take([row])
                    vertices, faces, _, parts = one.parts(one.whole, [names[row]])
                    save_mesh(folder / name, vertices, faces, names=parts)
                    yield name
                continue
            name = f"{stem}_mesh.{kind}"
            if kind == "npz":
                save_npz(folder / name, people)
            elif kind == "html":
                self._save_page(folder / name, people, colours, posed, stem)
            else:
                # people stand in one scene; a single one stays about the origin, as the original wrote it
                vertices, faces, rows, parts = people.parts(people.whole if single else people.placed, names)
                save_mesh(folder / name, vertices, faces, [colours[row] for row in rows], parts)
            yield name
        if set(PARAM_FORMATS) & set(self.formats):
            yield from self._params(folder, stem, people, names, colours)

    def _params(self, folder, stem, people, names, colours) -> Iterator[str]:
        """What is made of body parameters."""
        from lib.export import params_of, save_params

        fit = params_of(people, self.mesh_model)
        self.residuals.append(fit.residual.numpy())
        if "params" in self.formats:
            frames, place = list(people.frame), people.translation
            name = f"{stem}_{_ENDS['params']}"
            save_params(folder / name, fit, self.mesh_model, people.track, frames, place, left=people.left)
            yield name
        if not {"bvh", "rigged"} & set(self.formats):
            return
        motions = [
            Motion.of(name, fit[[row]], self.mesh_model, None, people.translation[row], bool(people.left[row]))
            for row, name in enumerate(names)
        ]
        for motion in motions if "bvh" in self.formats else ():
            save_bvh(folder / f"{stem}_{motion.name}.bvh", motion, _STILL)
            yield f"{stem}_{motion.name}.bvh"
        if self.skinned is not None:
            self.skinned.add(fit, people)
            name = f"{stem}_{_ENDS['rigged']}"
            save_skinned_glb(folder / name, motions, colours, _STILL)
            yield name

    def _save_page(self, path: Path, people: PeopleArrays, colours: list, picture: np.ndarray, title: str) -> None:
        from lib.export import Shot, save_html

        faces = None if people.hands is None else people.row_faces  # without hands left hands' are turned by the page
        shot = Shot(people.placed, colours, picture, turned=people.left, faces=faces)
        save_html(path, shot, people.faces, f"Pose2Mesh: {title}")
