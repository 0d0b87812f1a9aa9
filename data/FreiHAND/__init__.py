from .dataset import FreiHAND as dataset

__all__ = ["dataset"]
