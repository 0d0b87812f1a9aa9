"""Trainer and tester: one loop for both stages, one or several processes."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from tqdm import tqdm

from data.loader import BatchLoader
from data.multiple_datasets import MultipleDatasets
from data.registry import dataset_class
from lib import ROOT
from lib.core import distributed
from lib.core.checkpoint import (
    copy_checkpoint,
    get_rng_state,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    set_rng_state,
)
from lib.core.checkpoint_paths import find_checkpoint
from lib.core.config import Config
from lib.core.optim import build_optimizer, build_scheduler, resume_optimizer, resume_text, step_scheduler
from lib.core.plots import save_plot
from lib.core.stages import NO_SURFACE_ERROR, STAGES
from lib.core.weights import warm_start
from lib.funcs_utils import atomic_write, count_parameters


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
    for name in names:
        dataset = dataset_class(name)(mode, cfg, model=model, debug=options.debug, seed=options.seed, root=options.root)
        model = dataset.mesh_model
        datasets.append(dataset)
        if distributed.is_main():
            print(f"# of {mode.upper()} {name} data: {len(dataset)}")
    if distributed.is_main():
        print(f"Mesh model: {model.description}")
    return datasets[0] if len(datasets) == 1 else MultipleDatasets(datasets)


class Tester:
    """Evaluates a model on the first test set.

    Attributes:
        joint_error, surface_error: of the last test, mm; means of batch means (the original's log line).
        result: exact sample means of the last test.
    """

    def __init__(self, cfg: Config, options: Options, stage=None):
        self.cfg, self.options = cfg, options
        self.dataset = build_dataset(cfg, options, "test")
        self.stage = stage or STAGES[cfg.MODEL.name](cfg, self.dataset.mesh_model)
        self.loader = BatchLoader(
            self.dataset,
            cfg.TEST.batch_size,
            workers=cfg.DATASET.workers,
            seed=0,  # test inputs must not depend on --seed
            device=options.device,
        )
        self.joint_error = self.surface_error = NO_SURFACE_ERROR
        self.result: dict[str, float] = {}
        self.protocol = ""

    @torch.no_grad()
    def test(self, epoch: int, model) -> None:
        """Run over the test set; ``epoch`` 0 is a stand-alone test."""
        model.eval()
        prefix = f"Epoch{epoch} " if epoch else ""
        evaluator = self.stage.evaluator()
        progress = tqdm(self.loader.epoch(0), total=len(self.loader), leave=False, dynamic_ncols=True)
        for number, batch in enumerate(progress):
            joint_error, surface_error = self.stage.evaluate(evaluator, model, batch)
            if number % self.cfg.TRAIN.print_freq == 0:
                text = self.stage.test_text(joint_error, surface_error)
                progress.set_description(f"{prefix}({number}/{len(self.loader)}) => {text}")
        metrics = evaluator.metrics
        self.joint_error = metrics.mean_of_batch_means("MPJPE")
        self.surface_error = metrics.mean_of_batch_means("MPVPE") if metrics.count("MPVPE") else NO_SURFACE_ERROR
        self.result, self.protocol = metrics.means(), evaluator.protocol
        print(f"{prefix}{self.stage.summary_text(self.joint_error, self.surface_error)}")

    def report(self, folder: Path | None) -> None:
        """Print the exact figures with their protocol and write ``metrics.json``."""
        name = self.cfg.DATASET.test_list[0]
        print(f"{name}, {len(self.dataset)} samples. Protocol: {self.protocol}")
        for metric, value in self.result.items():
            print(f"{metric} (mm) >> tot: {value:.2f}")
        if folder is not None:
            content = {
                "dataset": name,
                "samples": len(self.dataset),
                "protocol": self.protocol,
                "millimetres": self.result,
            }
            with atomic_write(folder / "metrics.json") as file:
                json.dump(content, file, indent=1)


class Trainer:
    """Trains one stage.

    Args:
        cfg: settings.
        options: seed, device, debug.
    """

    def __init__(self, cfg: Config, options: Options):
        self.cfg, self.options = cfg, options
        self.dataset = build_dataset(cfg, options, "train")
        if len(self.dataset) < 2:
            raise ValueError(f"training needs at least two samples, the data set has {len(self.dataset)}")
        self.stage = STAGES[cfg.MODEL.name](cfg, self.dataset.mesh_model)
        if distributed.is_main():
            print(f"==> Preparing {cfg.MODEL.name} MODEL...")
        self.model = self.stage.build_model()
        if cfg.TRAIN.init_path:
            path = find_checkpoint(cfg.TRAIN.init_path, options.experiment, options.root, "TRAIN.init_path")
            print(warm_start(self.model, path))
        self.stage.load_pretrained(self.model, options.experiment, options.root)
        self.model.to(options.device)
        self.stage.criterion.to(options.device)
        if distributed.is_main():
            print(f"# of model parameters: {count_parameters(self.model)}")
        self.optimizer = build_optimizer(cfg, self.model.parameters())
        self.scheduler = build_scheduler(cfg, self.optimizer)
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
        self.tester = Tester(cfg, options, self.stage) if distributed.is_main() else None
        self.begin_epoch = cfg.TRAIN.begin_epoch
        self.train_log: list[float] = []
        self.test_log: dict[str, list[float]] = {"surface": [], "joint": []}

    def resume(self, path: Path) -> None:
        """Continue from a checkpoint: model, optimizer, scheduler, epoch, logs and random state."""
        print("==> Loading checkpoint")
        checkpoint = load_checkpoint(path)
        self.stage.use_graph_of(checkpoint, path)
        load_weights(self.model, checkpoint, path)
        resume_optimizer(self.cfg, self.optimizer, checkpoint["optim_state_dict"])
        self.scheduler = build_scheduler(self.cfg, self.optimizer, checkpoint["scheduler_state_dict"])
        self.train_log = list(checkpoint["train_log"])
        self.test_log = {key: list(values) for key, values in checkpoint["test_log"].items()}
        self.begin_epoch = checkpoint["epoch"] + 1
        if checkpoint.get("rng") is not None and distributed.is_main():
            set_rng_state(checkpoint["rng"])
        print(resume_text(checkpoint["epoch"], self.optimizer, self.scheduler))

    def train_epoch(self, epoch: int) -> float:
        """One epoch; the mean of its batch losses."""
        main = distributed.is_main()
        self.model.train()
        if main:
            print(f"Current epoch {epoch}, lr: {self.optimizer.param_groups[-1]['lr']}")
        losses = []
        batches = self.loader.epoch(epoch)
        progress = tqdm(batches, total=len(self.loader), leave=False, dynamic_ncols=True, disable=not main)
        for number, batch in enumerate(progress):
            loss, terms = self.stage.loss(self.parallel, batch, epoch)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
            if main and number % self.cfg.TRAIN.print_freq == 0:
                text = " ".join(f"{name}: {float(value):.4f}" for name, value in terms.items())
                progress.set_description(f"Epoch{epoch}_({number}/{len(self.loader)}) => {text}")
        mean = distributed.all_reduce_mean(torch.stack(losses).mean()).item()
        if not math.isfinite(mean):
            raise ValueError(
                f"the loss of epoch {epoch} is {mean}: training diverged; lower TRAIN.lr and use --resume_training, "
                "which continues from the last good epoch"
            )
        if main:
            print(f"Epoch{epoch} Loss: {mean:.4f}")
        return mean

    def fit(self, run: Path | None) -> None:
        """Train to ``TRAIN.end_epoch``, testing, saving and plotting after each epoch.

        Args:
            run: run folder (checkpoint, graph, ... below it); None on processes that write nothing.
        """
        main, tester = distributed.is_main(), self.tester
        self.parallel = distributed.wrap(self.model, self.options.device)
        if main and self.begin_epoch > self.cfg.TRAIN.end_epoch:
            print(f"already trained to epoch {self.begin_epoch - 1}: raise TRAIN.end_epoch to go on")
        elif main:
            print("===> Start training...")
        for epoch in range(self.begin_epoch, self.cfg.TRAIN.end_epoch + 1):
            self.train_log.append(self.train_epoch(epoch))
            if main:
                tester.test(epoch, self.model)
                self._log_epoch(run, tester)
            error = distributed.broadcast_object(tester.joint_error if main else None)
            step_scheduler(self.scheduler, error)
            if main:
                self._save(run, epoch)
            distributed.barrier()
        if main and tester.result:
            tester.report(run / "result")

    def _log_epoch(self, run: Path, tester: Tester) -> None:
        self.test_log["surface"].append(tester.surface_error)
        self.test_log["joint"].append(tester.joint_error)
        graph = run / "graph"
        save_plot(self.train_log, graph / "train_loss.pdf", "Train Loss")
        save_plot(self.test_log["surface"], graph / "surface_error.pdf", "Surface Error")
        save_plot(self.test_log["joint"], graph / "joint_error.pdf", "Joint Error")

    def _save(self, run: Path, epoch: int) -> None:
        folder = run / "checkpoint"
        # the first epoch counts too: the original never kept it as best
        is_best = self.test_log["joint"][-1] <= min(self.test_log["joint"])
        last = epoch == self.cfg.TRAIN.end_epoch
        saved = folder / ("final.pth.tar" if last else f"checkpoint{epoch}.pth.tar")
        save_checkpoint(
            saved,
            epoch=epoch,
            model=self.model,
            optimizer=self.optimizer,
            scheduler=self.scheduler,
            train_log=self.train_log,
            test_log=self.test_log,
            graph_state=self.stage.graph.to_state() if self.stage.graph else None,
            config=self.cfg.to_dict(),
            rng=get_rng_state(),
        )
        if is_best:
            copy_checkpoint(saved, folder / "best.pth.tar")
