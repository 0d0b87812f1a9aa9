"""What the final evaluation leaves in a run folder beside its figures."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from lib.evaluation.predictions import PredictionWriter, identity, prediction_info
from lib.evaluation.samples import SampleWriter


@contextlib.contextmanager
def open_outputs(dataset, cfg, stage, run: Path | None) -> Iterator[list]:
    """The writers that data set and settings ask for, each with ``add(prediction, batch, indices)``.

    They are closed at the end; files that are not complete because of an error are removed.

    Args:
        dataset, cfg: the data set and its settings.
        stage: see ``lib.core.stages``.
        run: run folder; None writes nothing.
    """
    writers = [] if run is None else list(_writers(dataset, cfg, stage, run))
    complete = False
    try:
        yield writers
        complete = True
    finally:
        for writer in writers:
            writer.close(complete)


def _writers(dataset, cfg, stage, run: Path) -> Iterator:
    if cfg.TEST.save_predictions:
        folder = run / "result" / "predictions"
        yield PredictionWriter(folder, prediction_info(dataset, cfg), identity(dataset))
    yield from dataset.writers(run, stage.regressor)
    if cfg.TEST.vis:
        yield SampleWriter(run / "vis", dataset, stage.joint_set, tuple(cfg.MODEL.input_shape))
