"""The one table of data sets: config name -> class, imported when first asked for."""

import importlib

_MODULES = {
    "AMASS": "data.AMASS",
    "COCO": "data.COCO",
    "FreiHAND": "data.FreiHAND",
    "Human36M": "data.Human36M",
    "MuCo": "data.MuCo",
    "PW3D": "data.PW3D",
    "SURREAL": "data.SURREAL",
    "Synthetic": "data.Synthetic",
}


def dataset_class(name: str):
    """The class behind a name in ``DATASET.train_list`` / ``test_list``.

    Raises:
        ValueError: unknown name; lists the known ones.
    """
    if name not in _MODULES:
        raise ValueError(f"unknown data set {name!r}; known: {', '.join(sorted(_MODULES))} (see data/README.md)")
    return importlib.import_module(_MODULES[name]).dataset
