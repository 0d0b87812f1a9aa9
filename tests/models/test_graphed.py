"""When calls are recorded and replayed; stand-ins for CUDA compute again from a graph's own input to its outputs."""

from contextlib import contextmanager, nullcontext

import pytest
import torch

from lib.models.graphed import Graphed


class Stream:
    def __init__(self, log):
        self.log = log

    def wait_stream(self, other):
        self.log.append("wait")


@pytest.fixture
def network(monkeypatch):
    """A network of two outputs that notes its calls, on a device that records; ``network.log``."""

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.log = torch.nn.Linear(3, 3), []

        def forward(self, x):
            self.log.append("call")
            outputs = self.layer(x), x + 1
            if self.log.count("begin") > self.log.count("end"):
                recorded.append((x, outputs))
            return outputs

    class Graph:
        def replay(self):
            log.append("replay")
            (x, outputs) = recorded[self.number]
            for output, value in zip(outputs, (made.layer(x), x + 1)):
                output.copy_(value)

    @contextmanager
    def graph(recording, capture_error_mode):
        assert capture_error_mode == "thread_local"
        recording.number = len(recorded)
        log.append("begin")
        yield
        log.append("end")

    made, recorded = Network(), []
    log = made.log
    for name, stand_in in {
        "device": lambda device: nullcontext(),
        "Stream": lambda: Stream(log),
        "current_stream": lambda: Stream(log),
        "stream": lambda stream: nullcontext(),
        "CUDAGraph": Graph,
        "graph": graph,
    }.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    return made


RECORDED = ["wait", "call", "call", "call", "wait", "begin", "call", "end"]


def test_the_second_call_of_a_size_is_recorded_and_later_ones_are_replayed(network):
    graphed = Graphed(network)
    for number, expected in enumerate((["call"], [*RECORDED, "replay"], ["replay"], ["replay"])):
        network.log.clear()
        x = torch.randn(2, 3)
        outputs = graphed(x)
        assert network.log == expected, number
        for found, wanted in zip(outputs, network(x), strict=True):
            assert torch.equal(found, wanted)


def test_results_stay_when_others_are_computed(network):
    graphed, x = Graphed(network), torch.randn(4, 2, 3)
    results = [graphed(batch)[1] for batch in x]
    assert torch.equal(torch.stack(results), x + 1)
    assert not any(result.requires_grad for result in results)


def test_each_size_and_type_has_a_recording_and_large_ones_have_none(network):
    graphed = Graphed(network.double(), largest=2)
    for size in (1, 2, 3) * 3:
        x = torch.randn(size, 3, dtype=torch.float64)
        assert torch.equal(graphed(x)[1], x + 1)
    assert network.log.count("begin") == 2
    assert network.log.count("replay") == 4
