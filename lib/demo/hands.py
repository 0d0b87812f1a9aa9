"""Hands from a network of their own at the wrists of bodies."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lib.demo.options import DemoOptions
from lib.export.hands import HandArrays
from lib.export.people import PeopleArrays
from lib.geometry.camera_fit import CROP_SIZE
from lib.mesh.mesh_model import MeshModel
from lib.messages import shown_name
from lib.poses import Frame, Selection, missing_joints, select_people
from lib.poses.people import SIDES
from lib.predictor import Circumstances, Film, Pose2MeshPredictor
from lib.units import MM_PER_M

_ELBOWS, _WRISTS, _HANDS = ((18, 19), (20, 21), (22, 23))  # of SMPL's joints, left and right
_OWN = 0.5  # share of a vertex's skinning weights from which it belongs to the hand: the cut lies at the wrist joint
_FARTHEST = 0.6  # mean distance of a hand's joints to the seen ones, of their size; usual ones are below 0.2
_AHEAD = np.array([0.0, 0.0, 1.0])


class BodyWrists:
    """Where hands belong on a body, and how large they are there.

    Args:
        body, hand: mesh models.

    Raises:
        ValueError: a body without hands.
    """

    def __init__(self, body: MeshModel, hand: MeshModel):
        self._regressor = body.joint_regressor("smpl").astype(np.float64)
        template = body.arrays()["v_template"].astype(np.float64)
        weights = np.asarray(body.arrays()["weights"])
        own = np.stack([weights[:, list(pair)].sum(axis=1) > _OWN for pair in zip(_WRISTS, _HANDS)])  # (2, V)
        if not own.any(axis=1).all():
            raise ValueError(f"--hands: no vertices of {body.description} belong to its hands")
        self.hand_faces = np.all(own[:, body.faces], axis=2)
        joints = self._regressor @ template
        lengths = [_reach(template[mine], joints[wrist]) for mine, wrist in zip(own, _WRISTS)]
        other = hand.arrays()["v_template"].astype(np.float64)
        self._ratio = np.mean(lengths) / _reach(other, hand.joint_regressor("mano")[0] @ other)
        self._forearm = _forearm(joints)

    def __call__(self, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Wrists (N, 2, 3) of bodies (N, V, 3), metres, and by what the hand model's hands are multiplied there (N,).

        Hands are as large beside the posed forearms as those of the model's template are beside its own.
        """
        joints = self._regressor @ vertices.astype(np.float64)
        return joints[:, _WRISTS], self._ratio * _forearm(joints) / self._forearm


def _reach(vertices: np.ndarray, wrist: np.ndarray) -> float:
    """From a wrist to the tip of the longest finger; needs no vertices of a name."""
    return float(np.linalg.norm(vertices - wrist, axis=1).max())


def _forearm(joints: np.ndarray) -> np.ndarray:
    """(...) mean length of both forearms of joints (..., 24, 3)."""
    return np.linalg.norm(joints[..., _WRISTS, :] - joints[..., _ELBOWS, :], axis=-1).mean(axis=-1)


