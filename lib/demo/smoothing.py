"""One-Euro filters for the people of a sequence: each track has filters of its own."""

from dataclasses import replace

import numpy as np
import torch

from lib.export.cameras import full_perspective
from lib.export.people import PeopleArrays
from lib.geometry.camera_fit import image_to_crop_camera
from lib.geometry.one_euro import OneEuroFilter
from lib.geometry.smoothing import BETA_MESH, BETA_POSE, motion_filter, pose_size
from lib.poses import Selection
from lib.predictor.surfaces import LONGEST_GAP
from lib.units import MM_PER_M


class TrackFilter:
    """One-Euro filters by track number.

    Args:
        fps: frames per second.
        beta: growth of the cutoff with speed, in the signals' unit.
    """

    def __init__(self, fps: float, beta: float):
        self.fps, self.beta = fps, beta
        self._filters: dict[int, OneEuroFilter] = {}

    def follows(self, track: int, number: int) -> bool:
        """Whether the track's filter goes on in the frame of this number; else it starts anew."""
        known = self._filters.get(track)
        return known is not None and number / self.fps - known.t <= LONGEST_GAP

    def __call__(self, track: int, number: int, values: np.ndarray) -> np.ndarray:
        """The filtered values of a track in the frame of this number."""
        time = number / self.fps
        if not self.follows(track, number):
            self._filters = {other: kept for other, kept in self._filters.items() if self.follows(other, number)}
            self._filters[track] = motion_filter(time, values, self.beta)
            return values
        return self._filters[track](time, values)


class PoseSmoother:
    """Smooths 2D poses, in units of each person's size."""

    def __init__(self, fps: float):
        self._filter = TrackFilter(fps, BETA_POSE)
        self._sizes: dict[int, float] = {}

    def __call__(self, number: int, people: Selection) -> Selection:
        """The people of a frame with smoothed poses; people without a track stay as they are."""
        poses = people.poses.copy()
        for row, track in enumerate(people.tracks.tolist()):
            if track >= 0:
                if not self._filter.follows(track, number):
                    self._sizes = {
                        other: kept for other, kept in self._sizes.items() if self._filter.follows(other, number)
                    }
                    # of the pose it starts with: another size in each frame would shake the signal itself
                    self._sizes[track] = pose_size(poses[row])
                size = self._sizes[track]
                poses[row] = self._filter(track, number, poses[row] / size) * size
        return replace(people, poses=poses)


class MeshSmoother:
    """Smooths meshes and cameras, metres.

    Args:
        fps: frames per second.
        regress: (N, V, 3) to joints (N, J, 3), both metres.
    """

    def __init__(self, fps: float, regress):
        self._meshes, self._cameras = TrackFilter(fps, BETA_MESH), TrackFilter(fps, BETA_MESH)
        self._regress = regress

    def __call__(self, numbers: np.ndarray, people: PeopleArrays) -> PeopleArrays:
        """The people with smoothed meshes, joints and cameras; those without a track stay as they are.

        Args:
            numbers: (N,) number of each row's frame, not decreasing, after those of the call before.
            people: N rows.
        """
        vertices, camera = people.vertices.copy(), people.camera_image.copy()
        for row, (number, track) in enumerate(zip(numbers.tolist(), people.track.tolist())):
            if track >= 0:
                vertices[row] = self._meshes(track, number, vertices[row])
                # the scale's logarithm: near and far people shake by the same share
                signal = np.concatenate([np.log(camera[row, :2]), camera[row, 2:]])
                signal = self._cameras(track, number, signal)
                camera[row] = np.concatenate([np.exp(signal[:2]), signal[2:]])
        return with_meshes(people, vertices, self._regress, camera)


def with_meshes(people: PeopleArrays, vertices: np.ndarray, regress, camera: np.ndarray | None = None) -> PeopleArrays:
    """The same people with other meshes, and everything that follows from them.

    Args:
        people: N rows.
        vertices: (N, V, 3) metres.
        regress: see ``MeshSmoother``.
        camera: (N, 4) other cameras of the image, see ``PeopleArrays.camera_image``.
    """
    changes = {"vertices": vertices.astype(np.float32), "joints": (MM_PER_M * regress(vertices)).astype(np.float32)}
    if camera is not None:
        # what was refined is seen from the same direction, from as far as its size says
        scale = people.camera_image[:, :1] / camera[:, :1]
        shift = people.lens[:, :2] + camera[:, 2:] - people.camera_image[:, 2:]
        changes["lens"] = np.concatenate([shift, people.lens[:, 2:] * scale], axis=1).astype(np.float32)
    nothing = np.zeros((len(people), 0), np.float32)
    changes |= {"pose": nothing, "betas": nothing, "trans": nothing}  # they are of the meshes before
    if camera is not None:
        size = tuple(people.image_size)
        crop = image_to_crop_camera(torch.from_numpy(camera).double(), torch.from_numpy(people.box), size)
        changes |= {
            "camera_image": camera.astype(np.float32),
            "camera_crop": crop.numpy().astype(np.float32),
            "translation": full_perspective(camera, size, float(people.focal)).astype(np.float32),
        }
    return replace(people, **changes)
