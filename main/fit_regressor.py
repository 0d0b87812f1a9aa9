"""Fit a joint regressor: a sparse matrix that takes mesh vertices to the joints of your own set.

    python main/fit_regressor.py --pairs pairs.npz --output asset/joint_sets/mine.npy
    python main/fit_regressor.py --pairs pairs.npz --output mine.npy --max_vertices 8 --holdout 0.2

pairs.npz holds vertices (N, V, 3) and joints (N, J, 3) in metres, of the same meshes in the same frame: for example
scans that the body was fitted to with their markers, or one template mesh (N = 1) with picked joints. The result goes
into a joint set file as "regressor: mine.npy", see asset/joint_sets/README.md.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.core.commands import run_command
from lib.files import atomic_write, read_arrays, say_replaced
from lib.mesh.regressor_fit import CANDIDATES, MAX_VERTICES, check_pairs, fit_regressor
from lib.messages import naming
from lib.units import MM_PER_M


def read_pairs(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (N, V, 3) and joints (N, J, 3) of a file.

    Raises:
        FileNotFoundError, ValueError: no such file, or not with these arrays.
    """
    wanted = "a .npz with vertices (N, V, 3) and joints (N, J, 3)"
    vertices, joints = read_arrays(path, ("vertices", "joints"), wanted).values()
    return vertices, joints


def fit(args: argparse.Namespace) -> None:
    """Fit, print the residuals, save."""
    vertices, joints = read_pairs(Path(args.pairs))
    with naming(args.pairs):
        check_pairs(vertices, joints)
    if not 0 <= args.holdout < 1:
        raise ValueError(f"--holdout {args.holdout}: expected a share from 0 to below 1")
    order = np.random.default_rng(0).permutation(len(vertices))
    tested, trained = np.split(order, [round(args.holdout * len(order))])
    start = time.perf_counter()
    result = fit_regressor(vertices[trained], joints[trained], args.candidates, args.max_vertices)
    print(f"{len(trained)} meshes of {vertices.shape[1]} vertices, {time.perf_counter() - start:.1f} s")
    print("joint  vertices  mean mm  largest mm")
    for joint, (used, mean, largest) in enumerate(zip(result.used, result.mean, result.largest)):
        print(f"{joint:5d} {used:9d} {mean:8.2f} {largest:11.2f}")
    print(f"  all {result.used.mean():9.1f} {result.mean.mean():8.2f} {result.largest.max():11.2f}")
    if len(tested):
        errors = np.linalg.norm(np.einsum("jv,nvc->njc", result.matrix, vertices[tested]) - joints[tested], axis=2)
        errors *= MM_PER_M
        print(f"{len(tested)} held-out meshes: mean {errors.mean():.2f} mm, largest {errors.max():.2f} mm")
    replaced = [args.output] if Path(args.output).exists() else []
    with atomic_write(args.output, "wb") as stream:
        np.save(stream, result.matrix)
    say_replaced(replaced)
    print(f"{args.output}: {result.matrix.shape[0]} joints, {result.matrix.shape[1]} vertices")


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Fit a joint regressor", epilog=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", required=True, help=".npz with vertices (N, V, 3) and joints (N, J, 3), metres")
    parser.add_argument("--output", required=True, help=".npy file to write, (J, V) float32")
    parser.add_argument("--candidates", type=int, default=CANDIDATES, help=f"vertices tried per joint ({CANDIDATES})")
    parser.add_argument("--max_vertices", type=int, default=MAX_VERTICES, help=f"most per joint ({MAX_VERTICES})")
    parser.add_argument("--holdout", type=float, default=0.0, help="share of the meshes that only tests the fit (0)")
    run_command(fit, parser.parse_args())


if __name__ == "__main__":
    main()
