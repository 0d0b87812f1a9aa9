"""What the final evaluation leaves in a run folder beside its figures."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data.FreiHAND.evaluation import Submission
from lib.evaluation.predictions import PredictionWriter, identity, prediction_info
from lib.evaluation.samples import SampleWriter


@contextlib.contextmanager
def open_outputs(dataset, cfg, stage, run: Path | None) -> Iterator[list]:
    """The writers that data set and settings ask for, each with ``add(prediction, batch, indices)``.

    They are closed at the end; files that are not complete because of an error are removed.

    Args:
        dataset, cfg: see ``build_evaluator``.
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
    if dataset.name == "FreiHAND":
        regressor = stage.regressor
        points = stage.joint_set.joint_num if regressor is None else dataset.mesh_model.vertex_num
        if (np.diff(dataset.records["db_idx"]) < 0).any():
            print("pred.json: rows are in the order of image ids, the benchmark's server expects that of db_idx")
        yield Submission(run / "pred.json", len(dataset), points, cfg.TEST.freihand_unit, regressor)
    if cfg.TEST.vis:
        yield SampleWriter(run / "vis", dataset, stage.joint_set, tuple(cfg.MODEL.input_shape))
