"""The original release's module name; the code lives in ``lib.graph.building``."""

# ruff: noqa: F401
from lib.graph.building import build_adj, build_coarse_graphs, build_graph
