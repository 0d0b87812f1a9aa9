"""Small meshes and joint graphs for tests."""

import numpy as np


def grid(width, height):
    """Triangulated rectangle: (F, 3) faces over vertices row * width + column."""
    corners = (np.arange(height - 1)[:, None] * width + np.arange(width - 1)).reshape(-1, 1)
    return (corners + np.array([0, 1, width, 1, width + 1, width])).reshape(-1, 3)


def joint_graph(joint_set):
    return joint_set.joint_num, joint_set.bones, joint_set.graph_links
