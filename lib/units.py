"""Units: meshes are in metres, joints in millimetres, as in the original."""

MM_PER_M = 1000.0
