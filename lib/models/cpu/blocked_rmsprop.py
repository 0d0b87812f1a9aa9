"""RMSprop in one pass over memory."""

import torch
from torch import Tensor
from torch.optim import RMSprop

from lib.models.cpu.switch import takes_fast_path

# Numbers per block: parameter, gradient, mean square and one temporary, 8 MB, fit a last-level cache; much smaller
# blocks lose to the overhead of starting operations what they gain.
BLOCK_SIZE = 2**19


class BlockedRMSprop(RMSprop):
    """torch's RMSprop, with the same numbers and state dict, for large parameters on a CPU.

    Five elementwise operations make up a step. Run over whole parameters (67 million numbers in PoseNet), each reads
    and writes main memory; run over one block after the other, only the first one waits for it. Parameters on a GPU,
    sparse or strided ones, and the options momentum, centered, weight_decay and maximize are left to torch.
    """

    @torch.no_grad()
    def step(self, closure=None):
        """One step; see `torch.optim.RMSprop.step`."""
        if not all(map(_is_plain, self.param_groups)):
            return super().step(closure)
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    self._update(param, param.grad, group)
        return loss

    def _update(self, param: Tensor, gradient: Tensor, group: dict) -> None:
        state = self.state[param]
        if not state:
            state["step"] = torch.tensor(0.0)
            state["square_avg"] = torch.zeros_like(param, memory_format=torch.preserve_format)
        state["step"] += 1
        alpha, eps, lr = group["alpha"], group["eps"], float(group["lr"])
        blocks = (tensor.view(-1).split(BLOCK_SIZE) for tensor in (param, gradient, state["square_avg"]))
        for values, grad, mean_square in zip(*blocks):
            mean_square.mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
            values.addcdiv_(grad, mean_square.sqrt().add_(eps), value=-lr)


def _is_plain(group: dict) -> bool:
    options = "momentum", "centered", "weight_decay", "maximize", "differentiable", "capturable"
    if any(group[name] for name in options):
        return False
    tensors = [tensor for p in group["params"] if p.grad is not None for tensor in (p, p.grad)]
    return all(
        takes_fast_path(t) and t.layout is torch.strided and t.is_contiguous() and t.is_floating_point()
        for t in tensors
    )
