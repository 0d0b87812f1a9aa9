"""The original release's module name; the code lives in ``lib.graph.coarsening``."""

# ruff: noqa: F401
from lib.graph.coarsening import (
    HEM,
    HEM_one_level,
    coarsen,
    compute_perm,
    perm_adjacency,
    perm_index_reverse,
)
from lib.graph.laplacian import laplacian, lmax_L, rescale_L
