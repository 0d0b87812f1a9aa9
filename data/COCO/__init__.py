from .dataset import COCO as dataset

__all__ = ["dataset"]
