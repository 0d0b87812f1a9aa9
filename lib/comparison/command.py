"""What ``main/compare.py`` does: read, compare, write, draw."""

import re
import string
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib import ROOT
from lib.comparison.figures import check_same_test, other_samples, rows
from lib.comparison.figures import notes as notes_on
from lib.comparison.report import markdown, write
from lib.comparison.results import Result, read_result
from lib.comparison.samples import Sample, SampleSource, chosen_samples
from lib.comparison.sheets import Sheet
from lib.core.tester import Options
from lib.demo.command import wrote
from lib.demo.picture_files import save_image
from lib.export import save_mesh
from lib.messages import one_line
from lib.render.heat_map import error_colours, scale_end, vertex_errors
from lib.render.mesh_renderer import MeshRenderer
from lib.settings.reading import load_config
from lib.units import MM_PER_M

_FIRST_CHOICE = ("MPVPE", "PA-MPVPE")  # figures that decide which samples are shown, where a test has them
_MOST = len(string.ascii_uppercase)


@dataclass(frozen=True)
class CompareOptions:
    """Command-line options of ``main/compare.py``.

    Attributes:
        paths: of the results, see ``lib.comparison.results.WANTED``.
        names: of the results; empty: A, B, C, ...
        cfg: settings of the test; None: those beside the results.
        figure: that decides which samples are shown; None: MPVPE, else the first.
        pictures: samples of each kind in the sheets; 0 draws none.
        chosen: numbers of further samples to draw.
        size: side of a panel, pixels.
        ply: write meshes of the drawn samples with their errors as colours.
        output: folder of the results.
        root: holds ``data/`` and the licensed models.
        debug: the tests had ``--debug``, a small part of the data.
        renderer: see ``lib.render.mesh_renderer.MeshRenderer``.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...] = ()
    cfg: str | None = None
    figure: str | None = None
    pictures: int = 4
    chosen: tuple[int, ...] = ()
    size: int = 200
    ply: bool = False
    output: Path = Path("comparison")
    root: Path = ROOT
    renderer: str = "auto"
    debug: bool = False

    @property
    def test(self) -> Options:
        """Options of the tests."""
        return Options(root=self.root, debug=self.debug)


def compare(options: CompareOptions) -> list[Path]:
    """Everything that ``main/compare.py`` does; prints the tables and what was written.

    Returns:
        the files.

    Raises:
        ValueError, FileNotFoundError: nothing to compare, or options that do not fit.
    """
    results = _read_all(options)
    check_same_test(results)
    table, notes = rows(results), notes_on(results)
    _check_chosen(options, results[0])
    print(markdown(results, table, notes), end="")
    files = write(options.output, results, table, notes)
    if options.pictures or options.chosen:
        found, why = _pictures(results, options)
        files += found
        if why:
            print(f"No pictures: {one_line(why)}")
    print(f"Wrote: {wrote(files)}")
    return files


def _read_all(options: CompareOptions) -> list[Result]:
    if len(options.paths) > _MOST:
        raise ValueError(f"{len(options.paths)} results: at most {_MOST} stand side by side")
    names = options.names or tuple(string.ascii_uppercase[: len(options.paths)])
    if len(names) != len(options.paths) or len(set(names)) != len(names) or not all(names):
        raise ValueError(f"--names {','.join(names)}: {len(options.paths)} results need as many different names")
    cfg = None if options.cfg is None else load_config(options.cfg)
    with tempfile.TemporaryDirectory() as evaluated:
        return [
            read_result(path, name, cfg, Path(evaluated) / str(number), options.test)
            for number, (path, name) in enumerate(zip(options.paths, names))
        ]


def _check_chosen(options: CompareOptions, first: Result) -> None:
    wrong = [number for number in options.chosen if not 0 <= number < first.samples]
    if wrong:
        raise ValueError(f"--samples {wrong[0]}: {first.dataset} has samples 0 to {first.samples - 1}")
    if options.figure is not None and options.figure not in first.figures:
        raise ValueError(f"--figure {options.figure}: {first.path} has {', '.join(first.figures)}")


def _pictures(results: Sequence[Result], options: CompareOptions) -> tuple[list[Path], str]:
    """Files of sheets and meshes; and why there are none."""
    drawn = [result for result in results if result.predictions is not None]
    if not drawn:
        return [], "no result has saved predictions (TEST.save_predictions=True keeps them in a run)"
    others = [result.name for result in drawn[1:] if other_samples(drawn[0], result)]
    if others:
        return [], f"{drawn[0].name} and {', '.join(others)} are of different samples"
    cfg = next((result.cfg for result in drawn if result.cfg is not None), None)
    if cfg is None:
        return [], "the settings of the test are needed (--cfg)"
    figure = options.figure or _decisive(drawn)
    with_errors = [result for result in drawn if figure in result.errors]
    kinds = chosen_samples(with_errors, figure, options.pictures) if with_errors and options.pictures else {}
    if options.chosen:
        kinds["chosen samples"] = list(options.chosen)
    if not kinds:
        return [], f"errors of single samples are not known ({drawn[0].path} has no errors.npz); --samples names some"
    try:
        source = SampleSource(drawn, cfg, options.test)
    except (ValueError, OSError) as error:  # figures need no data set, which may be elsewhere
        return [], str(error)
    files: list[Path] = []
    with MeshRenderer(options.renderer, pictures=8 * sum(map(len, kinds.values()))) as renderer:
        sheet = Sheet(source, drawn, figure, options.size, renderer)
        for title, numbers in kinds.items():
            samples = [sample for sample in (source[number] for number in numbers) if sample is not None]
            if not samples:
                return files, f"{drawn[0].dataset} has no truth here to draw"
            stem = re.sub(r"[^\w.-]+", "_", title)
            files.append(options.output / f"{stem}.png")
            save_image(files[-1], sheet.draw(samples, f"{drawn[0].dataset}: {title} ({figure})"))
            if options.ply and source.faces is not None:
                files += _meshes(options.output / f"{stem}_meshes", samples, drawn, source.faces)
    return files, ""


def _decisive(results: Sequence[Result]) -> str:
    common = [name for name in results[0].figures if all(name in result.figures for result in results)]
    return next((name for name in _FIRST_CHOICE if name in common), common[0] if common else "")


def _meshes(folder: Path, samples: Sequence[Sample], results: Sequence[Result], faces) -> list[Path]:
    """PLY files of meshes with their errors as colours, metres; the scale is that of the samples' sheet."""
    files = []
    errors = {
        (sample.number, result.name): vertex_errors(found, sample.truth)
        for sample in samples
        for result, found in zip(results, sample.found)
        if found is not None
    }
    end = scale_end(np.concatenate(list(errors.values())))
    for sample in samples:
        files.append(folder / f"sample_{sample.number}_truth.ply")
        save_mesh(files[-1], sample.truth / MM_PER_M, faces)
        for result, found in zip(results, sample.found):
            if found is not None:
                files.append(folder / f"sample_{sample.number}_{result.name}.ply")
                colours = error_colours(errors[sample.number, result.name], end)
                save_mesh(files[-1], found / MM_PER_M, faces, [colours])
    return files
