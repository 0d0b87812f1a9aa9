"""Speed against the published algorithm: ``main/benchmark.py``.

Every figure compares this project (``ours``) with the slow reference in ``lib/plain`` (``plain``), in one run, on one
machine, in processes of their own that take turns.
"""
