"""Fit the risk of refined bodies (``lib.predictor.risk``) and measure it on the open benchmark.

    python data/build/fit_risk.py --motion data/AMASS/data/CMU data/AMASS/data/CMU_DAZ --output asset/risk/body.npz
    python data/build/fit_risk.py --check

Poses are of the training subjects and of the pose prior, 2D joints exact, with jitter and with synthesised errors, seen
from usual and any elevations. Held-out subjects are only in ``--check``.
"""

import argparse
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data.Synthetic.dataset import Synthetic
from lib.checkpoints.files import load_checkpoint
from lib.datasets.loader import BatchLoader
from lib.mesh.refine import View
from lib.predictor import Pose2MeshPredictor
from lib.predictor.risk import FEATURES, FILE, LIMIT, RiskFeatures, RiskModel
from lib.settings.setting import REFINED
from lib.units import MM_PER_M

SETS = ("coco", "human36", "smpl")
HIDDEN, EPOCHS, RATE, DECAY = 16, 80, 3e-3, 1e-4
TRAINING = {"prior_share": 0.5, "any_view_share": 0.3, "clean_share": 0.35, "jitter_share": 0.45, "noise": "errors"}
PROTOCOLS = {
    "exact": ({"use_gt_input": True}, {"any_view_share": 0.0}),
    "jitter": ({"use_gt_input": False}, {"any_view_share": 0.0, "noise": "jitter"}),
    "any view": ({"use_gt_input": True}, {"any_view_share": 1.0}),
    "errors": ({"use_gt_input": False}, {"any_view_share": 0.0, "noise": "errors"}),
}
BINS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 1.0)


@torch.no_grad()
def collect(predictor: Pose2MeshPredictor, dataset: Synthetic) -> Iterator[tuple[Tensor, Tensor]]:
    """Features (B, F) and MPVPE (B,) in metres of refined bodies, batch by batch."""
    maker = predictor.surfaces
    read = RiskFeatures(maker.fitter, predictor.mesh_model, predictor.joint_set)
    for batch in BatchLoader(dataset, 64, seed=0).epoch(0):
        points = batch.inputs["pose2d"]
        mesh, pose3d = predictor.network(points)
        fitted = maker.fitter.fitted(mesh)
        refined = maker.fitter.refined(fitted.fit, View.of(batch.meta["rays"], predictor.joint_set))[0]
        features = read(mesh, pose3d / MM_PER_M, points, fitted, refined)
        yield features, (refined.mesh - batch.targets["mesh"]).norm(dim=-1).mean(dim=1)


def gather(predictor: Pose2MeshPredictor, mode: str, data: dict, synthetic: dict) -> tuple[Tensor, Tensor]:
    cfg = load_checkpoint(predictor.weights).trained
    cfg = cfg.changed(DATASET=data, SYNTHETIC=synthetic, TEST={"mesh": REFINED})
    parts = collect(predictor, Synthetic(mode, cfg, model=predictor.mesh_model))
    features, errors = (torch.cat(values) for values in zip(*parts))
    return features, errors


def fit(features: Tensor, errors: Tensor) -> RiskModel:
    """Maximum likelihood of the logarithm of the errors."""
    torch.manual_seed(0)
    mean, scale = features.mean(dim=0), features.std(dim=0)
    hidden, out = nn.Linear(FEATURES, HIDDEN), nn.Linear(HIDDEN, 2)
    target = errors.log()
    with torch.no_grad():
        out.bias.copy_(torch.stack([target.mean(), target.std().log()]))
    optimizer = torch.optim.Adam([*hidden.parameters(), *out.parameters()], RATE, weight_decay=DECAY)

    def model() -> RiskModel:
        return RiskModel(mean, scale, hidden.weight, hidden.bias, out.weight, out.bias)

    for _ in range(EPOCHS):
        for rows in torch.randperm(len(features)).split(256):
            middle, spread = model().log_error(features[rows])
            loss = (spread + ((target[rows] - middle) / spread.exp()).square() / 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return RiskModel(*(value.detach() for value in (mean, scale, hidden.weight, hidden.bias, out.weight, out.bias)))


def check(poses: int) -> None:
    """Print how many bad bodies are found at 5 % false alarms, and how well probabilities are calibrated."""
    model = RiskModel.load()
    everything = []
    print(
        f"| joint set | 2D input | bodies over {MM_PER_M * LIMIT:.0f} mm | found at 5 % false alarms |\n"
        "| --- | --- | --- | --- |"
    )
    for name in SETS:
        predictor = Pose2MeshPredictor(name, device="cpu", mesh=REFINED)
        for protocol, (data, synthetic) in PROTOCOLS.items():
            if protocol == "errors" and name == "smpl":
                continue  # the same as jitter
            features, errors = gather(predictor, "test", data, synthetic | {"test_samples": poses, "motion": []})
            probability, bad = model.probability(features), errors > LIMIT
            least = probability[~bad].quantile(0.95)
            found = (probability[bad] > least).float().mean()
            print(f"| {name} | {protocol} | {int(bad.sum())} of {len(bad)} | {100 * found:.0f} % |", flush=True)
            everything.append((probability, bad))
    probability, bad = (torch.cat(values) for values in zip(*everything))
    print("\n| probability | bodies | mean | found |\n| --- | --- | --- | --- |")
    for low, high in pairwise(BINS):
        rows = (probability >= low) & (probability <= high)
        values = (f"{100 * part[rows].float().mean():.1f} %" for part in (probability, bad))
        print(f"| {100 * low:.0f} to {100 * high:.0f} % | {int(rows.sum())} | {' | '.join(values)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--motion", nargs="+", default=[], help="folders of the training subjects' motion")
    parser.add_argument("--samples", type=int, default=12_000, help="of each joint set (default: 12000)")
    parser.add_argument("--output", type=Path, default=FILE)
    parser.add_argument("--check", action="store_true", help="measure the one in asset/risk on the open benchmark")
    parser.add_argument("--poses", type=int, default=4000, help="of the benchmark (default: all)")
    args = parser.parse_args()
    if args.check:
        return check(args.poses)
    parts = []
    for name in SETS:
        predictor = Pose2MeshPredictor(name, device="cpu", mesh=REFINED)
        synthetic = TRAINING | {"samples_per_epoch": args.samples, "motion": args.motion}
        parts.append(gather(predictor, "train", {"use_gt_input": False}, synthetic))
        print(f"{name}: {len(parts[-1][1])} bodies, {int((parts[-1][1] > LIMIT).sum())} over the limit", flush=True)
    features, errors = (torch.cat(values) for values in zip(*parts))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    fit(features, errors).save(args.output)
    print(f"Wrote: {args.output}")
    return None


if __name__ == "__main__":
    main()
