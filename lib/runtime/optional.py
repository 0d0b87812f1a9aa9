"""Packages that only some users need."""

import importlib
from types import ModuleType


def optional(name: str, extra: str, *, use: str) -> ModuleType:
    """A module of an optional package.

    Args:
        name: of the module.
        extra: what ``requirements.sh`` calls the packages, and ``requirements-<extra>.txt`` lists.
        use: what needs it, for the message.

    Raises:
        ValueError: it cannot be imported; says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(
            f"{use} needs a package that cannot be imported ({error}): sh requirements.sh --with-{extra}"
        ) from error
