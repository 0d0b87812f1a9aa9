"""Processes: GPU lists, devices, and two CPU processes that train like one."""

from pathlib import Path

import pytest
import torch
from torch import nn

from lib.runtime import distributed
from lib.runtime.gpus import parse_gpus


class Net(nn.Module):
    """Linear model with a parameter that is never used, as PoseNet has."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(distributed.rank())  # different in each process: wrapping must make them equal
        self.layer = nn.Linear(4, 3)
        self.unused = nn.BatchNorm1d(5)
        # as PoseNet does with its unused normalisation
        self._ddp_params_and_buffers_to_ignore = [f"unused.{name}" for name in self.unused.state_dict()]

    def forward(self, x):
        return self.layer(x)


def batch():
    generator = torch.Generator().manual_seed(5)
    return torch.randn(8, 4, generator=generator), torch.randn(8, 3, generator=generator)


def train_two_steps(device, path):
    """Two SGD steps, each process on its share of the batch; rank 0 stores the outcome."""
    rank, processes = distributed.rank(), distributed.world_size()
    network = Net()
    model = distributed.wrap(network, device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = (part.chunk(processes)[rank] for part in batch())
    for _ in range(2):
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimizer.step()
    everywhere = [(rank, distributed.is_main(), distributed.rank_seed(100))] * processes
    if processes > 1:
        torch.distributed.all_gather_object(everywhere, everywhere[rank])
    outcome = {
        "weight": network.layer.weight.detach(),
        "loss": distributed.all_reduce_mean(loss),
        "unused": network.unused.weight.grad,
        "from_zero": distributed.broadcast_object({"rank": rank}),
        "all": everywhere,
        "device": device,
    }
    distributed.barrier()
    if distributed.is_main():
        torch.save(outcome, path)


def train_and_test(device, folder, cfg):
    """The above, and a shared test whose files are in ``folder``."""
    from lib.core.tester import Options, Tester  # other tests' processes need not import it

    torch.set_num_threads(1)
    train_two_steps(device, folder / "trained.pt")
    tester = Tester(cfg, Options())
    torch.manual_seed(0)
    run = folder if distributed.is_main() else None
    tester.test(0, tester.stage.build_model(), run)
    if run is not None:
        tester.report(run / "result")
        torch.save([tester.joint_error, tester.surface_error, tester.evaluator.columns()], run / "errors.pt")


def fail_in_the_second(device):
    if distributed.rank() == 1:
        raise ValueError("the cause")
    distributed.barrier()


@pytest.mark.parametrize(
    "text, expected",
    [("0,1", [0, 1]), ("0,", [0]), ("0", [0]), (" 3, 1 ", [3, 1]), ("", []), ("cpu", []), ("-1", [])],
)
def test_gpu_lists(text, expected):
    assert parse_gpus(text) == expected


@pytest.mark.parametrize("text", ["a", "0;1", "0,,1", "0,-1", "1.5", ",", "0 1"])
def test_wrong_gpu_lists(text):
    with pytest.raises(ValueError, match="expected GPU numbers"):
        parse_gpus(text)


def test_gpu_named_twice():
    with pytest.raises(ValueError, match="twice"):
        parse_gpus("0,1,0")


def fake_gpus(monkeypatch, count):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_missing_gpus(monkeypatch):
    fake_gpus(monkeypatch, 0)
    gpus, notice = distributed.usable_gpus([0, 1])
    assert gpus == []
    assert "CPU" in notice
    fake_gpus(monkeypatch, 1)
    assert distributed.usable_gpus([0]) == ([0], "")
    assert distributed.usable_gpus([]) == ([], "")
    gpus, notice = distributed.usable_gpus([0, 1])
    assert gpus == [0]
    assert "using 0" in notice
    with pytest.raises(ValueError, match="this machine has GPU 0"):
        distributed.usable_gpus([4])


def test_no_gpu_is_one_notice_and_the_cpu(monkeypatch, capsys):
    fake_gpus(monkeypatch, 0)
    assert distributed.first_device([0]) == "cpu"
    assert capsys.readouterr().out.count("\n") == 1
    assert distributed.devices_of([]) == ["cpu"]
    assert capsys.readouterr().out == ""


def test_helpers_without_a_group():
    model = nn.Linear(2, 2)
    assert (distributed.rank(), distributed.world_size(), distributed.is_main()) == (0, 1, True)
    assert distributed.wrap(model, "cpu") is model
    assert distributed.broadcast_object("x") == "x"
    assert distributed.all_reduce_mean(torch.tensor(2.0)).item() == 2
    distributed.barrier()


def test_two_processes_train_and_test_like_one(tmp_path, small_config):
    short = {"TEST": {"batch_size": 4, "save_predictions": True}, "SYNTHETIC": {"test_samples": 18}}  # five batches
    cfg = small_config("posenet", "mano", "mano", **short)
    for processes in (1, 2):
        (tmp_path / f"{processes}" / "result").mkdir(parents=True)
        distributed.launch(train_and_test, [], tmp_path / f"{processes}", cfg, cpu_processes=processes)
    one, two = (tmp_path / f"{processes}" for processes in (1, 2))
    files = {path.relative_to(one) for path in one.rglob("*") if path.is_file()}
    assert files == {path.relative_to(two) for path in two.rglob("*") if path.is_file()}
    assert {path.name for path in files} >= {"metrics.json", "metrics.csv", "joints.npy", "errors.pt"}
    for path in files - {Path("trained.pt")}:
        assert (one / path).read_bytes() == (two / path).read_bytes(), path
    one, two = (torch.load(folder / "trained.pt", weights_only=True) for folder in (one, two))
    assert torch.allclose(two["weight"], one["weight"], atol=1e-6)
    assert two["loss"].item() == pytest.approx(one["loss"].item(), rel=1e-5)
    assert two["unused"] is None
    assert two["from_zero"] == {"rank": 0}
    assert two["all"] == [(0, True, 100), (1, False, 101)]
    assert two["device"] == "cpu"
    assert not distributed.active()


def test_failure_shows_its_cause_and_ends_the_others():
    with pytest.raises(RuntimeError, match=r"process 1:(.|\n)*ValueError: the cause"):
        distributed.launch(fail_in_the_second, [], cpu_processes=2)


def test_torchrun_is_recognised_and_joined(monkeypatch, tmp_path):
    import socket

    assert not distributed.under_torchrun()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {"RANK": 0, "WORLD_SIZE": 1, "LOCAL_RANK": 0, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    for key, value in environment.items():
        monkeypatch.setenv(key, str(value))
    assert distributed.under_torchrun()
    distributed.launch(train_two_steps, [], tmp_path / "run.pt")
    assert torch.load(tmp_path / "run.pt", weights_only=True)["all"] == [(0, True, 100)]
    assert not distributed.active()
    distributed._job_store.cache_clear()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("MASTER_PORT", str(taken.getsockname()[1]))
        with pytest.raises(ValueError, match=r"MASTER_PORT \d+ of 127.0.0.1 is in use by another program"):
            distributed.launch(train_two_steps, [], tmp_path / "run.pt")
