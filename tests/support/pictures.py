"""Pictures to draw on."""

import numpy as np

SIZE = (160, 120)  # width, height


def black(width: int = SIZE[0], height: int = SIZE[1]) -> np.ndarray:
    return np.zeros((height, width, 3), dtype=np.uint8)
