"""The tests."""

import os

# before torch is imported: waiting threads that spin cost small trainings ten times their time on a busy machine
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
