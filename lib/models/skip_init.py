"""Networks without random weights, for those who load weights right after."""

from torch import nn
from torch.overrides import TorchFunctionMode


class SkipInit(TorchFunctionMode):
    """Context in which new layers keep their weights as allocated: the functions of ``torch.nn.init`` do nothing.

    Random numbers for the 76 million weights of a full-size network take longer than everything else about making it.
    Only for networks whose every weight is loaded afterwards (``Checkpoint.load_into`` is strict).
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == nn.init.__name__:
            return kwargs.get("tensor", args[0] if args else None)
        return func(*args, **kwargs)
