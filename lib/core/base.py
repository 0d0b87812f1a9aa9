"""Trainer: one loop for both stages, one or several processes."""

import filecmp
import math
import shutil
from pathlib import Path

import torch
from tqdm import tqdm

from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.files import copy_checkpoint, identity, save_checkpoint
from lib.checkpoints.random_state import get_rng_state, set_rng_state
from lib.checkpoints.starting import starting_weights
from lib.core.epoch_log import TensorBoardLog, log_epoch, restore_rows
from lib.core.optim import build_optimizer, build_scheduler, current_lr, resume_optimizer, resume_text, step_scheduler
from lib.core.plots import save_plot
from lib.core.stage_choice import build_stage
from lib.core.stages import NO_SURFACE_ERROR
from lib.core.tester import Options, Tester, build_dataset
from lib.datasets.batch import Batch
from lib.datasets.loader import BatchLoader
from lib.evaluation.report import complete_report
from lib.models.parameters import count_parameters
from lib.runtime import distributed
from lib.settings.config import Config


class Trainer:
    """Trains one stage.

    Args:
        cfg: settings.
        options: seed, device, debug.
        resumed: checkpoint to go on from, without need of any other weights. None starts anew.

    Attributes:
        cfg: the settings, adapted to the weights that training starts from (``Checkpoint.adapted``).
    """

    def __init__(self, cfg: Config, options: Options, resumed: Checkpoint | None = None):
        # before the data are read, which takes minutes
        if resumed is None:
            cfg, initial, posenet = starting_weights(cfg, options.experiment, options.root)
        else:
            cfg = resumed.adapted(cfg)
        self.cfg, self.options = cfg, options
        self.dataset = build_dataset(cfg, options, "train")
        if len(self.dataset) < 2:
            raise ValueError(f"training needs at least two samples, the data set has {len(self.dataset)}")
        self.stage = build_stage(cfg, self.dataset.mesh_model)
        if distributed.is_main():
            print(f"==> Preparing {cfg.MODEL.name} MODEL...")
        self.model = self.stage.build_model(initial, posenet) if resumed is None else self.stage.trained_model(resumed)
        self.stage.restrict(self.model)
        self.model.to(options.device)
        self.stage.criterion.to(options.device)
        if distributed.is_main():
            print(f"# of model parameters: {count_parameters(self.model)}")
        self.optimizer = build_optimizer(cfg.TRAIN, self.model.parameters())
        self.scheduler = build_scheduler(cfg.TRAIN, self.optimizer)
        self.begin_epoch = cfg.TRAIN.begin_epoch
        self.train_log: list[float] = []
        self.test_log: dict[str, list[float]] = {"surface": [], "joint": []}
        self._resumed, self._rng = resumed is not None, resumed.rng if resumed is not None else None
        self._source = None if resumed is None else resumed.source
        if resumed is not None:
            self._go_on(resumed)
        self.loader = BatchLoader(
            self.dataset,
            cfg.TRAIN.batch_size,
            shuffle=cfg.TRAIN.shuffle,
            join_single=True,
            workers=cfg.DATASET.workers,
            seed=options.seed,
            device=options.device,
            rank=distributed.rank(),
            world_size=distributed.world_size(),
        )
        self.tester = Tester(cfg, options, self.stage)

    def _go_on(self, checkpoint: Checkpoint) -> None:
        print("==> Loading checkpoint")
        resume_optimizer(self.cfg.TRAIN, self.optimizer, checkpoint.optimizer)
        self.scheduler = build_scheduler(self.cfg.TRAIN, self.optimizer, checkpoint.scheduler)
        self.begin_epoch = checkpoint.epoch + 1
        self.train_log = list(checkpoint.train_log)
        self.test_log |= {key: list(values) for key, values in checkpoint.test_log.items()}
        print(resume_text(checkpoint.epoch, self.optimizer, self.scheduler))

    def begin(self) -> None:
        """What comes right before the first epoch: random numbers of a resumed training, a base for a new one."""
        if not self._resumed:
            self.stage.begin(self.model, self.loader)
        elif self._rng is not None and distributed.is_main():
            set_rng_state(self._rng)

    def train_epoch(self, model: torch.nn.Module, epoch: int) -> tuple[float, dict[str, float]]:
        """One epoch of ``model``, the network or its data-parallel wrapper; means of the loss and of its terms."""
        main = distributed.is_main()
        self.model.train()
        if main:
            print(f"Current epoch {epoch}, lr: {current_lr(self.optimizer)}")
        losses, parts = [], []
        batches = self.loader.epoch(epoch)
        progress = tqdm(batches, total=len(self.loader), leave=False, dynamic_ncols=True, disable=not main)
        for number, batch in enumerate(progress):
            loss, terms = self.step(model, batch, epoch)
            losses.append(loss)
            parts.append(torch.stack(list(terms.values())))
            if main and number % self.cfg.TRAIN.print_freq == 0:
                values = zip(terms, parts[-1].tolist())  # one copy: a GPU is waited for in each
                text = " ".join(f"{name}: {value:.4f}" for name, value in values)
                progress.set_description(f"Epoch{epoch}_({number}/{len(self.loader)}) => {text}")
        mean = distributed.all_reduce_mean(torch.stack(losses).mean()).item()
        if not math.isfinite(mean):
            raise ValueError(
                f"the loss of epoch {epoch} is {mean}: training diverged; lower TRAIN.lr and use --resume_training, "
                "which continues from the last good epoch"
            )
        if main:
            print(f"Epoch{epoch} Loss: {mean:.4f}")
        means = distributed.all_reduce_mean(torch.stack(parts).mean(0)).tolist()
        return mean, dict(zip(terms, means))

    def step(self, model: torch.nn.Module, batch: Batch, epoch: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """One step on a batch: loss and its terms, scalars that stay on the device. Nothing in it waits for a GPU."""
        loss, terms = self.stage.loss(model, batch, epoch)
        self.optimizer.zero_grad()
        loss.backward()
        if self.cfg.TRAIN.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.cfg.TRAIN.clip_norm)
        self.optimizer.step()
        return loss.detach(), terms

    def fit(self, run: Path | None) -> None:
        """Train to ``TRAIN.end_epoch``, testing, plotting and saving after each epoch; every process calls it.

        Whatever a checkpoint is evidence of is written before it, except for what is made from it: its copy as the
        best one and the results of the final test. A resumed training begins with those, so that one that is
        interrupted at any instant ends like one that never was.

        Args:
            run: run folder (checkpoint, graph, ... below it); None on other processes than the first.
        """
        main, tester = distributed.is_main(), self.tester
        # the wrapper takes the first process's values to the others, so it comes after all that changes them
        parallel = distributed.wrap(self.model, self.options.device)
        if main and self.begin_epoch > self.cfg.TRAIN.end_epoch:
            print(f"already trained to epoch {self.begin_epoch - 1}: raise TRAIN.end_epoch to go on")
        elif main:
            print("===> Start training...")
            if tester.note:
                print(tester.note)
        if run is not None and self._source is not None:
            self._complete(run, self._source)
        curves = TensorBoardLog(run, self.begin_epoch) if run is not None and self.cfg.TRAIN.tensorboard else None
        for epoch in range(self.begin_epoch, self.cfg.TRAIN.end_epoch + 1):
            loss, terms = self.train_epoch(parallel, epoch)
            self.train_log.append(loss)
            self._test(epoch, run)
            if run is not None:
                row = self._log(tester, run, epoch, terms)
                if curves is not None:
                    curves.add(row)
            step_scheduler(self.scheduler, distributed.broadcast_object(tester.joint_error))
            if run is not None:
                self._save(run, epoch)
            distributed.barrier()
        if curves is not None:
            curves.close()
        self._finish(run)

    def _test(self, epoch: int, run: Path | None) -> None:
        if run is not None:
            self._forget_unfinished_test(run)
        distributed.take_from_first(self.model)
        self.tester.test(epoch, self.model, run)

    def _complete(self, run: Path, resumed: Path) -> None:
        """Make what the checkpoint that training goes on from should have beside it."""
        epoch, joint = self.begin_epoch - 1, self.test_log["joint"]
        if not joint:
            return  # weights of another program, without history
        restore_rows(run / "log.csv", epoch, self.train_log, self.test_log)
        self._plot(run)
        best_epoch = epoch - joint[::-1].index(min(joint))
        source = resumed if best_epoch == epoch else run / "checkpoint" / f"checkpoint{best_epoch}.pth.tar"
        best = run / "checkpoint" / "best.pth.tar"
        if source.is_file() and not (best.is_file() and filecmp.cmp(source, best, shallow=False)):
            print(f"==> {best} is made anew, of epoch {best_epoch}")
            copy_checkpoint(source, best)

    def _finish(self, run: Path | None) -> None:
        """Results of the final test, also of a training that ended before it had them."""
        end = self.cfg.TRAIN.end_epoch
        if self.begin_epoch > end + 1:
            return  # trained beyond these settings' end
        weights = None if run is None else self._final_weights(run)
        if not self.tester.evaluator.full:  # nothing was trained
            complete = run is not None and weights is not None and complete_report(run / "result", weights)
            if distributed.broadcast_object(complete):
                return
            if run is not None:
                print("the results of the final test are missing: testing")
            self._test(end, run)
        if run is not None:
            self.tester.report(run / "result", weights)

    def _final_weights(self, run: Path) -> dict[str, str | int]:
        """The final checkpoint's identity; a resumed training that is at its end already makes the file."""
        end, final = self.cfg.TRAIN.end_epoch, run / "checkpoint" / "final.pth.tar"
        if self.begin_epoch == end + 1 and self._source is not None and self._source.resolve() != final.resolve():
            copy_checkpoint(self._source, final)
        return identity(final, end, self.options.root)

    @staticmethod
    def _forget_unfinished_test(run: Path) -> None:
        """Remove predictions of a final test that was interrupted before its figures: they would count as another's."""
        if not (run / "result" / "metrics.json").is_file():
            shutil.rmtree(run / "result" / "predictions", ignore_errors=True)

    def _log(self, tester: Tester, run: Path, epoch: int, terms: dict[str, float]) -> dict[str, float]:
        errors = {"surface": tester.surface_error, "joint": tester.joint_error}
        for name, error in errors.items():
            self.test_log[name].append(error)
        row = log_epoch(run / "log.csv", epoch, current_lr(self.optimizer), self.train_log[-1], terms, errors)
        self._plot(run)
        return row

    def _plot(self, run: Path) -> None:
        graph, surface = run / "graph", self.test_log["surface"]
        save_plot(self.train_log, graph / "train_loss.pdf", "Train Loss", self.stage.loss_unit)
        if surface[-1] != NO_SURFACE_ERROR:
            save_plot(surface, graph / "surface_error.pdf", "Surface Error", "mm")
        save_plot(self.test_log["joint"], graph / "joint_error.pdf", "Joint Error", "mm")

    def _save(self, run: Path, epoch: int) -> None:
        folder = run / "checkpoint"
        # the first epoch counts too: the original never kept it as best
        is_best = self.test_log["joint"][-1] <= min(self.test_log["joint"])
        last = epoch == self.cfg.TRAIN.end_epoch
        saved = folder / ("final.pth.tar" if last else f"checkpoint{epoch}.pth.tar")
        checkpoint = Checkpoint.of(
            self.model,
            epoch=epoch,
            optimizer=self.optimizer.state_dict(),
            scheduler=self.scheduler.state_dict(),
            train_log=self.train_log,
            test_log=self.test_log,
            settings=self.cfg,
            graph=self.stage.graph,
            rng=get_rng_state(),
        )
        save_checkpoint(saved, checkpoint)
        if is_best:
            copy_checkpoint(saved, folder / "best.pth.tar")
