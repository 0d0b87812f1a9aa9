"""A place for the newest thing that one thread has for another."""

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Latest(Generic[Item]):
    """Holds one item at most; a new one takes the place of one that nobody took.

    Args:
        every: nothing is replaced: whoever puts waits until the place is free.

    Attributes:
        replaced: items that nobody took.
    """

    def __init__(self, every: bool = False):
        self.every, self.replaced = every, 0
        self._changed = threading.Condition()
        self._item: Item | None = None
        self._closed = False
        self._error: BaseException | None = None

    def put(self, item: Item) -> bool:
        """Put the newest; False: nobody wants it any more."""
        with self._changed:
            if self.every:
                self._changed.wait_for(lambda: self._closed or self._item is None)
            if self._closed:
                return False
            self.replaced += self._item is not None
            self._item = item
            self._changed.notify_all()
            return True

    def take(self, timeout: float | None = None) -> Item | None:
        """Wait for the newest; None: there will be no more, or not in ``timeout`` seconds (see ``closed``).

        Raises:
            BaseException: with which the place was closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._item is not None, timeout)
            item, self._item = self._item, None
            self._changed.notify_all()
            if item is None and self._error is not None:
                raise self._error
            return item

    @property
    def closed(self) -> bool:
        """No more will come, and nothing is left."""
        with self._changed:
            return self._closed and self._item is None

    def close(self, error: BaseException | None = None) -> None:
        """No more items; the one that is there can be taken yet. The first error is kept."""
        with self._changed:
            self._closed, self._error = True, self._error or error
            self._changed.notify_all()
