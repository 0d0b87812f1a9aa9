from .dataset import AMASS as dataset

__all__ = ["dataset"]
