"""Measure the record cache: time of the first and later starts, disk, and memory of a loading process (Linux).

    python data/measure/measure_records.py
    python data/measure/measure_records.py --amass 100000 --human36m 30000 --folder /scratch

Generates an AMASS tree and a Human3.6M tree of random numbers in the official formats, as many rows as asked for, below
a temporary folder that is removed in the end. By default a million AMASS rows: five million frames in 2,000 files of a
subset of which every fifth frame is taken, 6.2 GB; and 300,000 Human3.6M annotations of the five training subjects in
four cameras each, 0.4 GB. Every measurement runs in a fresh process.
"""

import argparse
import json
import multiprocessing
import os
import pickle
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lib.datasets.pose_dataset import PoseDataset, stream
from lib.datasets.registry import dataset_class
from lib.mesh.mesh_model import load_mesh_model
from lib.settings.reading import merge

ROWS_PER_CLIP, FRAME_STEP = 500, 5
SUBJECTS, ACTIONS, CAMERAS = (1, 5, 6, 7, 8), range(2, 17), (1, 2, 3, 4)
BATCH, BATCHES = 64, 4000
MB = 1e6
SETTINGS = {
    "DATASET": {"input_joint_set": "human36", "target_joint_set": "human36", "use_gt_input": True},
    "MODEL": {"name": "posenet", "body": "open_1723"},
}


