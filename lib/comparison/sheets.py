"""Contact sheets: a row per sample with its 2D joints, the truth and what each result has, errors as colours.

Pictures are uint8, blue-green-red. Meshes and poses are seen from the front and, what was at the right of the picture
towards the viewer, from the side: errors in depth show there.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from lib.comparison.results import Result
from lib.comparison.samples import Sample, SampleSource
from lib.render.heat_map import add_legend, draw_mesh, put_text, scale_end, vertex_errors
from lib.render.mesh_renderer import MeshRenderer
from lib.render.poses import draw_pose

_PAPER, _LINE = 255, (215, 215, 215)
_MARGIN = 1.12  # side of a panel as a share of what it shows
_CAPTION, _TITLE = 18, 26  # pixels


class Sheet:
    """Draws samples of one source.

    Args:
        source: of the samples.
        results: names and errors; those without predictions have no panels.
        figure: whose values stand under the panels.
        size: side of a panel, pixels.
        renderer: of meshes.
    """

    def __init__(self, source: SampleSource, results: Sequence[Result], figure: str, size: int, renderer: MeshRenderer):
        self.source, self.results, self.figure, self.size, self.renderer = source, results, figure, size, renderer

    def draw(self, samples: Sequence[Sample], title: str) -> np.ndarray:
        """A picture of some samples, at least one, with a title and a scale of their errors."""
        errors = [
            vertex_errors(found, sample.truth) for sample in samples for found in sample.found if found is not None
        ]
        end = scale_end(np.concatenate(errors))
        rows = [self._row(sample, end) for sample in samples]
        picture = cv2.vconcat([self._strip(title, rows[0].shape[1], _TITLE, 0.5), *rows])
        return picture if self.source.faces is None else add_legend(picture, end)

    def _row(self, sample: Sample, end: float) -> np.ndarray:
        window = self._window([sample.truth, *(found for found in sample.found if found is not None)])
        columns = [(self._joints2d(sample), self._name(sample.number))]
        columns.append((self._views(sample.truth, window), "truth"))
        known = [(found, result) for found, result in zip(sample.found, self.results) if found is not None]
        for found, result in known:
            picture = self._views(found, window, vertex_errors(found, sample.truth), end)
            columns.append((picture, self._text(result, sample.number)))
        if len(known) > 1 and self.source.faces is not None:
            for found, result in known[1:]:
                between = vertex_errors(found, known[0][0])
                text = f"{result.name} to {known[0][1].name}: {between.mean():.1f} mm"
                columns.append((self._front(found, window, between, end), text))
        panels = [cv2.vconcat([panel, self._strip(text, panel.shape[1], _CAPTION, 0.36)]) for panel, text in columns]
        row = cv2.hconcat(panels)
        cv2.line(row, (0, len(row) - 1), (row.shape[1], len(row) - 1), _LINE, 1)
        return row

    def _name(self, number: int) -> str:
        text = f"sample {number}"
        if self.source.names is not None:
            name = self.source.names[number]
            name = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
            text += f" {name[-max(self.size // 7 - len(text), 1) :]}"  # the end of a name tells images apart
        return text

    def _text(self, result: Result, number: int) -> str:
        unit = result.figures[self.figure].unit
        value = result.errors[self.figure][number] if self.figure in result.errors else float("nan")
        return f"{result.name}: {self.figure} {value:.{1 if unit else 3}f}{f' {unit}' if unit else ''}"

    def _strip(self, text: str, width: int, height: int, scale: float) -> np.ndarray:
        strip = np.full((height, width, 3), _PAPER, dtype=np.uint8)
        put_text(strip, text, (width // 2, height - 6), scale, centred=True)
        return strip

    def _joints2d(self, sample: Sample) -> np.ndarray:
        low, high = sample.pose2d.min(axis=0), sample.pose2d.max(axis=0)
        scale = self.size / (_MARGIN * max(*(high - low), 1e-9))
        pixels = (sample.pose2d - (low + high) / 2) * scale + self.size / 2
        return draw_pose(self._ground(), pixels, self.source.joint_set)

    def _ground(self) -> np.ndarray:
        return np.full((self.size, self.size, 3), _PAPER, dtype=np.uint8)

    def _window(self, shapes: Sequence[np.ndarray]) -> tuple[np.ndarray, float]:
        """Centre (3,) in mm and pixels per mm, in which all shapes fit from every side."""
        points = np.concatenate(shapes)
        low, high = points.min(axis=0), points.max(axis=0)
        return (low + high) / 2, self.size / (_MARGIN * float((high - low).max()))

    def _views(self, points, window, errors: np.ndarray | None = None, end: float = 0.0) -> np.ndarray:
        centre = window[0]
        side = (points - centre)[:, [2, 1, 0]] * [1, 1, -1] + centre
        return cv2.hconcat([self._front(shape, window, errors, end) for shape in (points, side)])

    def _front(self, points, window, errors: np.ndarray | None = None, end: float = 0.0) -> np.ndarray:
        centre, scale = window
        size = self.size, self.size
        if self.source.faces is not None:
            return draw_mesh(points, self.source.faces, (centre[:2], scale), size, self.renderer, errors, end)
        pixels = (points - centre)[:, :2] * scale + self.size / 2
        return draw_pose(self._ground(), pixels, self.source.joint_set)
