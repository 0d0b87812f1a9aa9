"""From the people of one picture to their meshes, as pictures come: nothing of later pictures is known."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from lib.demo.carrying import LastSeen
from lib.demo.lifting import Lifter
from lib.demo.smoothing import MeshSmoother, PoseSmoother
from lib.export.people import PeopleArrays
from lib.joints.joint_set import JointSet
from lib.poses import Frame, Selection, Source, Tracker
from lib.predictor import Film, Pose2MeshPredictor, SequenceLifter, StreamLifter
from lib.predictor.sequence_lifter import camera_of
from lib.predictor.surfaces import LONGEST_GAP
from lib.render.mesh_renderer import MeshRenderer
from lib.settings.setting import REFINED


@dataclass
class LiveLifter:
    """The mesh stage: poses of a picture in, vertices and cameras out.

    People without track numbers are followed. Smoothing is causal: it weighs what came before, and waits for nothing;
    people whom the detector loses for a moment stay where they were last, unless ``smooth`` is ``none``. A temporal
    lifter takes 2D poses as they are, whatever ``smooth`` says.

    Args:
        lifter: with its predictor.
        source: whose joints the poses have.
        fps: of the pictures' numbers.
        smooth: one of ``lib.live.options.LIVE_SMOOTHING``.
        temporal: lifts people with what came before; None: frame by frame.
        lookahead: pictures that are waited for with it.
    """

    lifter: Lifter
    source: str | JointSet | Source
    fps: float
    smooth: str = "none"
    temporal: SequenceLifter | None = None
    lookahead: int = 0
    _before: Selection | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        gap = max(int(LONGEST_GAP * self.fps), 1)
        self._tracker = Tracker(max_gap=gap, joint_score=self.lifter.options.joint_score)
        smooth_poses = self.temporal is None and self.smooth in ("input", "both")
        self._poses = PoseSmoother(self.fps) if smooth_poses else None
        self._stream = None if self.temporal is None else StreamLifter(self.temporal, self.fps)
        self._waiting: deque[tuple[int, str, Selection]] = deque()
        self._meshes = MeshSmoother(self.fps, self.lifter.regress) if self.smooth in ("output", "both") else None
        self._last_seen = LastSeen(self.fps, gap) if self.smooth != "none" else None
        self._film = Film(gap) if self.lifter.predictor.mesh == REFINED else None

    def __call__(self, number: int, frame: Frame, image_size: tuple[int, int]) -> PeopleArrays | None:
        """The people of picture ``number``, which grows from call to call, or of ``lookahead`` pictures before.

        None: nobody, or no picture so long ago.

        Args:
            frame: the people who were found, pixels of the picture.
            image_size: width and height of the picture.
        """
        if frame.tracks is None:
            frame = self._tracker(number, frame)
        people = self.lifter.select(frame, self.source, image_size, self._before)
        if self._last_seen is not None:
            people = self._last_seen(number, people)
        self._before = people
        if self._stream is not None:
            self._stream.add(number, people.tracks, people.poses, ~people.filled)
        self._waiting.append((number, frame.name, people))
        if len(self._waiting) <= self.lookahead:
            return None
        number, name, people = self._waiting.popleft()
        if not len(people):
            return None
        if self._poses is not None:
            people = self._poses(number, people)
        lifted = None
        if self._stream is not None:
            lens = camera_of(image_size, self.lifter.options.focal)
            lifted = [self._stream.lift(number, people.tracks, *lens)]
        found = self.lifter([people], [name], image_size, film=self._film, numbers=[number], lifted=lifted)
        return found if self._meshes is None else self._meshes(np.full(len(found), number), found)


def warm_up(predictor: Pose2MeshPredictor, renderer: MeshRenderer) -> None:
    """Lift and draw the mesh model's rest pose, as first calls take seconds."""
    size = 640, 480
    pose = predictor.template_joints[:, :2] * [1, -1]
    pose = pose * (0.8 * size[1] / np.ptp(pose, axis=0).max()) + np.array(size) / 2
    for _ in range(2):
        found = predictor.predict(pose)
        picture = np.zeros((size[1], size[0], 3), np.uint8)
        renderer.render(found.mesh[0].numpy(), predictor.mesh_model.faces, picture, found.image_camera(size)[0].numpy())
