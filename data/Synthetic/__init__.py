from .dataset import Synthetic as dataset

__all__ = ["dataset"]