def write_amass(root: Path, rows: int, rng: np.random.Generator) -> None:
    """Clips of one subset; training takes ``rows`` of their frames (rounded up to whole clips)."""
    frames = ROWS_PER_CLIP * FRAME_STEP
    poses = rng.normal(0.0, 0.3, (frames, 156))
    for clip in range(-(-rows // ROWS_PER_CLIP)):
        path = root / f"data/AMASS/data/CMU_generated/{clip // 20:03d}/{clip:05d}_poses.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {"poses": poses + rng.normal(0.0, 0.1, 156), "betas": rng.normal(size=16), "gender": np.array("male")}
        np.savez(path, **arrays, trans=np.zeros((frames, 3)), dmpls=np.zeros((frames, 8)), mocap_framerate=100.0)


def write_human36m(root: Path, rows: int, rng: np.random.Generator) -> None:
    """The four files of each training subject, ``rows`` annotations in all (rounded up to whole actions)."""
    folder = root / "data/Human36M/annotations"
    folder.mkdir(parents=True)
    camera = {"R": np.eye(3).tolist(), "t": [0.0, 0.0, 5000.0], "f": [1145.0, 1144.0], "c": [512.0, 515.0]}
    frames = [str(5 * frame) for frame in range(-(-rows // (len(SUBJECTS) * len(ACTIONS) * len(CAMERAS))))]
    for subject in SUBJECTS:
        images, annotations, joints, fits = [], [], {}, {}
        for action in ACTIONS:
            joints[str(action)] = {"1": {frame: rng.normal(0.0, 500.0, (17, 3)).tolist() for frame in frames}}
            fits[str(action)] = {"1": {frame: _fit(rng) for frame in frames}}
            for view in CAMERAS:
                name = f"s_{subject:02d}_act_{action:02d}_subact_01_ca_{view:02d}"
                keys = {"subject": subject, "action_idx": action, "subaction_idx": 1, "cam_idx": view}
                for frame in frames:
                    number = 10_000_000 * subject + len(images)
                    file = f"{name}/{name}_{int(frame) + 1:06d}.jpg"
                    size = {"width": 1000, "height": 1002, "frame_idx": int(frame)}
                    images.append({"id": number, "file_name": file, **size, **keys})
                    annotations.append({"id": number, "image_id": number, "bbox": [400.0, 300.0, 200.0, 400.0]})
        contents = {"data": {"images": images, "annotations": annotations}, "joint_3d": joints, "smpl_param": fits}
        for part, content in {**contents, "camera": {str(view): camera for view in CAMERAS}}.items():
            with open(folder / f"Human36M_subject{subject}_{part}.json", "w") as file:
                file.write(json.dumps(content))


def _fit(rng: np.random.Generator) -> dict:
    pose, shape = rng.normal(0.0, 0.3, 72).tolist(), rng.normal(size=10).tolist()
    return {"pose": pose, "shape": shape, "trans": [0.0, 0.0, 5.0]}


def memory() -> dict[str, float]:
    """MB of this process: in all, not backed by files (its own), and the largest ever."""
    entries = {}
    for file in ("/proc/self/smaps_rollup", "/proc/self/status"):
        for line in Path(file).read_text().splitlines()[1:]:
            key, _, value = line.partition(":")
            if value.endswith("kB"):
                entries[key] = int(value.split()[0]) * 1024 / MB
    return {"all": entries["Rss"], "own": entries["Anonymous"], "peak": entries["VmHWM"]}


def start(name: str, root: Path) -> tuple[PoseDataset, dict[str, float]]:
    """One start of a data set in this process: the data set, and what it took."""
    cfg = merge(SETTINGS)
    model = load_mesh_model("body", cfg.MODEL.body)
    began = time.perf_counter()
    dataset = dataset_class(name)("train", cfg, model=model, root=root)
    return dataset, {"seconds": time.perf_counter() - began, "rows": dataset.records.count, **memory()}


def measure_start(name: str, root: Path) -> dict[str, float]:
    """What a start takes, and the size of its cache in MB."""
    dataset, facts = start(name, root)
    return facts | {"cache": sum(path.stat().st_size for path in dataset.records.folder.iterdir()) / MB}


def pickled(name: str, root: Path) -> bytes:
    """A data set as a loading process gets it."""
    return pickle.dumps(start(name, root)[0])


def measure_worker(sent: bytes) -> dict[str, float]:
    """Memory of a loading process after the data set came, and after it read rows all over it."""
    dataset = pickle.loads(sent)
    dataset.rows(np.arange(BATCH), stream(0))
    before, rng = memory(), np.random.default_rng(0)
    began = time.perf_counter()
    for number in range(BATCHES):
        dataset.rows(rng.integers(len(dataset), size=BATCH), stream(number))
    each = (time.perf_counter() - began) / BATCHES
    return {"sent": len(sent) / MB, "before": before, "after": memory(), "batch": each * 1000}


def apart(function, *args):
    """The function's value, from a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def forget(folder: Path) -> None:
    """Let the system drop its copies of the files in a folder, as after a restart of the machine."""
    for path in folder.glob("**/*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def report(name: str, root: Path) -> None:
    first = apart(measure_start, name, root)
    forget(root / "data/.cache")
    cold, warm = apart(measure_start, name, root), apart(measure_start, name, root)
    worker = apart(measure_worker, apart(pickled, name, root))
    before, after = worker["before"], worker["after"]
    source = sum(path.stat().st_size for path in (root / "data" / name).glob("**/*") if path.is_file())
    print(f"{name}: {first['rows']:,} rows from {source / MB:,.0f} MB of annotations")
    print(f"  first start   {first['seconds']:8.2f} s, peak {first['peak']:,.0f} MB; cache {first['cache']:,.0f} MB")
    print(f"  second start  {cold['seconds']:8.2f} s from disk, {warm['seconds']:.2f} s from the system's file cache;")
    print(f"                peak {warm['peak']:,.0f} MB, {warm['own']:,.0f} MB of its own")
    print(f"  loading process, {BATCHES} batches of {BATCH} random samples, {worker['batch']:.2f} ms each:")
    print(f"                data set sent as {worker['sent']:.1f} MB; its own memory {before['own']:,.0f} -> ", end="")
    print(f"{after['own']:,.0f} MB, with mapped files {before['all']:,.0f} -> {after['all']:,.0f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--amass", type=int, default=1_000_000, help="rows of the AMASS set")
    parser.add_argument("--human36m", type=int, default=300_000, help="annotations of the Human3.6M set")
    parser.add_argument("--folder", help="where the temporary folder is made")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    writers = {"AMASS": (write_amass, args.amass), "Human36M": (write_human36m, args.human36m)}
    for name, (write, rows) in writers.items():
        with tempfile.TemporaryDirectory(dir=args.folder) as root:
            began = time.perf_counter()
            write(Path(root), rows, rng)
            print(f"{name}: generated in {time.perf_counter() - began:.0f} s", flush=True)
            report(name, Path(root))


if __name__ == "__main__":
    main()
