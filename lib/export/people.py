"""Predictions of any number of people and frames side by side, in plain arrays: what the other writers take."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from lib.export.cameras import default_focal, full_perspective
from lib.export.hands import HANDS, HandArrays
from lib.geometry.mirror import mirror_points

HIGH_RISK = 0.1  # from which people are told; one body in a hundred is as far off, with usual poses and detectors
_NEAREST = 0.05  # of the distance of a person's origin that anything of the person is seen at
_SAME = 1e-2  # pixels
Meshes = np.ndarray | list[np.ndarray]  # (N, V, 3), or N times (V, 3) of different sizes


@dataclass(frozen=True)
class PeopleArrays:
    """N people (rows); the same person in two frames is two rows. float32 where nothing else is said.

    Frame of all 3D values: x right, y down, z away from the camera. Joints are millimetres, meshes and cameras metres.

    Attributes:
        vertices: (N, V, 3) metres, each mesh about its own origin (the root joint, roughly).
        faces: (F, 3) int64 vertex indices from 0, of all rows but left hands, which have them turned: ``row_faces``.
        joints: (N, J, 3) millimetres, regressed from the mesh, same origin as ``vertices``.
        pose3d: (N, J, 3) millimetres, the lifting network's joints relative to the root.
        pose2d: (N, J, 2) pixels of the image, what the network was given.
        confidence: (N, J) scores of the 2D joints; 1 where the input has none.
        joint_names: (J,) text.
        camera_crop: (N, 3) weak perspective s, tx, ty: (x, y) in metres lands at ((x, y) + t) * s * side/2 + side/2
            pixels of the square crop ``box`` of that side.
        box: (N, 4) x, y, width, height of the crop, pixels of the image.
        camera_image: (N, 4) weak perspective sx, sy, tx, ty: lands at ((x + tx) * sx + 1) * width/2,
            ((y + ty) * sy + 1) * height/2 pixels of the image.
        translation: (N, 3) metres: vertices + translation stand in the frame of a perspective camera with ``focal`` and
            the principal point in the middle of the image; joints + 1000 * translation likewise.
        lens: (N, 3) metres, of refined meshes: where the origin is before the perspective camera that sees the mesh as
            its 2D pose says. That of ``translation``, or of unknown pictures one that looks straight at the person;
            ``camera_crop`` and ``camera_image`` agree with it where the origin is. NaN of others, which those see.
        pose, betas, trans: (N, 3K) axis-angle in radians, (N, S), (N, 3) metres: parameters whose surface the mesh is;
            (N, 0) with a network's vertices, and after smoothing. Those of left hands are the mirrored model's, see
            ``lib.predictor.mirror``.
        focal: () pixels.
        image_size: (2,) int64 width, height, pixels.
        residual: (N,) mean absolute distance per coordinate of projected joints and pose2d, pixels of a 500-pixel
            crop; large where the mesh does not explain the pose.
        lift_residual: (N,) the same of the network's vertices, before a surface was refined.
        risk: (N,) probability that a refined body's mean vertex error exceeds 150 mm; NaN for other meshes.
        carried: (N,) bool, the person was not seen in this frame: ``pose2d`` lies between those before and behind.
        track: (N,) int64 number of the person through the frames; -1 where unknown.
        frame: (N,) text, file or number of the frame.
        left: (N,) bool, who is a left hand.
        hands: the people's hands from a network of their own; None: meshes are as one network made them.
    """

    vertices: np.ndarray
    faces: np.ndarray
    joints: np.ndarray
    pose3d: np.ndarray
    pose2d: np.ndarray
    confidence: np.ndarray
    joint_names: np.ndarray
    camera_crop: np.ndarray
    box: np.ndarray
    camera_image: np.ndarray
    translation: np.ndarray
    lens: np.ndarray
    pose: np.ndarray
    betas: np.ndarray
    trans: np.ndarray
    focal: np.ndarray
    image_size: np.ndarray
    residual: np.ndarray
    lift_residual: np.ndarray
    risk: np.ndarray
    carried: np.ndarray
    track: np.ndarray
    frame: np.ndarray
    left: np.ndarray
    hands: HandArrays | None = None

    def __len__(self) -> int:
        return len(self.vertices)

    @classmethod
    def from_prediction(
        cls,
        prediction,
        faces: np.ndarray,
        image_size: tuple[int, int],
        joint_names: tuple[str, ...],
        focal: float | None = None,
        confidence: np.ndarray | None = None,
        tracks: np.ndarray | None = None,
        frames: list[str] | None = None,
        carried: np.ndarray | None = None,
    ) -> "PeopleArrays":
        """Rows of a ``lib.predictor.MeshPrediction``.

        Args:
            prediction: of B poses.
            faces: (F, 3) of the predictor's mesh model.
            image_size: width and height of the picture, pixels.
            joint_names: of the predictor's joint set (J,).
            focal: focal length in pixels; None: ``lib.export.default_focal``. Refined meshes were refined with this one
                and this ``image_size``.
            confidence: (B, J) scores; None: 1.
            tracks: (B,) numbers of the people; None: -1.
            frames: file names or frame numbers, one for each row; None: empty.
            carried: (B,) bool, who was not seen; None: nobody.

        Raises:
            ValueError: lengths that do not agree.
        """
        count, joint_num = prediction.pose2d.shape[:2]
        confidence = np.ones((count, joint_num)) if confidence is None else np.asarray(confidence)
        tracks = np.full(count, -1) if tracks is None else np.asarray(tracks)
        frames = [""] * count if frames is None else list(frames)
        if confidence.shape != (count, joint_num) or tracks.shape != (count,) or len(frames) != count:
            raise ValueError(
                f"{count} people with {joint_num} joints, but confidence {confidence.shape}, tracks {tracks.shape} "
                f"and {len(frames)} frame names"
            )
        if len(joint_names) != joint_num:
            raise ValueError(f"{joint_num} joints have {len(joint_names)} names")
        focal = default_focal(image_size) if focal is None else float(focal)
        camera = prediction.image_camera(image_size).numpy()
        translation, lens = full_perspective(camera, image_size, focal), prediction.translation.numpy()
        middle = np.abs(prediction.principal.numpy() - np.array(image_size) / 2) < _SAME
        same = middle.all(axis=1) & (np.abs(prediction.focal.numpy() - focal) < _SAME)
        translation = np.where(same[:, None], lens, translation)
        return cls(
            vertices=_f32(prediction.mesh),
            faces=np.asarray(faces, dtype=np.int64),
            joints=_f32(prediction.joints),
            pose3d=_f32(prediction.pose3d),
            pose2d=_f32(prediction.pose2d),
            confidence=_f32(confidence),
            joint_names=np.array(joint_names),
            camera_crop=_f32(prediction.camera),
            box=_f32(prediction.box),
            camera_image=_f32(camera),
            translation=_f32(translation),
            lens=_f32(lens),
            pose=_f32(prediction.pose),
            betas=_f32(prediction.betas),
            trans=_f32(prediction.trans),
            focal=np.array(focal, dtype=np.float32),
            image_size=np.array(image_size, dtype=np.int64),
            residual=_f32(prediction.residual),
            lift_residual=_f32(prediction.lift_residual),
            risk=_f32(prediction.risk),
            carried=np.zeros(count, bool) if carried is None else np.asarray(carried),
            track=tracks.astype(np.int64),
            frame=np.array([str(name) for name in frames]),
            left=prediction.left.numpy(),
        )

    def take(self, rows) -> "PeopleArrays":
        """Some rows: slice, indices or mask."""
        own = {key: value[rows] for key, value in self._own().items() if key not in COMMON}
        return replace(self, **own, hands=None if self.hands is None else self.hands.take(rows))

    @property
    def row_faces(self) -> list[np.ndarray]:
        """N times (F, 3): faces of ``whole``, counter-clockwise seen from outside, as those of the model are."""
        turned = self.faces[:, ::-1]
        bodies = [turned if left else self.faces for left in self.left]
        if self.hands is None:
            return bodies
        return [np.concatenate([own + start for start, own in self._parts(row)]) for row in range(len(self))]

    @property
    def whole(self) -> Meshes:
        """Meshes with hands: ``vertices``, with ``hands`` N times (V and vertices of hands, 3)."""
        return self.vertices if self.hands is None else self.hands.whole(self.vertices, self.hands.hand_vertices)

    @property
    def model_vertices(self) -> np.ndarray:
        """(N, V, 3) metres: meshes as the mesh model has them, left hands mirrored."""
        return mirror_points(self.vertices, self.left)

    @property
    def drawn(self) -> Meshes:
        """``whole`` as ``camera_image`` shows it where each mesh's own camera sees it, metres."""
        bodies = self.seen(self.vertices)
        if self.hands is None:
            return bodies
        hands = self.hands.hand_vertices
        return self.hands.whole(bodies, self.seen(hands.reshape(len(self), -1, 3)).reshape(hands.shape))

    def seen(self, points: np.ndarray) -> np.ndarray:
        """Points (N, n, 3) about the people's origins, metres, as ``drawn`` has them."""
        refined = np.isfinite(self.lens).all(axis=1)
        if not refined.any():
            return points
        place = points + self.lens[:, None]
        nearer = self.lens[:, None, 2:] / np.maximum(place[..., 2:], _NEAREST * self.lens[:, None, 2:])
        flat = place * nearer - self.lens[:, None]
        flat[..., 2] = points[..., 2]
        return np.where(refined[:, None, None], flat, points)

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """(N, n, 2) where points (N, n, 3) about the people's origins, metres, are in the image."""
        scale, shift = np.split(self.camera_image[:, None].astype(np.float64), 2, axis=2)
        return ((self.seen(points)[..., :2] + shift) * scale + 1) * self.image_size / 2

    @property
    def placed(self) -> Meshes:
        """``whole`` in the camera's frame, metres: vertices + translation."""
        if self.hands is None:
            return self.vertices + self.translation[:, None]
        return [mesh + place for mesh, place in zip(self.whole, self.translation)]

    def _parts(self, row: int) -> list[tuple[int, np.ndarray]]:
        """Body and hands of a row of ``whole``: the part's first vertex, and its faces, which count from there."""
        assert self.hands is not None
        faces = self.hands.part_faces(row, self.faces)
        body_num, hand_num = self.vertices.shape[1], self.hands.hand_vertices.shape[2]
        starts = [0, *(body_num + hand_num * hand for hand in range(len(faces) - 1))]
        return list(zip(starts, faces))

    def parts(self, meshes: Meshes, names: Sequence[str]) -> tuple[list, list, list[int], list[str]]:
        """Bodies and hands as meshes of their own.

        Args:
            meshes: of these people, one of ``whole``, ``drawn``, ``placed``.
            names: of the people.

        Returns:
            for each part vertices (V, 3), faces (F, 3), row and name: the person's, of hands ``<person>_left_hand``.
        """
        if self.hands is None:
            return list(meshes), self.row_faces, list(range(len(self))), list(names)
        parts = []
        for row, (mesh, name) in enumerate(zip(meshes, names)):
            own = self._parts(row)
            ends = [*(start for start, _ in own[1:]), len(mesh)]
            called = [name, *(f"{name}_{HANDS[side]}" for side in self.hands.sides(row))]
            parts += [(mesh[start:end], faces, row, part) for (start, faces), end, part in zip(own, ends, called)]
        vertices, faces, rows, called = map(list, zip(*parts))
        return vertices, faces, rows, called

    def _own(self) -> dict[str, np.ndarray]:
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self) if field.name != "hands"}

    def arrays(self) -> dict[str, np.ndarray]:
        return self._own() | ({} if self.hands is None else self.hands.arrays())


# of all rows together; the others have one entry for each row
COMMON = ("faces", "joint_names", "focal", "image_size")


def _f32(values) -> np.ndarray:
    return np.asarray(values, dtype=np.float32)
