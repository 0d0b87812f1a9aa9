"""Small meshes and joint graphs for tests."""

import numpy as np


def grid(width, height):
    """Triangulated rectangle: (F, 3) faces over vertices row * width + column."""
    corners = (np.arange(height - 1)[:, None] * width + np.arange(width - 1)).reshape(-1, 1)
    return (corners + np.array([0, 1, width, 1, width + 1, width])).reshape(-1, 3)


def joint_graph(joint_set):
    return joint_set.joint_num, joint_set.bones, joint_set.graph_links


def sphere(radius: float, centre: tuple[float, float, float], rings: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """A UV sphere whose faces turn counter-clockwise seen from outside."""
    around = 2 * rings
    polar, azimuth = np.meshgrid(
        np.linspace(0, np.pi, rings + 1), np.arange(around) / around * 2 * np.pi, indexing="ij"
    )
    points = np.stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], axis=-1)
    index = np.arange((rings + 1) * around).reshape(rings + 1, around)
    a, b = index[:-1], index[1:]
    c, d = np.roll(a, -1, axis=1), np.roll(b, -1, axis=1)
    faces = np.concatenate([np.stack([a, b, d], -1).reshape(-1, 3), np.stack([a, d, c], -1).reshape(-1, 3)])
    return points.reshape(-1, 3) * radius + centre, faces
