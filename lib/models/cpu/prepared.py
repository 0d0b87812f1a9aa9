"""Modules that keep what depends on their weights alone, for predictions with the weights as they are."""

from typing import Any

from torch import nn


class Prepared(nn.Module):
    """A module that keeps values made of its weights until these may change: it trains, moves, or loads others.

    Attributes:
        prepared: the values, of what type each module knows; None: there are none, or they are made in every call.
    """

    prepared: Any = None

    def train(self, mode: bool = True):
        """Switch the mode; training forgets what was prepared."""
        if mode:
            self.prepared = None
        return super().train(mode)

    def _apply(self, fn, recurse: bool = True):
        self.prepared = None
        return super()._apply(fn, recurse)

    def _load_from_state_dict(self, *arguments) -> None:
        self.prepared = None
        super()._load_from_state_dict(*arguments)
