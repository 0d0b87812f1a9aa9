"""The measured work on data: items, evaluation, the demo's command. See ``lib.benchmark.cases``."""

import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Subset

from lib import ROOT
from lib.benchmark import models
from lib.benchmark.demo_weights import shape_as_body
from lib.benchmark.generated import GeneratedHuman36M, generated_columns
from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.files import save_checkpoint
from lib.datasets.loader import BatchLoader
from lib.evaluation.evaluator import Figure
from lib.evaluation.mesh import BodyEvaluator
from lib.joints.tables import HUMAN36
from lib.plain.dataset import PlainHuman36M
from lib.plain.metrics import batch_errors, evaluate_meshes
from lib.units import MM_PER_M

BATCH = 64
ROWS = 4096  # generated records
BANK = 512  # different meshes, 85 MB, that an evaluation goes through again and again: more than the caches hold
FIGURES = ("H36M MPJPE", "H36M PA-MPJPE", "SMPL MPJPE", "MPVPE", "PA-MPVPE")
SAMPLE = ROOT / "demo" / "sample_pose_human36.npy"
DEMOS = {"ours": ROOT / "demo" / "run.py", "plain": ROOT / "lib" / "plain" / "demo.py"}


def data_case(side: str, device: str):
    """Batches of Pose2Mesh training items with COCO joints and synthesised errors; plain's stay on the CPU."""
    model = models.mesh_model()
    if side == "ours":
        dataset = GeneratedHuman36M(ROWS, models.config("coco"), model)
        loader = BatchLoader(dataset, BATCH, shuffle=True, workers=0, device=device)

        def batches(items: int):
            for _ in itertools.islice(loader.epoch(1), items // BATCH):
                pass
            return items, ()

        return batches

    regressors = model.joint_regressor("human36"), model.joint_regressor("coco")
    items_of = PlainHuman36M(generated_columns(ROWS, model), model.arrays(), *regressors)

    def one_by_one(items: int):
        for _ in DataLoader(Subset(items_of, range(items)), batch_size=BATCH):
            pass
        return items, ()

    return one_by_one


def evaluation_case(side: str, device: str):
    """All errors of predicted meshes, batch by batch as a test meets them."""
    target = MM_PER_M * models.meshes(BANK, seed=1)
    generator = torch.Generator().manual_seed(2)
    turned = torch.randn(BANK, 3, 3, generator=generator) * 0.05 + torch.eye(3)
    pred = target @ turned + 20 * torch.randn(target.shape, generator=generator)
    pred, target = pred.to(device), target.to(device)
    smpl, human36 = models.regressor("smpl"), models.regressor("human36")

    def batches(samples: int):
        for start in range(0, samples, BATCH):
            low = start % BANK
            high = min(low + BATCH, low + samples - start)
            yield pred[low:high], target[low:high]

    def ours(samples: int):
        figures = tuple(Figure(name, "") for name in FIGURES)
        evaluator = BodyEvaluator(HUMAN36, human36, figures, smpl, human36)
        for pred_mesh, target_mesh in batches(samples):
            evaluator.update(pred_mesh, target_mesh)
        evaluator.results()
        columns = evaluator.columns()
        return samples, [columns[name][:BATCH].mean() for name in FIGURES]

    def plain(samples: int):
        kept, on_device = [], human36[None].to(device)
        for pred_mesh, target_mesh in batches(samples):
            joints = on_device @ pred_mesh, on_device @ target_mesh
            batch_errors(pred_mesh, target_mesh, *joints, HUMAN36.root, HUMAN36.eval_joints)
            kept.append((pred_mesh.cpu().numpy(), target_mesh.cpu().numpy()))
        all_pred, all_target = (np.concatenate(side) for side in zip(*kept))
        errors = evaluate_meshes(all_pred, all_target, smpl.numpy(), human36.numpy(), HUMAN36.eval_joints)
        return samples, [errors[name][:BATCH].mean() for name in FIGURES]

    return ours if side == "ours" else plain


def demo_case(side: str, device: str):
    """The command that a user starts, with weights of a full-size network, to its files; plain's takes no GPU."""
    folder = tempfile.TemporaryDirectory(prefix="pose2mesh-benchmark-")
    weights, output = Path(folder.name) / "final.pth.tar", Path(folder.name) / side
    output.mkdir()
    network = shape_as_body(models.our_pose2mesh().cpu())
    save_checkpoint(weights, Checkpoint.of(network, settings=models.config(), graph=models.graph()))
    command = [sys.executable, DEMOS[side], "--weights", weights, "--body", models.BODY, "--input_pose", SAMPLE]
    command += ["--output", output] + (["--joint_set", models.JOINTS, "--device", device] if side == "ours" else [])
    launched = [sys.executable, "-S", ROOT / "lib" / "benchmark" / "launcher.py", *command]
    models.our_pose2mesh.cache_clear()

    def repeat(_keep=folder):
        done = subprocess.run(launched, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the demo failed: {done.stderr}")
        if not (output / "demo_mesh.obj").is_file():
            raise FileNotFoundError(f"{output}: the demo wrote no mesh")
        return 1, (), json.loads(done.stdout)

    return repeat
