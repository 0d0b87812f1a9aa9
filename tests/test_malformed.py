"""Generated malformed inputs: a share of ``python -m tests.support.malformed``, and what the run itself promises."""

import random
import subprocess
import sys

from lib import ROOT
from tests.support.malformed.cases import CASES, place
from tests.support.malformed.process import names
from tests.support.malformed.sound import poses


def test_a_share_of_the_malformed_inputs_gets_good_answers():
    command = [sys.executable, "-m", "tests.support.malformed", "--light", "--count", "30", "--seed", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("30 inputs")


def test_an_input_depends_on_its_seed_alone(tmp_path):
    (tmp_path / "sound" / "poses").mkdir(parents=True)
    poses(tmp_path / "sound" / "poses")
    (case,) = (case for case in CASES if case.name == "poses checked")

    def made(folder: str, seed: int) -> tuple[str, bytes]:
        _, file, done = place(case, tmp_path / "sound", tmp_path / folder, random.Random(seed))
        plain = file.is_file() and not file.is_symlink() and file.stat().st_mode and file.stat().st_size < 1 << 24
        return done, file.read_bytes() if plain else b""

    first = [made(f"a{seed}", seed) for seed in range(20)]
    assert first == [made(f"b{seed}", seed) for seed in range(20)]
    assert len(set(first)) > 15


def test_what_names_a_file(tmp_path):
    assert names(tmp_path / "red\x1b[31m.json", ["error: /x/red\N{REPLACEMENT CHARACTER}[31m.json is wrong"])
    assert not names(tmp_path / "pose.json", ["pose.json was read", "error: it is wrong"])
