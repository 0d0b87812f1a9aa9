"""Which records follow each other: one person in one video, frame by frame."""

import re
from collections.abc import Mapping

import numpy as np

from lib.datasets.sequences.clips import FPS
from lib.messages import shown_name

NUMBERED = re.compile(rb"(.*?)(\d{1,18})(?:\.\w+)?", re.DOTALL)  # name of a frame's image: the video, its number
BLOCK = 1 << 16  # records read at once


class Tracks:
    """Tracks of people through videos, and places in them at ``FPS`` frames per second.

    Holds a few numbers per record; their order in the file does not matter.

    Args:
        records: columns (N, ...): ``image``, names that end in the number of the frame, and ``person_id``, where images
            may have several people.
        fps: frames per second that are numbered.
        longest_step: from one frame of a track to the next; where more are missing, another track begins.

    Attributes:
        order: (N,) records, those of a track one after another.
        frames: (N,) numbers of their frames.
        starts: (C,) where tracks begin in both; sizes: (C,) their records.
        lengths: (C,) their frames at ``FPS`` per second.
        names: (C,) video, person where there are several, and first frame where a video has several tracks.

    Raises:
        ValueError: a name without a number, or two records of one person in one frame.
    """

    def __init__(self, records: Mapping[str, np.ndarray], fps: float, longest_step: int):
        video, frame, videos = _numbered(records["image"])
        person = np.asarray(records["person_id"]) if "person_id" in records else np.zeros_like(video)
        self.order = np.lexsort((frame, person, video))
        self.frames, video, person = frame[self.order], video[self.order], person[self.order]
        step = np.diff(self.frames)
        same = (np.diff(video) == 0) & (np.diff(person) == 0)
        if (same & (step == 0)).any():
            name = bytes(records["image"][self.order[(same & (step == 0)).argmax()]])
            raise ValueError(f"two records of one person in {shown_name(name.decode())}: no order of frames")
        self.starts = np.flatnonzero(np.concatenate([[True], ~same | (step > longest_step)]))
        self.sizes = np.diff(self.starts, append=len(self.order))
        self.step = fps / FPS  # numbers from one frame at FPS to the next
        spans = self.frames[self.starts + self.sizes - 1] - self.frames[self.starts]
        self.lengths = np.floor(spans / self.step + 1e-6).astype(np.int64) + 1
        self.names = self._names(videos, video[self.starts], person[self.starts], "person_id" in records)

    def _names(self, videos: list[str], video: np.ndarray, person: np.ndarray, several: bool) -> tuple[str, ...]:
        folders = [name.rpartition("/")[0] for name in videos]
        shown = folders if len(set(folders)) == len(videos) else videos  # one video in each folder
        names = [shown[number] + (f" person {who}" if several else "") for number, who in zip(video, person)]
        alone = np.ones(len(names), dtype=bool)
        split = np.flatnonzero((np.diff(video) == 0) & (np.diff(person) == 0))
        alone[split] = alone[split + 1] = False
        firsts = self.frames[self.starts]
        return tuple(name if one else f"{name} from frame {at}" for name, one, at in zip(names, alone, firsts))

    def between(self, tracks: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Records around places in time.

        Args:
            tracks: (B,) numbers of tracks. places: (B, T) frames at ``FPS`` per second from their first one.

        Returns:
            (B, T) records before and after each place, and (B, T) float32 share of the way from one to the other; 0 at
            a record itself, which is the one before.
        """
        before, share = np.empty(places.shape, np.int64), np.empty(places.shape, np.float32)
        for row, (start, size) in enumerate(zip(self.starts[tracks], self.sizes[tracks])):
            frames = self.frames[start : start + size]
            wanted = frames[0] + self.step * places[row]
            at = np.searchsorted(frames, wanted + 1e-6, side="right") - 1
            step = frames[np.minimum(at + 1, size - 1)] - frames[at]
            part = (wanted - frames[at]) / np.maximum(step, 1)
            share[row] = np.where(np.abs(part) < 1e-6, 0.0, part)
            before[row] = start + at
        return self.order[before], self.order[np.where(share > 0, before + 1, before)], share


def _numbered(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Of names (N,): which video (N,), an index into the sorted videos, and which frame (N,); and the videos."""
    video, frame = np.empty(len(images), np.int64), np.empty(len(images), np.int64)
    numbers: dict[bytes, int] = {}
    for begin in range(0, len(images), BLOCK):
        for row, name in enumerate(images[begin : begin + BLOCK].tolist(), begin):
            match = NUMBERED.fullmatch(name)
            if match is None:
                raise ValueError(
                    f"image {shown_name(name.decode())} has no frame number at its end: no sequences without "
                    "(DATASET.window)"
                )
            video[row], frame[row] = numbers.setdefault(match[1], len(numbers)), int(match[2])
    videos = sorted(numbers)
    rank = np.empty(len(videos), np.int64)
    rank[[numbers[name] for name in videos]] = np.arange(len(videos))
    return rank[video], frame, [name.decode() for name in videos]
