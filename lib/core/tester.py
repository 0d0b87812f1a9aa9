"""Data sets of a run, and the tester: one loop for both stages, with a model or from saved predictions."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from lib import ROOT
from lib.core.stage_choice import build_stage
from lib.core.stages import NO_SURFACE_ERROR
from lib.datasets.batch import Batch
from lib.datasets.loader import BatchLoader
from lib.datasets.mixing import MultipleDatasets
from lib.datasets.registry import dataset_class, sequence_class
from lib.evaluation.outputs import open_outputs
from lib.evaluation.predictions import Predictions
from lib.evaluation.report import write_csv, write_errors, write_json
from lib.models.precision import rounding
from lib.models.prepare import prepare
from lib.runtime import distributed
from lib.settings.agreement import settings_of_test
from lib.settings.config import Config


@dataclass(frozen=True)
class Options:
    """What the command line adds to the settings."""

    seed: int = 123
    device: str = "cpu"
    debug: bool = False
    experiment: Path = ROOT / "experiment"  # parent of run folders
    root: Path = ROOT  # holds data/ and the licensed body models


def build_dataset(cfg: Config, options: Options, mode: str):
    """The training mixture, or the first test set (the only one that is evaluated)."""
    names = cfg.DATASET.train_list if mode == "train" else cfg.DATASET.test_list[:1]
    if not names:
        raise ValueError(f"DATASET.{mode}_list is empty")
    if distributed.is_main():
        print(f"==> Preparing {mode.upper()} Dataloader...")
    datasets, model = [], None
    split = mode if mode == "train" else cfg.DATASET.test_split
    for name in names:
        kind = sequence_class(name) if cfg.DATASET.window else dataset_class(name)
        dataset = kind(split, cfg, model=model, debug=options.debug, seed=options.seed, root=options.root)
        model = dataset.mesh_model
        datasets.append(dataset)
        if distributed.is_main():
            print(f"# of {mode.upper()} {name} data: {len(dataset)}")
    if distributed.is_main():
        print(f"Mesh model: {datasets[0].mesh_model.description}")
    return datasets[0] if len(datasets) == 1 else MultipleDatasets(datasets)


class Tester:
    """Evaluates a model on the first test set; several processes share its batches out.

    Attributes:
        joint_error, surface_error: of the last test, mm; means of batch means (the original's log line). First process.
        result: figures of the last full evaluation, exact means over the samples. First process.
        note: what users should know about the errors of this data set; usually empty.
    """

    def __init__(self, cfg: Config, options: Options, stage=None):
        self.cfg, self.options = cfg, options
        rounding(cfg.TEST.precision, torch.device(options.device))  # refused now, not after an epoch
        self.dataset = build_dataset(cfg, options, "test")
        self.stage = stage or build_stage(cfg, self.dataset.mesh_model)
        self.loader = BatchLoader(
            self.dataset,
            1 if cfg.DATASET.window else cfg.TEST.batch_size,  # clips are not equally long
            workers=cfg.DATASET.workers,
            seed=0,  # test inputs must not depend on --seed
            device=options.device,
            rank=distributed.rank(),
            world_size=distributed.world_size(),
            whole=True,
        )
        self.joint_error = self.surface_error = NO_SURFACE_ERROR
        self.evaluator = self.stage.evaluator(self.dataset, full=False)
        self.note = self.dataset.no_targets
        self._results: dict[str, tuple[float, np.ndarray | None]] = {}

    @property
    def result(self) -> dict[str, float]:
        return {name: total for name, (total, _) in self._results.items()}

    @torch.no_grad()
    def test(self, epoch: int, model, run: Path | None = None) -> None:
        """Run over the test set. Every process calls it, with the same weights.

        Args:
            epoch: 0 is a stand-alone test. That and the last epoch are evaluated in full, others only for the log.
            model: network or baseline of the stage.
            run: run folder; predictions, sample meshes and pictures of a full evaluation go there, as the settings ask.
                None writes nothing, as in other processes than the first.
        """
        model.eval()
        prepare(model, self.cfg.TEST.precision)
        self._run(epoch, lambda batch, indices: self.stage.predict(model, batch), run)

    def check_predictions(self, path: str | Path) -> Predictions:
        """Saved predictions of this test set.

        Args:
            path: see ``lib.evaluation.predictions``.

        Raises:
            FileNotFoundError, ValueError: no predictions, or of other samples; a test of sequences.
        """
        if self.cfg.DATASET.window:
            raise ValueError("saved predictions are of tests on frames; those of sequences (DATASET.window) have none")
        predictions = Predictions(path)
        predictions.check(self.dataset, self.cfg, self.stage.evaluated, self.evaluator.optional)
        return predictions

    @torch.no_grad()
    def test_predictions(self, path: str | Path, run: Path | None = None) -> None:
        """Evaluate saved predictions as ``test(0, model, run)`` evaluates a model; see ``check_predictions``."""
        predictions = self.check_predictions(path)
        self._run(0, lambda batch, indices: predictions.batch(indices, self.options.device), run)

    def _run(self, epoch: int, predict: Callable, run: Path | None) -> None:
        prefix, main = f"Epoch{epoch} " if epoch else "", distributed.is_main()
        full = epoch in (0, self.cfg.TRAIN.end_epoch)
        self.evaluator = self.stage.evaluator(self.dataset, full)
        batches, processes = self.loader.batches(), distributed.world_size()
        rounds = range(distributed.rank(), batches + distributed.rank(), processes)
        progress = tqdm(self.loader.epoch(0), total=len(self.loader), leave=False, dynamic_ncols=True, disable=not main)
        with open_outputs(self.dataset, self.cfg, self.stage, run if full else None) as outputs:
            for batch, number in zip(progress, rounds):
                indices = number * self.loader.batch_size + np.arange(len(batch.inputs["pose2d"]))
                prediction = predict(batch, indices)
                joint_error, surface_error = self._evaluate(prediction, batch, indices)
                outputs.add(prediction, batch, indices)
                if main and number % self.cfg.TRAIN.print_freq == 0:
                    text = self.stage.batch_text.format(joint=float(joint_error), surface=float(surface_error))
                    progress.set_description(f"{prefix}({number}/{batches}) => {text}")
            if len(self.loader) < len(rounds):
                outputs.skip()
            self.evaluator.gather()
        if not main:
            return
        self.joint_error, surface_error = self.evaluator.log_errors()
        self.surface_error = NO_SURFACE_ERROR if surface_error is None else surface_error
        self._results = self.evaluator.results() if full else {}
        print(prefix + self.stage.test_text.format(joint=self.joint_error, surface=self.surface_error))

    def _evaluate(self, prediction: dict[str, torch.Tensor], batch: Batch, indices: np.ndarray):
        try:
            return self.stage.evaluate(self.evaluator, prediction, batch, indices)
        except torch.linalg.LinAlgError as error:  # alignment of something that is not a pose
            raise ValueError(
                f"the prediction of one of the samples {indices[0]} to {indices[-1]} of {self.dataset.name} is not "
                f"finite: the weights are damaged or their training diverged ({error})"
            ) from error

    def report(
        self, folder: Path | None, weights: dict[str, str | int] | None = None, predictor: str = "weights"
    ) -> None:
        """Print the figures of a full evaluation with their protocol; write the files of ``lib.evaluation.report``.

        Args:
            folder: of the files; None writes none.
            weights: which ones were tested (``lib.checkpoints.files.identity``); None where a model has none.
            predictor: what was tested: ``weights``, a baseline or saved predictions.
        """
        setting = f", {self.evaluator.setting}" if self.evaluator.setting else ""
        print(f"{self.dataset.name}, {len(self.dataset)} samples{setting}. Protocol of each figure:")
        for line in self.evaluator.protocols():
            print(f"  {line}")
        for line in self.evaluator.lines(self._results):
            print(line)
        if folder is not None:
            # the last one names the weights, so that it stands for all (complete_report)
            write_errors(folder / "errors.npz", self.dataset, self.evaluator)
            write_csv(folder / "metrics.csv", self.dataset, self.evaluator, self._results)
            settings = settings_of_test(self.cfg, self.dataset.name)
            path = folder / "metrics.json"
            write_json(path, self.dataset, self.evaluator, self._results, weights, settings, predictor)
