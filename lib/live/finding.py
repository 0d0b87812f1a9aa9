"""Whoever is in the pictures: found by a detector, or taken from a file of poses as if they were."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from lib.live.latest import Latest
from lib.live.sources import Shot, Source
from lib.poses import Frame, PoseSequence
from lib.poses.timeline import frame_numbers

Finder = Callable[[Shot], Frame]


@dataclass(frozen=True)
class Sighting:
    """A picture and the people in it.

    Attributes:
        shot: the picture.
        frame: the people, in pixels of the picture.
        seconds: that finding them took.
    """

    shot: Shot
    frame: Frame
    seconds: float


class FilePoses:
    """Poses of a file by the places of their frames; nobody in others.

    Attributes:
        frames: of the file.
        image_size: width and height of their pictures where the file tells them.
        count: frames up to the last one with people.
    """

    def __init__(self, sequence: PoseSequence):
        self.frames, self.image_size = sequence.frames, sequence.image_size
        self._frames = dict(zip(frame_numbers(sequence), sequence.frames))
        self._nobody = sequence.frames[0].take(slice(0))
        self.count = max(self._frames) + 1

    def __call__(self, shot: Shot) -> Frame:
        return self._frames.get(shot.place, self._nobody)


class Watch:
    """Takes pictures and finds people in a thread of its own, while others are lifted and drawn.

    Args:
        source: of pictures; closed at the end.
        find: who is in a picture.
        every: no picture is left out.

    Attributes:
        newest: what was found last; closed with the source's or detector's error.
    """

    def __init__(self, source: Source, find: Finder, every: bool = False):
        self.newest: Latest[Sighting] = Latest(every)
        self._source, self._find = source, find
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def _run(self) -> None:
        try:
            while (shot := self._source.next()) is not None:
                start = time.perf_counter()
                frame = self._find(shot)
                if not self.newest.put(Sighting(shot, frame, time.perf_counter() - start)):
                    return
        except Exception as error:  # is raised where the pictures are awaited
            self.newest.close(error)
        finally:
            self.newest.close()

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *exception) -> None:
        self.newest.close()
        self._source.close()
        self._thread.join(5.0)
