from .dataset import SURREAL as dataset

__all__ = ["dataset"]
