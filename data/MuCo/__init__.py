from .dataset import MuCo as dataset

__all__ = ["dataset"]
