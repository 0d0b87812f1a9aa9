"""Speed of this project against the published algorithm, on this machine.

    python main/benchmark.py
    python main/benchmark.py --quick
    python main/benchmark.py --rows inference64 training64
    python main/benchmark.py --rows onnx
    python main/benchmark.py --growth
    python main/benchmark.py --growth batch vertices --pictures FOLDER
    python main/benchmark.py --live
    python main/benchmark.py --device cuda

Both sides run in processes of their own, in turns: full-size networks, 6,890 vertices, human36 joints,
random weights. Two columns: "as run" = both programs as a user starts them; "memory kept" = both with an allocator that
is told to keep freed memory (not of the demo, of batch 16, of bf16 and half). Figures are medians, of five repeats of
this project and more (three of the slow training step); the published algorithm gets as many where they are short,
fewer where one takes long, and in some rows fewer samples per repeat: the last column of the table has the numbers,
times are compared per sample. Rows in bf16 and half are this project's alone, beside the published algorithm's figures
in float32; below the table stands how far predicted meshes are from those in float32. Precisions that this processor
gains nothing by are left out.

A second table shows what no program avoids (lib/benchmark/limits.py): operations at the rate of dense products and
bytes at the rate of the memory, both measured in the same run, the least time that follows, and its share of the time
taken; "-" where there is no such limit.

A third table, where onnxruntime is installed, has ONNX files against the networks in PyTorch: the shipped coco weights
and, without --quick, the published size.

Takes less than ten minutes on two quiet cores; --quick about one, with small sizes, one or two repeats and only as run.
--growth measures this project alone, as sizes grow (docs/speed.md): samples per call, vertices, people in an image,
frames of a film, records of a data set, processes; about ten minutes, with --quick about two.
--live measures demo/live.py alone: latency of the mesh stage and frames per second, without a detector; a minute.
--device cuda measures the same tables on a GPU, which finishes its work before a time is taken: networks,
losses, loading and errors there; the graph, the camera, plain's items and demo on the CPU; peak memory is the GPU's.
Further rows are of a GPU alone: few poses by a CUDA graph, networks in bfloat16. Targets are for a CPU and left out;
the first line says whether float32 products are rounded to TF32, which they are not unless someone asks PyTorch to.
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tqdm import tqdm

from lib.benchmark.gpu_rows import GPU_ROWS, rows_for
from lib.benchmark.growth.kinds import KINDS
from lib.benchmark.growth.measure import measure_growth
from lib.benchmark.growth.pictures import save_growth
from lib.benchmark.growth.report import growth_text, update_page
from lib.benchmark.limits import has_limit
from lib.benchmark.live import live_text, measure_live
from lib.benchmark.machine import describe
from lib.benchmark.onnx_rows import NAME as ONNX
from lib.benchmark.onnx_rows import measure_onnx, missing_packages, onnx_text
from lib.benchmark.report import disagreements, distances, limits_text, machine_text, table
from lib.benchmark.rows import ROWS, available
from lib.benchmark.runner import Turns, measure, measure_limits
from lib.files import say_replaced
from lib.predictor.predictor import resolve_device

BUSY = 0.5  # processes that wait for a core before the start


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Speed against the published algorithm",
        epilog=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [*(row.name for row in (*ROWS, *GPU_ROWS)), ONNX]
    parser.add_argument("--quick", action="store_true", help="small sizes, about a minute; targets do not apply")
    parser.add_argument("--rows", nargs="+", choices=names, help="lines of the table (default: all of the device)")
    parser.add_argument("--threads", type=int, default=2, help="threads of every measured process (default 2)")
    kinds = list(KINDS)
    parser.add_argument("--growth", nargs="*", choices=kinds, metavar="KIND", help="measure how time and memory grow "
        f"instead: {', '.join(kinds)} (default: all)")  # fmt: skip
    parser.add_argument("--live", action="store_true", help="measure real time instead (demo/live.py)")
    parser.add_argument("--pictures", type=Path, help="of --growth: draw it into this folder")
    parser.add_argument("--page", type=Path, help="of --growth: replace the tables of this page, docs/speed.md")
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda or cuda:<number> (default: cpu)")
    parser.add_argument("--output", type=Path, help="write all figures to this JSON file")
    args = parser.parse_args(arguments)
    try:
        args.device = str(resolve_device(args.device))
    except ValueError as error:
        parser.error(f"--device: {error}")
    known = [*(row.name for row in rows_for(args.device)), *([ONNX] if args.device == "cpu" else [])]
    args.rows = args.rows or known
    if args.device != "cpu" and ONNX in args.rows:
        parser.error(f"--rows {ONNX} is of the CPU; leave out --device")
    if not set(args.rows) <= set(known):
        parser.error(f"--rows: {', '.join(sorted(set(args.rows) - set(known)))} need --device cuda")
    if args.growth is None and (args.pictures or args.page):
        parser.error("--pictures and --page are of --growth")
    if args.live and args.growth is not None:
        parser.error("--live and --growth exclude each other")
    if args.growth is not None and args.device != "cpu":
        parser.error("--growth measures the CPU; leave out --device")
    return args


def run_table(args: argparse.Namespace) -> dict:
    start = time.perf_counter()
    report: dict = {"rows": {}} if args.rows == [ONNX] else run_rows(args)
    if ONNX in args.rows:
        missing = missing_packages()
        report[ONNX] = [] if missing else measure_onnx(args.threads, args.quick)
        print(missing or onnx_text(report[ONNX], args.quick))
    return {**report, "seconds": round(time.perf_counter() - start, 1)}


def run_rows(args: argparse.Namespace) -> dict:
    rows, refused = available([row for row in rows_for(args.device) if row.name in args.rows], args.device)
    for line in refused:
        print(line)
    steps = sum(len(row.columns(args.quick)) * Turns.steps(row, args.quick) for row in rows)
    with tqdm(total=steps, desc="benchmark", unit="step", leave=False, dynamic_ncols=True) as progress:
        results = measure(rows, args.threads, args.quick, progress.update, args.device)
    print(table(rows, results, args.quick))
    for line in distances(rows, results, args.quick):
        print(line)
    for line in disagreements(rows, results):
        print(f"Warning: the two sides differ in {line}")
    report: dict = {"rows": results}
    if any(map(has_limit, rows)):
        report["limits"] = measure_limits(rows, results, args.threads, args.quick, args.device)
        print(limits_text(rows, report["limits"], args.quick))
    return report


def run_growth(args: argparse.Namespace, machine: dict) -> dict:
    report = measure_growth(args.growth or list(KINDS), args.threads, args.quick)
    print(growth_text(report))
    if args.page is not None:
        update_page(args.page, f"{machine_text(machine)}; load at the start {machine['load_at_start']}", report)
        print(f"Wrote {args.page}")
    if args.pictures is not None:
        for name, entries in report.items():
            if entries:
                print(f"Wrote {save_growth(name, entries, args.pictures)}")
    return {"growth": report}


def main() -> None:
    args = parse_arguments()
    machine = describe(args.threads, args.device)
    print(machine_text(machine))
    if machine["load_at_start"] > BUSY:
        print(f"Warning: the machine is busy (load {machine['load_at_start']}), figures will be off")
    if args.quick:
        print("quick: small sizes and few repeats; the targets are for the full sizes and are not shown")
    if args.live:
        report = {"live": measure_live(args.threads, args.quick, args.device)}
        print(live_text(report["live"]))
    elif args.growth is not None:
        report = run_growth(args, machine)
    else:
        report = run_table(args)
        print(f"{report['seconds']:.0f} s in all; medians; ours / plain where two numbers stand together")
    if args.output is not None:
        replaced = [args.output] if args.output.exists() else []
        args.output.write_text(json.dumps({"machine": machine, "quick": args.quick, **report}, indent=1))
        say_replaced(replaced)
        print(f"Wrote {args.output}")


if __name__ == "__main__":
    main()
