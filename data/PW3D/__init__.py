from .dataset import PW3D as dataset

__all__ = ["dataset"]
