"""Results for single pictures: the people of one image, or of many images that have nothing to do with each other.

One person in one image gives ``demo_pose2d.png``, ``demo_mesh.png``, ``demo_mesh.obj``, ...; otherwise the files are
called as in the original's example with several people, ``<image>_pose2d_<person>.png``, ``<image>_mesh_<person>.png``
and ``<image>_mesh_<person>.obj``, and every picture also shows the people before.
"""

import os
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from lib.export.people import PeopleArrays
from lib.files import hidden_beside
from lib.joints.joint_set import JointSet
from lib.mesh.mesh_model import MeshModel
from lib.poses import Selection
from lib.render.mesh_renderer import MeshRenderer, person_colour
from lib.render.poses import draw_pose, vis_coco_skeleton
from lib.render.views import draw_views
from lib.units import MM_PER_M

_OF_A_PERSON = r"_(?:pose2d|mesh)_\d+\.(?:png|obj)"

Writer = Callable[[Path], None]


def write_files(folder: Path, writers: dict[str, Writer], stem: str = "") -> list[Path]:
    """Call each writer on a path in a hidden folder beside the results, then move everything into place.

    An error leaves earlier results as they were.

    Args:
        folder: of the results.
        writers: by file name.
        stem: of an image whose files of people (``<stem>_mesh_3.obj``) that are not among these are removed: they are
            of an earlier run that found more people.
    """
    folder = Path(folder)
    aside = hidden_beside(folder / "demo")
    aside.mkdir(parents=True)
    try:
        for name, write in writers.items():
            write(aside / name)
        for name in writers:
            os.replace(aside / name, folder / name)
        for path in list(folder.iterdir()) if stem else ():
            if path.name not in writers and re.fullmatch(re.escape(stem) + _OF_A_PERSON, path.name):
                path.unlink()
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return [folder / name for name in writers]


def save_image(path: Path, image: np.ndarray) -> None:
    """Write a picture in the format of the path's suffix.

    Raises:
        ValueError: OpenCV cannot encode it.
    """
    done, data = cv2.imencode(path.suffix, image)
    if not done:
        raise ValueError(f"OpenCV cannot encode {path.name}")
    path.write_bytes(data.tobytes())


class PictureResults:
    """Draws the people of one image and writes them.

    Args:
        renderer: of meshes.
        joint_set: of the 2D poses.
        mesh_model: of the meshes.
        formats: see ``lib.demo.options.PICTURE_FORMATS``.
        seed: see ``lib.render.mesh_renderer.person_colour``.
    """

    def __init__(
        self, renderer: MeshRenderer, joint_set: JointSet, mesh_model: MeshModel, formats: tuple[str, ...], seed: int
    ):
        self.renderer, self.joint_set, self.mesh_model = renderer, joint_set, mesh_model
        self.formats, self.seed = formats, seed

    def writers(
        self, image: np.ndarray, people: PeopleArrays, selection: Selection, stem: str, single: bool
    ) -> dict[str, Writer]:
        """The files of one image, by name.

        Args:
            image: (H, W, 3) uint8, blue-green-red.
            people: rows of the image.
            selection: the same people.
            stem: start of the names where there may be several people.
            single: one person in one picture.
        """
        colours = [person_colour(row, self.seed) for row in selection.kept]
        draw = self._single if single else self._several
        pictures, posed = draw(image, people, selection, colours, stem)
        return pictures | self._files("demo" if single else stem, posed, people, selection, colours, single)

    def overlay(self, image: np.ndarray, people: PeopleArrays, colours: list, count: int | None = None) -> np.ndarray:
        """The image with the first ``count`` people; nearer ones cover those behind."""
        rows = slice(count)
        vertices, cameras, depths = people.vertices[rows], people.camera_image[rows], people.translation[rows, 2]
        return self.renderer.render_people(vertices, people.faces, image, cameras, colours[rows], depths=depths)

    def _single(self, image, people, selection, colours, stem) -> tuple[dict[str, Writer], np.ndarray]:
        # filled joints have no score, but are shown like the others: they are what the network was given
        pose_picture = draw_pose(image, selection.poses[0], self.joint_set, np.ones(len(selection.poses[0])))
        scene = self.overlay(image, people, colours)
        views = self._views(image, people, selection, colours, scene)
        return {
            "demo_pose2d.png": lambda path: save_image(path, pose_picture),
            "demo_mesh.png": lambda path: save_image(path, scene),
            "demo_views.png": lambda path: save_image(path, views),
        }, pose_picture

    def _several(self, image, people, selection, colours, stem) -> tuple[dict[str, Writer], np.ndarray]:
        writers: dict[str, Writer] = {}
        skeletons = image
        for row, (number, colour) in enumerate(zip(selection.kept, colours)):
            skeletons = vis_coco_skeleton(skeletons, selection.poses[row].T, self.joint_set.bones, colour)
            scene = self.overlay(image, people, colours, row + 1)
            for name, picture in ((f"{stem}_pose2d_{number}.png", skeletons), (f"{stem}_mesh_{number}.png", scene)):
                writers[name] = partial(save_image, image=picture)
        views = self._views(image, people, selection, colours, scene)
        return writers | {f"{stem}_views.png": lambda path: save_image(path, views)}, skeletons

    def _views(self, image, people, selection, colours, scene) -> np.ndarray:
        """Input, overlay and side view next to each other."""
        return draw_views(image, selection.poses, self.joint_set, scene, people, colours, self.renderer)

    def _files(self, stem, posed, people, selection, colours, single) -> dict[str, Writer]:
        """Everything but pictures."""
        from lib.export import save_mesh, save_npz

        names = [f"person_{number}" for number in selection.kept]
        # people stand in one scene; a single one stays about the origin, as the original wrote it
        placed = people.vertices[0] if single else people.placed
        writers: dict[str, Writer] = {}
        for kind in self.formats:
            if kind == "obj":
                for row, number in enumerate(selection.kept):
                    name = f"{stem}_mesh.obj" if single else f"{stem}_mesh_{number}.obj"
                    writers[name] = partial(save_mesh, vertices=people.vertices[row], faces=people.faces)
            elif kind in ("glb", "ply"):
                writers[f"{stem}_mesh.{kind}"] = lambda path: save_mesh(path, placed, people.faces, colours, names)
            elif kind == "npz":
                writers[f"{stem}_mesh.npz"] = lambda path: save_npz(path, people)
            elif kind == "params":
                writers[f"{stem}_params.npz"] = lambda path: self._save_params(path, people)
            elif kind == "html":
                writers[f"{stem}_mesh.html"] = lambda path: self._save_page(path, people, colours, posed, stem)
        return writers

    def _save_params(self, path: Path, people: PeopleArrays) -> None:
        from lib.export import save_params
        from lib.mesh.fit_params import fit_params

        fit = fit_params(people.vertices, self.mesh_model)
        print(f"Parameters: mean distance to the vertices {MM_PER_M * fit.residual.mean():.1f} mm")
        save_params(path, fit, self.mesh_model, people.track, list(people.frame), people.translation)

    def _save_page(self, path: Path, people: PeopleArrays, colours: list, picture: np.ndarray, title: str) -> None:
        from lib.export import Shot, save_html

        save_html(path, Shot(people.placed, colours, picture), people.faces, f"Pose2Mesh: {title}")
