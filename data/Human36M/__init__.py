from .dataset import Human36M as dataset

__all__ = ["dataset"]
