"""Flips single bits of files that programs read, and counts the flips that nobody notices.

    python -m tests.support.bit_flips [--flips 300] [--seed 0] [--only asset]

Tried are a checkpoint of each stage, shipped weights, a file like the original release's, caches of a graph and of
records, and every npz of the shipped assets. A flip is ``refused`` when the reader raises an error that names the file
or makes a cache anew, ``harmless`` when all that it gives is equal to the bit, else ``accepted``.
Exit code 1 when one is accepted or ends otherwise.
"""

import argparse
import contextlib
import dataclasses
import io
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lib import ROOT
from lib.checkpoints.checkpoint import Checkpoint
from lib.checkpoints.digest import content_digest
from lib.checkpoints.files import load_checkpoint, save_checkpoint
from lib.checkpoints.random_state import get_rng_state
from lib.datasets.storage.records import load_records
from lib.files import read_arrays
from lib.graph.cache import cached_graph
from lib.graph.mesh_graph import MeshGraph
from lib.joints.tables import HUMAN36
from lib.settings.config import Config
from tests.support.files.checkpoint_files import original, small_posenet
from tests.support.meshes import grid

COLUMNS = {"pose": np.arange(600, dtype=np.float32).reshape(100, 6), "image": np.arange(100, dtype=np.int64)}


def write_checkpoint(path: Path, stage: str) -> Path:
    """A checkpoint with entries of all kinds; what its numbers mean does not count here."""
    model = small_posenet()
    optimizer = torch.optim.Adam(model.parameters())
    for param in model.parameters():
        param.grad = torch.ones_like(param)
    optimizer.step()
    checkpoint = Checkpoint.of(
        model,
        epoch=1,
        optimizer=optimizer.state_dict(),
        scheduler=torch.optim.lr_scheduler.MultiStepLR(optimizer, [3]).state_dict(),
        train_log=[0.5],
        test_log={"surface": [2.5], "joint": [1.5]},
        settings=Config(),
        graph=MeshGraph.build(grid(24, 20), HUMAN36, 4) if stage == "pose2mesh_net" else None,
        rng=get_rng_state(),
    )
    if stage == "pose2mesh_net":
        state = {f"pose_lifter.{key}": value for key, value in checkpoint.state.items()}
        checkpoint = dataclasses.replace(checkpoint, state=state)
    save_checkpoint(path, checkpoint)
    return path


def read_checkpoint(path: Path) -> str:
    """All that a checkpoint gives, as a digest."""
    found = load_checkpoint(path)
    entries = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    del entries["source"]
    entries["graph"] = found.graph and found.graph.to_state()
    entries["settings"] = found.settings and found.settings.to_dict()
    return content_digest(entries)


def read_npz(path: Path) -> str:
    """All arrays of a file, as a digest."""
    arrays = read_arrays(path)
    return content_digest({key: _tensor(array) for key, array in arrays.items()})


def _tensor(array: np.ndarray) -> list:
    return [array.dtype.str, list(array.shape), torch.from_numpy(np.frombuffer(array.tobytes(), np.uint8).copy())]


def read_graph(path: Path) -> str:
    """The graph whose cache a file is."""
    return content_digest(cached_graph(grid(24, 20), HUMAN36, 4, folder=path.parent).to_state())


def read_records(path: Path) -> str:
    """The records whose cache a file belongs to."""
    cache = path.parent.parent
    records = load_records("Set", [], {}, 1, lambda: (COLUMNS, {"skipped": {}}), cache)
    return content_digest({"notes": records.notes, **{key: _tensor(column) for key, column in records.items()}})


def flip(path: Path, bit: int) -> None:
    """Invert a bit of a file, counted from its beginning."""
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.unlink()  # others may have mapped it
    path.write_bytes(content)


def try_bit(path: Path, bit: int, read: Callable[[Path], str], wanted: str) -> str:
    """What becomes of a flip: ``refused``, ``harmless``, ``accepted``, or what else the reader raised."""
    flip(path, bit)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            found = read(path)
    except ValueError as error:
        return "refused" if str(path) in str(error) else f"no name: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if "again" in printed.getvalue():
        return "refused" if found == wanted else "accepted"
    return "harmless" if found == wanted else "accepted"


def try_file(path: Path, read: Callable[[Path], str], flips: int, draw: random.Random) -> Counter[str]:
    """Count what becomes of flips at random bits of a file, which is whole again afterwards."""
    counts: Counter[str] = Counter()
    whole, wanted = path.read_bytes(), read(path)
    for bit in draw.sample(range(8 * len(whole)), min(flips, 8 * len(whole))):
        counts[try_bit(path, bit, read, wanted)] += 1
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(whole)
    return counts


def inputs(folder: Path) -> dict[str, tuple[Path, Callable[[Path], str]]]:
    """Copies of the files that are tried, each with its reader."""
    found: dict[str, tuple[Path, Any]] = {}
    for stage in ("posenet", "pose2mesh_net"):
        found[f"checkpoint {stage}"] = write_checkpoint(folder / f"{stage}.pth.tar", stage), read_checkpoint
    shipped = ROOT / "experiment" / "pose2mesh_cocoJ_open" / "final.pth.tar"
    for name, file in (("original release", original("newzip")), ("shipped weights", shipped)):
        found[name] = Path(shutil.copy(file, folder / f"{name}.pth.tar")), read_checkpoint
    cached_graph(grid(24, 20), HUMAN36, 4, folder=folder / "graph")
    found["graph cache"] = next((folder / "graph").iterdir()), read_graph
    records = load_records("Set", [], {}, 1, lambda: (COLUMNS, {"skipped": {}}), folder / "records")
    for name in ("pose.npy", "meta.json"):
        found[f"record cache {name}"] = Path(str(records.folder)) / name, read_records
    for file in sorted((ROOT / "asset").glob("**/*.npz")):
        place = folder / file.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        found[str(file.relative_to(ROOT))] = Path(shutil.copy(file, place)), read_npz
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flips", type=int, default=300, help="of each file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of a name")
    args = parser.parse_args()
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for name, (path, read) in inputs(Path(folder)).items():
            if args.only in name:
                counts = try_file(path, read, args.flips, random.Random(args.seed))
                total += counts
                print(f"{name}: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items()), flush=True)
    print(f"{total.total()} flips: " + ", ".join(f"{count} {outcome}" for outcome, count in total.most_common()))
    return 1 if set(total) - {"refused", "harmless"} else 0


if __name__ == "__main__":
    sys.exit(main())
