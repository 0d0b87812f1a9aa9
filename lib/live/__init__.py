"""Meshes while a camera runs: ``demo/live.py``.

One thread takes pictures and finds people in them, another lifts, draws and shows. Between them is one place, in which
the newest stands: what comes too fast is left out, nothing waits in a queue. Lifting and drawing take turns in one
thread on purpose: both are many short calls from Python, which in two threads should mostly wait for each other (this
was not measured).
"""