class HandLifter:
    """Lifts the hands of people whose bodies are lifted, and puts them at the wrists.

    Args:
        body: mesh model of the bodies.
        options: ``joint_score``, ``fill``, ``focal``, ``mesh``, ``device`` and ``root`` count.

    Attributes:
        predictor: of hands.
    """

    def __init__(self, body: MeshModel, options: DemoOptions):
        self.predictor = Pose2MeshPredictor(
            "mano", device=options.device, root=options.root, mesh=options.mesh, precision=options.precision
        )
        self._wrists = BodyWrists(body, self.predictor.mesh_model)
        self._options = options
        self._seen = 0
        self._left_out: list[str] = []

    @property
    def lines(self) -> list[str]:
        """Which hands were seen, but not lifted."""
        if not self._left_out:
            return []
        return [f"Warning: {len(self._left_out)} of {self._seen} hands left out; the first: {self._left_out[0]}"]

    def __call__(
        self,
        people: PeopleArrays,
        frames: Sequence[Frame],
        selections: Sequence[Selection],
        size_known: bool = True,
        film: Film | None = None,
        numbers: Sequence[int] = (),
    ) -> PeopleArrays:
        """The people with hands.

        Args:
            people: of these frames, frame after frame.
            frames: with ``hands``.
            selections: whom of each frame.
            size_known: see ``Lifter``.
            film: what is kept from frame to frame; ``numbers`` then are the frames'.
        """
        chosen, rows, names = self._select(people, frames, selections)
        sides = np.repeat([side for side, _ in chosen], [len(hands) for _, hands in chosen]).astype(int)
        count, joint_set, model = len(people), self.predictor.joint_set, self.predictor.mesh_model
        hands = HandArrays(
            hand_vertices=_unknown(count, 2, model.vertex_num, 3),
            hand_faces=model.faces,
            hand_joints=_unknown(count, 2, joint_set.joint_num, 3),
            hand_pose2d=_unknown(count, 2, joint_set.joint_num, 2),
            hand_residual=_unknown(count, 2),
            replaced_faces=self._wrists.hand_faces,
        )
        if len(rows):
            counts = [len(selection) for selection in selections]
            known = Circumstances(
                tuple(people.image_size.tolist()) if size_known else None,
                self._options.focal,
                np.concatenate([selection.scores for _, selection in chosen]),
                film=film,
                frames=None if film is None else np.repeat(numbers, counts)[rows],
                tracks=people.track[rows],
                left=sides == 0,
            )
            poses = np.concatenate([selection.poses for _, selection in chosen])
            lifted = self.predictor.predict(poses, known=known)
            away = self._place(people, hands, lifted, rows, sides)
            self._left_out += [
                f"{names[place]}, {away[place]:.0f} pixels from where its body's is" for place in np.flatnonzero(away)
            ]
        return replace(people, hands=hands)

    def _select(
        self, people: PeopleArrays, frames, selections
    ) -> tuple[list[tuple[int, Selection]], np.ndarray, list[str]]:
        """Hands to lift, by side and frame, the rows of the people whose they are (n,), and what they are called."""
        options, size = self._options, tuple(people.image_size.tolist())
        chosen: list[tuple[int, Selection]] = []
        rows, names, start = [], [], 0
        for frame, selection in zip(frames, selections):
            for side, name in enumerate(SIDES if frame.hands is not None else ()):
                seen = selection.kept >= 0  # the others are carried over
                hands = np.full((len(selection), *frame.hands.shape[2:]), np.nan)
                hands[seen] = frame.hands[selection.kept[seen], side]
                there = np.flatnonzero(~missing_joints(hands, options.joint_score).all(axis=1))
                found = select_people(
                    hands[there], "mano21", "mano", options.joint_score, image_size=size, fill=options.fill,
                    left=np.full(len(there), name == "left"),
                )  # fmt: skip
                called = [f"{shown_name(frame.name)}, {name} hand of person {selection.kept[row]}" for row in there]
                self._seen += len(there)
                self._left_out += [f"{hand}, {why}" for hand, why in zip(called, found.reasons) if why]
                names += [called[place] for place in found.kept]
                chosen.append((side, found))
                rows.append(start + there[found.kept])
            start += len(selection)
        return chosen, np.concatenate(rows or [np.zeros(0)]).astype(int), names

    def _place(
        self, people: PeopleArrays, hands: HandArrays, lifted, rows: np.ndarray, sides: np.ndarray
    ) -> np.ndarray:
        """Write lifted hands into the arrays, each about its wrist, in the size and at the wrist of its body.

        Returns:
            (n,) mean distance, pixels, of those that were seen elsewhere or in another size, which stay NaN; else 0.
        """
        wrists, scale = self._wrists(people.vertices[rows])
        wrists = wrists[np.arange(len(rows)), sides]
        joints = lifted.joints.numpy().astype(np.float64) / MM_PER_M
        own = joints[:, 0]
        # body and hand may be seen by different cameras: what the hand's sees straight ahead, the body's does, too
        turn = _turns(_rays(lifted.translation.numpy(), own), _rays(people.lens[rows], wrists))
        turn *= scale[:, None, None]

        def placed(points: np.ndarray) -> np.ndarray:
            return np.einsum("nij,nkj->nki", turn, points - own[:, None]) + wrists[:, None]

        joints, seen = placed(joints), lifted.pose2d.numpy()
        projected = people.take(rows).pixels(joints)
        away = np.linalg.norm(projected - seen, axis=2).mean(axis=1)
        sizes = [np.ptp(points, axis=1).max(axis=1) for points in (projected, seen)]
        size = np.sqrt(sizes[0] * sizes[1])  # by the larger alone, hands of any size would be near
        good = away < _FARTHEST * size
        where = rows[good], sides[good]
        hands.hand_vertices[where] = placed(lifted.mesh.numpy().astype(np.float64))[good]
        hands.hand_joints[where] = MM_PER_M * joints[good]
        hands.hand_pose2d[where] = seen[good]
        residual = np.abs(projected - seen).mean(axis=(1, 2)) * CROP_SIZE / lifted.box[:, 2].numpy()
        hands.hand_residual[where] = residual[good]
        return np.where(good, 0, away)


def _unknown(*shape: int) -> np.ndarray:
    return np.full(shape, np.nan, np.float32)


def _rays(origins: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Directions (n, 3) in which perspective cameras see points (n, 3) about origins (n, 3) before them.

    Straight ahead for the weak-perspective cameras of unknown origins.
    """
    rays = origins + points
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    return np.where(np.isfinite(rays).all(axis=1)[:, None], rays, _AHEAD)


def _turns(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotations (n, 3, 3) of unit vectors (n, 3) to others less than a right angle away."""
    cross = np.zeros((len(start), 3, 3))
    x, y, z = np.cross(start, end).T
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -z, y, -x
    cross -= cross.swapaxes(1, 2)
    share = 1 / (1 + (start * end).sum(axis=1))
    return np.eye(3) + cross + share[:, None, None] * (cross @ cross)
