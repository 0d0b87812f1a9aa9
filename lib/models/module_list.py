"""torch's list of modules, with the type of its members."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from torch import nn

Member = TypeVar("Member", bound=nn.Module)


class ModuleList(nn.ModuleList, Generic[Member]):
    """``torch.nn.ModuleList``, of which type checkers know what it holds."""

    if TYPE_CHECKING:

        def __init__(self, modules: Iterable[Member]) -> None: ...

        @overload
        def __getitem__(self, idx: slice) -> "ModuleList[Member]": ...

        @overload
        def __getitem__(self, idx: int) -> Member: ...

        def __getitem__(self, idx: int | slice) -> "Member | ModuleList[Member]": ...

        def __iter__(self) -> Iterator[Member]: ...
