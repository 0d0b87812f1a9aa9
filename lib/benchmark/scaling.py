"""``main/benchmark.py --scaling``: how speed and memory follow workers, data set size and processes."""

import itertools

from tqdm import tqdm

from lib.benchmark.process import Worker

ROWS, QUICK_ROWS = (10_000, 100_000, 1_000_000), (10_000, 100_000)
WORKERS = (0, 1, 2)
PROCESSES = (1, 2)


def measure_scaling(threads: int, quick: bool) -> dict:
    """Figures of the loader (``loading``) and of training with several processes (``training``)."""
    rows, batches = (QUICK_ROWS, 8) if quick else (ROWS, 100)
    batch, steps = (4, 1) if quick else (32, 3)
    plan = [("loading", {"rows": r, "workers": w, "batches": batches}) for r, w in itertools.product(rows, WORKERS)]
    plan += [("processes", {"processes": count, "batch": batch, "steps": steps}) for count in PROCESSES]
    report: dict[str, list] = {"loading": [], "processes": []}
    for case, arguments in tqdm(plan, desc="scaling", leave=False, dynamic_ncols=True):
        with Worker("ours", "as run", threads) as worker:
            check = worker.run(case, arguments)["check"]
        names = ("items_per_second", "memory_bytes") if case == "loading" else ("items_per_second",)
        report[case].append({**arguments, **dict(zip(names, check))})
    return report


def scaling_text(report: dict) -> str:
    """The figures as text."""
    lines = ["data path (COCO joints with errors), batches of 64; memory of all processes, shared pages counted once"]
    for entry in report["loading"]:
        lines.append(
            f"  {entry['rows']:>9,} rows, {entry['workers']} workers: {entry['items_per_second']:8,.0f} items/s, "
            f"{entry['memory_bytes'] / 2**30:.2f} GiB"
        )
    lines.append("training of Pose2Mesh, processes share the batch and the cores")
    for entry in report["processes"]:
        lines.append(
            f"  {entry['processes']} processes, batch {entry['batch']}: {entry['items_per_second']:.2f} samples/s"
        )
    return "\n".join(lines)
