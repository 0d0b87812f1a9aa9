"""From a frame's people to everything that is known about them: the predictor's results in plain arrays."""

from collections.abc import Sequence

import numpy as np
import torch

from lib.demo.options import DemoOptions
from lib.export.people import PeopleArrays
from lib.joints.joint_set import JointSet
from lib.poses import Frame, Selection
from lib.predictor import Pose2MeshPredictor

LONGEST_NAME = 256  # characters of a frame's name that results keep; every row of a file has room for the longest


class Lifter:
    """A predictor with what the demo's results need beside it.

    Args:
        predictor: network and mesh model.
        options: ``joint_score``, ``fill``, ``unit`` and ``focal`` count.
    """

    def __init__(self, predictor: Pose2MeshPredictor, options: DemoOptions):
        self.predictor, self.options = predictor, options
        self.faces = predictor.mesh_model.faces

    def select(
        self, frame: Frame, source: str | JointSet, image_size: tuple[int, int], previous: Selection | None = None
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
    ) -> PeopleArrays:
        """The people of some frames, frame after frame.

        Args:
            selections: people of each frame, at least one person in all.
            names: of the frames; cut to ``LONGEST_NAME``.
            image_size: width and height of their pictures.
            pose3d: 3D joints (N, J, 3) of each frame's people in ``options.unit``; None lets PoseNet find them.
        """
        poses = np.concatenate([people.poses for people in selections])
        if pose3d is None:
            prediction = self.predictor.predict(poses)
        else:
            chosen = np.concatenate([joints[people.kept] for joints, people in zip(pose3d, selections)])
            prediction = self.predictor.predict_pose3d(chosen, pose2d=poses, unit=self.options.unit)
        return PeopleArrays.from_prediction(
            prediction,
            self.faces,
            image_size,
            self.predictor.joint_set.joints,
            focal=self.options.focal,
            confidence=np.concatenate([people.scores for people in selections]),
            tracks=np.concatenate([people.tracks for people in selections]),
            frames=[name[:LONGEST_NAME] for name, people in zip(names, selections) for _ in people.kept],
        )
