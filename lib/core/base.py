"""Trainer: one loop for both stages, one or several processes."""

import math
from pathlib import Path

import torch
from tqdm import tqdm

from lib.checkpoints.checkpoint import (
    copy_checkpoint,
    get_rng_state,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    set_rng_state,
)
from lib.checkpoints.weights import initial_weights, warm_start
from lib.core.optim import build_optimizer, build_scheduler, resume_optimizer, resume_text, step_scheduler
from lib.core.plots import save_plot
from lib.core.stages import STAGES
from lib.core.tester import Options, Tester, build_dataset
from lib.datasets.loader import BatchLoader
from lib.models.parameters import count_parameters
from lib.runtime import distributed
from lib.settings.config import Config


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
        initial = initial_weights(cfg, options.experiment, options.root)
        if initial is not None:
            print(warm_start(self.model, initial))
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

    def begin(self) -> None:
        """What only a new training needs, before its first epoch."""
        self.stage.begin(self.model, self.loader)

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
            if tester.note:
                print(tester.note)
        for epoch in range(self.begin_epoch, self.cfg.TRAIN.end_epoch + 1):
            self.train_log.append(self.train_epoch(epoch))
            if main:
                tester.test(epoch, self.model, run)
                self._log_epoch(run, tester)
            error = distributed.broadcast_object(tester.joint_error if main else None)
            step_scheduler(self.scheduler, error)
            if main:
                self._save(run, epoch)
            distributed.barrier()
        if main and tester.evaluator.full:
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
