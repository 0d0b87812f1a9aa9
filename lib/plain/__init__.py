"""The published algorithms, slow and obvious: what the fast code is compared with and raced against.

Everything here follows the original release step by step: padded graphs with fake vertices, uncoalesced sparse
products between transposes, one sample at a time in NumPy, Python loops over joints, faces and graph nodes, 1,500
gradient steps for one camera. Nothing here is used by the programs; only tests and ``main/benchmark.py`` import it.
Comments say what is done, not why: the fast counterparts in ``lib`` and ``data`` explain the mathematics.
"""
