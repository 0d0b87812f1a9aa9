"""Killed, stopped and doubled trainings, full disks and memory, lost workers: what is left and what is said."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
import torch

from lib.checkpoints.files import load_checkpoint
from lib.core import base, commands
from lib.core.runs import create_run, remove_leftovers, sole_use
from lib.files import hidden_beside
from lib.runtime.failures import ProcessFailed, explained
from lib.settings.config import Config
from tests.helpers import ROOT, write_config
from tests.support import runs
from tests.support.files.checkpoint_files import write_content
from tests.support.files.limits import largest_file

SHORT = {"samples_per_epoch": 32, "test_samples": 16}
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits the size of files as Linux does")


@pytest.fixture
def cfg(small_config):
    return small_config("posenet", "mano", "mano", TRAIN={"end_epoch": 2}, SYNTHETIC=SHORT)


@pytest.fixture
def trained(cfg, tmp_path, without_plots):
    return runs.run_command(commands.train, cfg, tmp_path / "runs")


def resume(cfg, tmp_path):
    return runs.run_command(commands.train, cfg, tmp_path / "runs", resume_training=True)


def content(run):
    return {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_kills_between_writes():
    """A share of what this program tries: at the last log, checkpoint, best, results."""
    points = ["--points", "79", "84"]
    command = [sys.executable, "-m", "tests.support.kill_points", "--stage", "posenet", *points]
    # forked processes must not have had threads, so a process of its own, with one
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    assert " 2 kills, 0 failures" in done.stdout


@pytest.mark.parametrize(
    "lost", ["result/metrics.json", "result/metrics.csv", "checkpoint/best.pth.tar", "log.csv", "config.yml"]
)
def test_resuming_a_finished_run_makes_what_is_missing(cfg, tmp_path, trained, lost):
    before = content(trained)
    (trained / lost).unlink()
    assert resume(cfg, tmp_path) == trained
    after = content(trained)
    if lost == "log.csv":  # checkpoints keep losses and errors only
        rows = [line.split(",") for line in after.pop(lost).decode().splitlines()]
        wanted = [line.split(",") for line in before.pop(lost).decode().splitlines()]
        assert [[row[0], *row[2:]] for row in rows] == [[row[0], *row[2:]] for row in wanted]
    assert after == before


def test_plots_are_made_by_resuming(cfg, tmp_path):
    run = runs.run_command(commands.train, cfg, tmp_path / "runs")
    before = content(run)
    (run / "graph" / "joint_error.pdf").unlink()
    resume(cfg, tmp_path)
    assert content(run) == before


def test_results_of_other_weights_are_made_anew(cfg, tmp_path, trained):
    path = trained / "result" / "metrics.json"
    before, old = path.read_text(), json.loads(path.read_text())
    old["weights"]["sha256"] = "0"
    path.write_text(json.dumps(old))
    resume(cfg, tmp_path)
    assert path.read_text() == before


# --------------------------------------------------------------------------------------------------- damaged files


def edited(**changes):
    def damage(path):
        stored = torch.load(path, weights_only=True)
        stored.update({key: change(stored[key]) for key, change in changes.items()})
        path.unlink()  # best.pth.tar may be the same file
        write_content(path, stored)

    return damage


def with_nan(state):
    return {key: value * float("nan") if key == "w1.weight" else value for key, value in state.items()}


DAMAGES = {
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: os.truncate(path, 0),
    "NaN weights": edited(model_state_dict=with_nan),
    "no weight": edited(model_state_dict=lambda state: dict(list(state.items())[1:])),
    "epoch": edited(epoch=lambda _: "two"),
    "other epoch": edited(epoch=lambda _: 0),
    "log": edited(train_log=lambda log: log[:-1]),
    "errors": edited(test_log=lambda _: [1.0]),
    "optimizer": edited(optim_state_dict=lambda _: {"state": 1}),
    "schedule": edited(scheduler_state_dict=lambda _: {"gamma": 1}),
    "random numbers": edited(rng=lambda rng: rng | {"torch": torch.zeros(3)}),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_checkpoint_is_named_and_left(cfg, tmp_path, trained, damage, capsys):
    before, final = load_checkpoint(trained), trained / "checkpoint" / "final.pth.tar"
    figures = json.loads((trained / "result" / "metrics.json").read_text())["metrics"]
    DAMAGES[damage](final)
    capsys.readouterr()
    assert resume(cfg, tmp_path) == trained
    text = capsys.readouterr().out
    assert re.search(f"Warning: .*{final}", text)
    assert f"going on from the checkpoint before, {final.with_name('checkpoint1.pth.tar')} (epoch 1)" in text
    after = load_checkpoint(trained)
    assert after.test_log == before.test_log
    assert all(torch.equal(value, before.state[key]) for key, value in after.state.items())
    assert json.loads((trained / "result" / "metrics.json").read_text())["metrics"] == figures


def test_no_checkpoint_is_sound(cfg, tmp_path, trained):
    for path in (trained / "checkpoint").iterdir():
        os.truncate(path, 10)
    with pytest.raises(ValueError, match="no other checkpoint"):
        resume(cfg, tmp_path)


@pytest.mark.parametrize("share", [0, 0.5, None])
def test_damaged_settings_come_from_the_checkpoint(cfg, tmp_path, trained, share, capsys):
    config = trained / "config.yml"
    before = config.read_bytes()
    config.write_bytes(b"\xff: [" if share is None else before[: int(share * len(before))])
    assert resume(cfg, tmp_path) == trained
    assert config.read_bytes() == before
    assert f"Warning: {config} is " in capsys.readouterr().out


# ------------------------------------------------------------------------------------------- two processes, leftovers


def test_a_run_folder_has_one_process(cfg, tmp_path, trained):
    code = "import sys, pathlib\nfrom lib.core.runs import sole_use\n"
    code += "with sole_use(pathlib.Path(sys.argv[1])): print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, trained], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        before = content(trained)
        with pytest.raises(ValueError, match=f"{trained} is in use"):
            resume(cfg, tmp_path)
        assert content(trained) == before
        process.kill()
    assert resume(cfg, tmp_path) == trained  # the system has taken the lock from the killed one


def test_leftovers_go_unless_somebody_works_there(tmp_path):
    idle, busy = (create_run(tmp_path, Config()) for _ in range(2))
    aside = [hidden_beside(run / "checkpoint" / "final.pth.tar") for run in (idle, busy)]
    for path in aside:
        path.write_text("half")
    hidden_beside(idle / "result" / "predictions").mkdir()
    with sole_use(busy):
        remove_leftovers(tmp_path)
    assert [path.exists() for path in aside] == [False, True]
    assert list((idle / "result").iterdir()) == []


# --------------------------------------------------------------------------------------- signals, full disk and memory


def start(config, experiment, code):
    return runs.start_script("train", "--cfg", config, "--experiment", experiment, code=runs.NO_PLOTS + code)


def last_line(process):
    return process.communicate(timeout=300)[1].strip().splitlines()[-1]


STOP_AFTER_FIRST = """
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # which programs in the background have switched off
from lib.core import base
saved = base.save_checkpoint
def save(path, checkpoint):
    saved(path, checkpoint)
    os.kill(os.getpid(), {number})
