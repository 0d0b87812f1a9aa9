"""Mesh graphs: coarsening, Laplacians, the order of the released weights."""
