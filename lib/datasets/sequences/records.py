"""Sequences of data sets with annotated videos: windows for training, whole tracks of people as clips for tests."""

import numpy as np
import torch

from lib.body.rotation import axis_angle_between, nearest_rotation
from lib.datasets.pose_dataset import ROW_COLUMNS, RecordDataset
from lib.datasets.sequences.clips import FPS
from lib.datasets.sequences.errors import HIDDEN_SHARE, SequenceErrors
from lib.datasets.sequences.tracks import Tracks
from lib.datasets.sequences.transform import SequenceTransform
from lib.datasets.storage.records import PoseRecords
from lib.evaluation.predictions import IDENTITY
from lib.joints.lookup import get_joint_set

CLEAN_SHARE, JITTER_SHARE = 0.25, 0.2  # training windows without 2D errors, and with jitter alone


class SequenceDataset(RecordDataset):
    """Base class of data sets whose samples are sequences, in front of those of its frames: their protocol holds."""

    @property
    def errors(self) -> SequenceErrors:
        noise, shape = self.sources.noise, self.cfg.MODEL.input_shape
        shares = (CLEAN_SHARE, JITTER_SHARE, HIDDEN_SHARE) if noise and self.mode == "train" else ()
        return SequenceErrors(get_joint_set(self.cfg.DATASET.input_joint_set), (shape[1], shape[0]), noise, *shares)

    def build_transform(self, device) -> SequenceTransform:
        with_mesh = self.mode != "train" and self.cfg.tests_meshes
        return SequenceTransform(self.cfg, self.mesh_model, self.errors, device, self.protocol, with_mesh)


class RecordSequences(SequenceDataset):
    """Base class of sequences from records of videos: ``class MyDataSequences(RecordSequences, MyData)``.

    A training window is a stretch of a track, drawn anew in each epoch, which sees as many frames as the tracks have;
    tracks shorter than a window are left out. In tests every track is a clip, whole. Where ``fps`` is not ``FPS``, or
    frames are missing, motion is interpolated between the records.

    Attributes:
        fps: frames per second that the numbers in image names count.
        longest_step: see ``Tracks``.
        source: the records. tracks: which of them follow each other.
        records: of tests: the columns of ``source`` that name a sample, per frame of the clips.
        clip_names, clip_of_frame: of tests: (C,) names of the clips, and (F,) the clip of each frame.
    """

    fps = FPS
    longest_step = 1
    source: PoseRecords
    tracks: Tracks
    clip_names: tuple[str, ...]
    clip_of_frame: np.ndarray

    def load(self) -> PoseRecords:
        records = self.source = super().load()
        self.tracks = Tracks(records, self.fps, self.longest_step)
        if self.mode == "train":
            lengths, frames = self.tracks.lengths, self.cfg.DATASET.window
            windows = np.where(lengths < frames, 0, np.maximum(1, np.round(lengths / frames))).astype(np.int64)
            if not windows.any():
                raise ValueError(
                    f"{self.name}: no person is in {frames} frames that follow each other, at {FPS:g} per second, as "
                    f"DATASET.window wants; at most {lengths.max()} are"
                )
            self.ends = np.cumsum(windows)  # of each track's windows among all
            return records
        self.clip_names = self.tracks.names
        self.clip_of_frame = np.repeat(np.arange(len(self.clip_names)), self.tracks.lengths)
        rows = np.concatenate([self._clip(number)[0][0] for number in range(len(self.clip_names))])
        return PoseRecords({name: records[name][rows] for name in IDENTITY if name in records}, records.notes)

    def options(self) -> dict:
        return super().options() | ({"not_found": True} if self.sources.detections else {})

    def detected(self, detections, keys):
        return detections.found(keys)

    def skipped(self) -> dict[str, int]:
        short = int((self.tracks.lengths < self.cfg.DATASET.window).sum()) if self.mode == "train" else 0
        return self.records.notes | ({"track(s) shorter than DATASET.window": short} if short else {})

    def __len__(self) -> int:
        return int(self.ends[-1]) if self.mode == "train" else len(self.clip_names)

    def rows(self, indices: np.ndarray, generator: torch.Generator) -> dict[str, torch.Tensor]:
        if self.mode == "train":
            tracks, begins = self._windows(np.asarray(indices), generator)
            before, after, share = self.tracks.between(tracks, begins[:, None] + np.arange(self.cfg.DATASET.window))
            sample = before
        else:
            (index,) = np.asarray(indices).tolist()  # clips are not equally long
            before, after, share = self._clip(index)
            sample = np.flatnonzero(self.clip_of_frame == index)[None]
        columns = [key for key in ROW_COLUMNS if key in self.source and key != "keypoints"]
        rows = {key: torch.from_numpy(self.source[key][before]) for key in columns}
        if share.any():
            later = {key: torch.from_numpy(self.source[key][after]) for key in columns}
            rows = _interpolated(rows, later, torch.from_numpy(share))
        return rows | {"sample": torch.from_numpy(sample)}

    def _clip(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.tracks.between(np.array([number]), np.arange(self.tracks.lengths[number])[None])

    def _windows(self, samples: np.ndarray, generator: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Tracks (B,) of windows and where they begin (B,): in a track's n-th part, anywhere."""
        tracks = np.searchsorted(self.ends, samples, side="right")
        firsts = np.where(tracks > 0, self.ends[tracks - 1], 0)
        places = self.tracks.lengths[tracks] - self.cfg.DATASET.window + 1
        part = torch.rand(len(samples), generator=generator, dtype=torch.float64).numpy() + samples - firsts
        begins = (part * places / (self.ends[tracks] - firsts)).astype(np.int64)
        return tracks, np.minimum(begins, places - 1)


def _interpolated(
    rows: dict[str, torch.Tensor], later: dict[str, torch.Tensor], share: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Rows (B, T, ...) on the way to later ones by a share (B, T) of it; exactly those where it is 0."""
    found = {}
    for key, first in rows.items():
        second, part = later[key], share.view(*share.shape, *[1] * (first.dim() - 2))
        if key == "pose":
            turns = [pose.unflatten(2, (-1, 3)) for pose in (first, second)]
            between = axis_angle_between(turns[0], turns[1], part[..., None]).flatten(2)
        elif key == "cam_R":
            between = nearest_rotation(torch.lerp(first, second, part))
        else:
            between = torch.lerp(first, second, part) if first.is_floating_point() else first
        found[key] = torch.where(part > 0, between, first)
    return found
