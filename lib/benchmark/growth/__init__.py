"""How time and memory grow: ``main/benchmark.py --growth``.

Each kind of growth (``kinds``) is measured in processes of its own (``measure``, ``cases``) and becomes a table
(``report``) and a picture (``pictures``) of ``docs/speed.md``.
"""
