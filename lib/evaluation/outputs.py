"""What the final evaluation leaves in a run folder beside its figures: written by the first process alone."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from lib.evaluation.predictions import PredictionWriter, identity, prediction_info
from lib.evaluation.samples import SampleWriter
from lib.runtime import distributed


class Outputs:
    """Writers of a test, each with ``add(prediction, batch, indices)`` and ``close(complete)``.

    Those of the first process get the batches of all, in the order of the test; nothing is sent where there are none.

    Args:
        writers: none in other processes than the first.
    """

    def __init__(self, writers: list):
        self.writers = writers
        self._wanted = distributed.broadcast_object(bool(writers))

    def add(self, prediction: dict[str, torch.Tensor], batch, indices: np.ndarray) -> None:
        """Add a prediction and its ``lib.datasets.batch.Batch``; see ``lib.core.stages.Stage.predict``."""
        if self._wanted and distributed.world_size() == 1:
            self._write(prediction, batch, indices)
        elif self._wanted:
            device = batch.inputs["pose2d"].device
            cpu = {name: values.cpu() for name, values in prediction.items()}
            for share in distributed.gather((cpu, batch.to("cpu"), indices)) or ():
                if share is not None:
                    cpu, other, indices = share
                    self._write({name: values.to(device) for name, values in cpu.items()}, other.to(device), indices)

    def skip(self) -> None:
        """In place of ``add``, of a process that has no batch in the last round."""
        if self._wanted:
            distributed.gather(None)

    def _write(self, prediction, batch, indices) -> None:
        for writer in self.writers:
            writer.add(prediction, batch, indices)


@contextlib.contextmanager
def open_outputs(dataset, cfg, stage, run: Path | None) -> Iterator[Outputs]:
    """The writers that data set and settings ask for; every process must call it.

    They are closed at the end; files that are not complete because of an error are removed.

    Args:
        dataset, cfg: the data set and its settings.
        stage: see ``lib.core.stages``.
        run: run folder; None in other processes than the first, and where nothing is to be written.
    """
    writers = [] if run is None else list(_writers(dataset, cfg, stage, run))
    complete = False
    try:
        yield Outputs(writers)
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