base.save_checkpoint = save
"""


@pytest.mark.parametrize("name, code, called", [("SIGINT", 130, "Ctrl-C"), ("SIGTERM", 143, "SIGTERM")])
def test_signals_end_with_the_command_that_resumes(cfg, tmp_path, name, code, called):
    config = write_config(tmp_path / "settings.yml", cfg)
    number = int(getattr(signal, name))
    with start(config, tmp_path / "runs", STOP_AFTER_FIRST.format(number=number)) as process:
        line = last_line(process)
    assert process.returncode == code
    assert line.startswith(f"stopped by {called}; go on with: python main/train.py --gpu '' --cfg {config}")
    assert line.endswith("--resume_training")
    (run,) = (tmp_path / "runs").iterdir()
    assert not list(run.rglob(".*"))


@linux_only
def test_a_full_disk_is_one_line(cfg, tmp_path, without_plots):
    config = write_config(tmp_path / "settings.yml", cfg)
    with largest_file(60_000):
        done = runs.run_here("train", "--cfg", config, "--experiment", tmp_path / "runs")
    text = done.stderr
    assert done.returncode == 2
    assert "Traceback" not in text
    line = text.strip().splitlines()[-1]
    assert re.search(
        r"error: .*checkpoint1\.pth\.tar cannot be written: File too large \(\d+\.\d MB are free.*"
        r"it needs \d+\.\d MB\. "
        r"No epoch was completed; go on with: python .*--resume_training$",
        line,
    )
    assert not [path for path in (tmp_path / "runs").rglob("checkpoint/*") if path.is_file()]
    assert not list((tmp_path / "runs").rglob(".*"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_no_permission_names_the_folder(cfg, tmp_path, trained):
    trained.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match=str(trained)):
            resume(cfg, tmp_path)
    finally:
        trained.chmod(0o700)


def test_a_failure_during_training_says_what_is_kept(cfg, tmp_path, monkeypatch, without_plots):
    def short(*_):
        raise MemoryError("Unable to allocate 9 GiB")

    epochs = base.Trainer.train_epoch
    monkeypatch.setattr(
        base.Trainer, "train_epoch", lambda self, *given: short() if given[1] == 2 else epochs(self, *given)
    )
    with pytest.raises(
        OSError, match=r"not enough memory: lower TRAIN\.batch_size.*9 GiB.*checkpoint1\.pth\.tar is kept"
    ):
        runs.run_command(commands.train, cfg, tmp_path / "runs")


def test_errors_that_users_can_mend_are_explained():
    too_large = 10**15
    with pytest.raises(RuntimeError) as caught:
        torch.empty(too_large)
    assert "not enough memory" in explained(caught.value)
    lost = RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly")
    assert "a loading process was lost" in explained(lost)
    closed = RuntimeError("[gloo/transport/tcp/pair.cc:538] Connection closed by peer [127.0.0.1]:6125")
    assert "another process of the job was lost" in explained(closed)
    assert explained(ProcessFailed("traceback", "one line")) == "one line"
    assert explained(RuntimeError("a bug")) == ""
