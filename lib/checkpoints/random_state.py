"""State of the random generators, so that a resumed training draws on as if it had never stopped."""

import math
import random

import numpy as np
import torch

from lib.messages import shown


def get_rng_state() -> dict:
    """State of torch's, numpy's and Python's generators as tensors and numbers (loads under ``weights_only``)."""
    numpy = np.random.get_state(legacy=False)  # noqa: NPY002
    version, words, next_gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": {
            "name": numpy["bit_generator"],
            "keys": torch.from_numpy(numpy["state"]["key"].astype(np.int64)),
            "position": int(numpy["state"]["pos"]),
            "has_gauss": int(numpy["has_gauss"]),
            "cached": float(numpy["gauss"]),
        },
        "python": {"version": version, "words": torch.tensor(words, dtype=torch.int64), "next_gauss": next_gauss},
    }


def set_rng_state(state: dict) -> None:
    """Put all generators into a state of ``get_rng_state``; GPU states are skipped when the number of GPUs differs.

    Raises:
        ValueError: not such a state.
    """
    try:
        stored, python = state["numpy"], state["python"]
        torch_state, cuda_states = state["torch"].cpu(), [s.cpu() for s in state["cuda"]]
        words, place, drawn = stored["keys"].cpu().numpy(), stored["position"], (stored["cached"], python["next_gauss"])
        whole = words.dtype == np.int64 and words.shape == (624,) and not (words >> 32).any()
        if not whole or type(place) is not int or not 0 <= place <= 624:  # NumPy would draw from outside of them
            raise ValueError(f"position {shown(place)} in {words.shape} words of {words.dtype}")
        if stored["has_gauss"] not in (0, 1) or not all(math.isfinite(number or 0.0) for number in drawn):
            raise ValueError(f"the numbers drawn last are {shown(drawn)}")
        if not isinstance(state["cuda"], list):
            raise ValueError(f"states of GPUs are {shown(state['cuda'])}")
        keys = words.astype(np.uint32)
        numpy_state = (stored["name"], keys, stored["position"], stored["has_gauss"], stored["cached"])
        python_state = (python["version"], tuple(python["words"].tolist()), python["next_gauss"])
        torch.set_rng_state(torch_state)
        if torch.cuda.is_available() and len(cuda_states) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(cuda_states)
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)
    except (LookupError, TypeError, AttributeError, RuntimeError, ValueError, OverflowError) as error:
        raise ValueError(f"not a state of the random generators: {error!r}") from error
