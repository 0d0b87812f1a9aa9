"""The original release's module name; the code lives in ``lib.datasets.mixing``."""

# ruff: noqa: F401
from lib.datasets.mixing import MultipleDatasets, sample_of
