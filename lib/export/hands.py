"""Hands of a network of their own beside the bodies that they belong to."""

from dataclasses import dataclass, fields

import numpy as np

HANDS = ("left_hand", "right_hand")  # in the order of ``lib.poses.SIDES``
COMMON = ("hand_faces", "replaced_faces")  # of all people together


@dataclass(frozen=True)
class HandArrays:
    """Left and right hands of N people, placed at their wrists; float32 where nothing else is said.

    Frame and origin are those of the people's ``vertices``. Hands that were not seen are NaN.

    Attributes:
        hand_vertices: (N, 2, Vh, 3) metres.
        hand_faces: (Fh, 3) int64, of right hands; left ones have them turned, ``hand_faces[:, ::-1]``.
        hand_joints: (N, 2, 21, 3) millimetres, in MANO's order.
        hand_pose2d: (N, 2, 21, 2) pixels of the image, what the hand network was given.
        hand_residual: (N, 2) as ``PeopleArrays.residual``, of the hands where they were put, in their own crops.
        replaced_faces: (2, F) bool, faces of the body that a left, a right hand takes the place of.
    """

    hand_vertices: np.ndarray
    hand_faces: np.ndarray
    hand_joints: np.ndarray
    hand_pose2d: np.ndarray
    hand_residual: np.ndarray
    replaced_faces: np.ndarray

    def sides(self, row: int) -> list[int]:
        """Which hands of a person are there: 0 left, 1 right."""
        return np.flatnonzero(np.isfinite(self.hand_vertices[row, :, 0, 0])).tolist()

    def take(self, rows) -> "HandArrays":
        """Some rows: slice, indices or mask."""
        return HandArrays(**{key: value if key in COMMON else value[rows] for key, value in self.arrays().items()})

    def arrays(self) -> dict[str, np.ndarray]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def whole(self, bodies: np.ndarray, hands: np.ndarray) -> list[np.ndarray]:
        """N meshes (V + 0, Vh or 2 Vh, 3): bodies (N, V, 3) and behind them those of ``hands`` (N, 2, Vh, 3) seen."""
        return [np.concatenate([body, *hands[row, self.sides(row)]]) for row, body in enumerate(bodies)]

    def part_faces(self, row: int, body: np.ndarray) -> list[np.ndarray]:
        """Faces of a person's parts, each (F, 3) with indices of its own: the body with closed stumps, hands."""
        sides = self.sides(row)
        hands = [self.hand_faces if side else self.hand_faces[:, ::-1] for side in sides]
        lids = [_lid(body[self.replaced_faces[side]]) for side in sides]
        return [np.concatenate([body[~self.replaced_faces[sides].any(axis=0)], *lids]), *hands]


def _lid(faces: np.ndarray) -> np.ndarray:
    """Faces (n, 3) that close the hole which removing ``faces`` leaves in a surface: a fan over its rim."""
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    count = int(faces.max(initial=0)) + 1
    rim = ~np.isin(start * count + end, end * count + start)  # edges that no other of the faces passes
    edges = np.stack([start[rim], end[rim]], axis=1)
    middle = edges.min(initial=count)
    fan = edges[(edges != middle).all(axis=1)]
    return np.concatenate([fan, np.full((len(fan), 1), middle)], axis=1)
