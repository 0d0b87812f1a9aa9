"""From a frame's people to everything that is known about them: the predictor's results in plain arrays."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch

from lib.demo.hands import HandLifter
from lib.demo.options import DemoOptions
from lib.export.people import PeopleArrays
from lib.joints.joint_set import JointSet
from lib.mesh.stature import betas_of_height
from lib.poses import Frame, Selection, Source
from lib.predictor import Circumstances, Film, LiftedPeople, MeshPrediction, Pose2MeshPredictor
from lib.settings.setting import NETWORK

_MOST_BETAS = 10.0  # standard deviations
LONGEST_NAME = 256  # characters of a frame's name that results keep; every row of a file has room for the longest


def known_shape(predictor: Pose2MeshPredictor, options: DemoOptions) -> np.ndarray | None:
    """The shape (S,) that ``height`` or ``betas`` of the options stand for; see ``Lifter``."""
    if options.height is None and not options.betas:
        return None
    name = "--betas" if options.betas else "--height"
    if predictor.mesh == NETWORK:
        raise ValueError(
            f"{name} is for fitted surfaces; the network's vertices have a shape of their own: add --mesh refined"
        )
    if options.height is not None:
        return betas_of_height(predictor.mesh_model, options.height)
    shape_num = predictor.mesh_model.params().shape_num
    if (
        len(options.betas) > shape_num
        or not np.isfinite(options.betas).all()
        or np.abs(options.betas).max() > _MOST_BETAS
    ):
        raise ValueError(f"--betas: expected up to {shape_num} numbers from -{_MOST_BETAS:g} to {_MOST_BETAS:g}")
    return np.pad(np.array(options.betas, dtype=np.float32), (0, shape_num - len(options.betas)))


def chosen_people(people: Selection, numbers: np.ndarray, wanted: Sequence[int]) -> Selection:
    """Those of the people whose numbers (B,) are wanted; everybody where none is."""
    if not wanted:
        return people
    rows = np.flatnonzero(np.isin(numbers, wanted))
    changes: dict[str, Any] = {
        field.name: value[rows]
        for field in fields(people)
        if isinstance(value := getattr(people, field.name), np.ndarray)
    }
    if not len(rows):
        there = ", ".join(map(str, numbers.tolist())) or "nobody"
        changes["notes"] = (
            f"--people {','.join(map(str, wanted))}: those who can be lifted are {there}",
            *people.notes,
        )
    return replace(people, **changes)


class Lifter:
    """A predictor with what the demo's results need beside it.

    Args:
        predictor: network and mesh model.
        options: ``joint_score``, ``fill``, ``unit``, ``focal``, ``height`` and ``betas`` count.

    Attributes:
        betas: (S,) the shape that the options say all people have; None: unknown.
        hands: what lifts their hands; None: not asked for.

    Raises:
        ValueError: a shape or height for the network's vertices, which have none, or that the mesh model lacks.
    """

    def __init__(self, predictor: Pose2MeshPredictor, options: DemoOptions):
        self.predictor, self.options = predictor, options
        self.faces = predictor.mesh_model.faces
        self.betas = known_shape(predictor, options)
        self.hands = HandLifter(predictor.mesh_model, options) if options.hands else None

    def select(
        self,
        frame: Frame,
        source: str | JointSet | Source,
        image_size: tuple[int, int],
        previous: Selection | None = None,
    ) -> Selection:
        """Whom to lift in a frame whose poses have the joints of ``source``; ``previous``: of the frame before."""
        return self.predictor.select_people(
            frame.poses,
            source,
            joint_score=self.options.joint_score,
            image_size=image_size,
            fill=self.options.fill,
            tracks=frame.tracks,
            previous=previous,
            left=frame.left,
        )

    def regress(self, vertices: np.ndarray) -> np.ndarray:
        """Joints (N, J, 3) of meshes (N, V, 3), in their unit."""
        return self.predictor.regress(torch.from_numpy(vertices)).numpy()

    def __call__(
        self,
        selections: Sequence[Selection],
        names: Sequence[str],
        image_size: tuple[int, int],
        pose3d: Sequence[np.ndarray] | None = None,
        shapes: dict[int, torch.Tensor] | None = None,
        film: Film | None = None,
        numbers: Sequence[int] = (),
        size_known: bool = True,
        lifted: Sequence[LiftedPeople] | None = None,
    ) -> PeopleArrays:
        """The people of some frames, frame after frame.

        Args:
            selections: people of each frame, at least one person in all.
            names: of the frames; cut to ``LONGEST_NAME``.
            image_size: width and height of their pictures.
            pose3d: 3D joints (N, J, 3) of each frame's people in ``options.unit``; None lets PoseNet find them.
            shapes: known shapes (S,) by track number.
            film: what is kept from frame to frame; ``numbers`` then are the frames'.
            size_known: the poses are of pictures of this size; else it only is that of a black one made for them.
            lifted: what a temporal lifter says of each frame's people.
        """
        tracks = np.concatenate([people.tracks for people in selections])
        scores = np.concatenate([people.scores for people in selections])
        carried = np.concatenate(
            [np.zeros(len(people), bool) if people.carried is None else people.carried for people in selections]
        )
        betas: np.ndarray | torch.Tensor | None = self.betas
        if shapes is not None:
            betas = torch.stack([shapes[track] for track in tracks.tolist()])
        poses = np.concatenate([people.poses for people in selections])
        left = np.concatenate(
            [np.zeros(len(people), bool) if people.left is None else people.left for people in selections]
        )
        if pose3d is None:
            frames = None if film is None else np.repeat(numbers, [len(people) for people in selections])
            size = image_size if size_known else None
            known = Circumstances(size, self.options.focal, scores, betas, film, frames, tracks, left)
            prediction = self._predict(poses, known, None if lifted is None else LiftedPeople.joined(lifted))
        else:
            chosen = np.concatenate([joints[people.kept] for joints, people in zip(pose3d, selections)])
            unit = self.options.unit
            prediction = self.predictor.predict_pose3d(chosen, pose2d=poses, unit=unit, betas=betas, left=left)
        return PeopleArrays.from_prediction(
            prediction,
            self.faces,
            image_size,
            self.predictor.joint_set.joints,
            focal=self.options.focal,
            confidence=np.where(carried[:, None], 0, scores),
            tracks=tracks,
            frames=[name[:LONGEST_NAME] for name, people in zip(names, selections) for _ in people.kept],
            carried=carried,
        )

    def _predict(self, poses: np.ndarray, known: Circumstances, lifted: LiftedPeople | None) -> MeshPrediction:
        """Meshes of poses (B, J, 2); of people whom a temporal lifter lifted, theirs."""
        if lifted is None or not lifted.known.any():
            return self.predictor.predict(poses, known=known)
        together, alone = (np.flatnonzero(mask) for mask in (lifted.known, ~lifted.known))
        parts = [self.predictor.predict_lifted(lifted[torch.from_numpy(together)], known.rows(together).betas)]
        if len(alone):
            parts.append(self.predictor.predict(poses[alone], known=known.rows(alone)))
        back = torch.from_numpy(np.concatenate([together, alone]).argsort())
        return MeshPrediction.joined([part.values for part in parts])[back]
