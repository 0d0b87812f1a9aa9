"""Networks made without random weights, and weights taken over from a checkpoint."""

import pytest
import torch
from torch import nn

from lib.checkpoints.checkpoint import Checkpoint
from lib.models.skip_init import SkipInit


def small_network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Conv1d(5, 4, 1), nn.Linear(3, 2, bias=False))


def test_no_random_number_is_drawn_and_the_rest_is_made_as_usual():
    torch.manual_seed(3)
    state = torch.get_rng_state()
    with SkipInit():
        network = small_network()
        assert torch.equal(torch.ones(3) + 1, torch.full((3,), 2.0))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(network[1].running_var, torch.ones(5))
    small_network()
    assert not torch.equal(torch.get_rng_state(), state)


def test_loaded_weights_are_those_of_a_network_made_as_usual():
    source = small_network()
    with SkipInit():
        network = small_network()
    Checkpoint.of(source).load_into(network, take_over=True)
    for name, value in source.state_dict().items():
        assert torch.equal(network.state_dict()[name], value), name
        assert network.state_dict()[name].data_ptr() == value.data_ptr()
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_weights_that_are_taken_over_get_the_models_number_type(dtype):
    network = small_network()
    state = {key: v.to(dtype) if v.is_floating_point() else v for key, v in small_network().state_dict().items()}
    Checkpoint(state).load_into(network, take_over=True)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert torch.equal(network[0].weight, state["0.weight"].float())


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(number):
    state = small_network().state_dict()
    state["2.weight"][1, 2] = number
    with pytest.raises(ValueError, match=r"NaN or infinite weights: 2\.weight"):
        Checkpoint(state).load_into(small_network())
