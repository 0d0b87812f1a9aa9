"""Commands and links of the user guide belong to this version of the project."""

import itertools
import re
import shlex
from pathlib import Path

import pytest

from demo.run import parse_arguments
from tests.helpers import ROOT

GUIDE = ROOT / "demo" / "README.md"
TEXT = GUIDE.read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"\bpython ((?:demo|main|data)/\w+\.py[^`\n]*)", TEXT)))
# what the reader has: everything else that a command reads is part of the project
OF_THE_READER = {
    "photo.jpg", "hand.jpg", "video.mp4", "pose.npy", "joints.npy", "pairs.npz", "alphapose-results.json",
    "experiment/exp_DATE_TIME", "FOLDER",
}  # fmt: skip
READ_BY = {"--input_pose", "--input_img", "--input_pose3d", "--cfg", "--weights", "--predictions", "--pairs"}


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", TEXT)
    assert len(links) > 5
    assert [link for link in links if not (GUIDE.parent / link).exists()] == []


def test_guide_has_commands():
    assert len(COMMANDS) > 30


@pytest.mark.parametrize("command", COMMANDS)
def test_command_names_what_exists(command):
    script, *words = shlex.split(command)
    assert (ROOT / script).is_file()
    options = dict(itertools.pairwise(words))
    files = {options[option] for option in READ_BY & set(options)} - OF_THE_READER
    assert [file for file in files if not (ROOT / file).exists()] == []
    if script == "demo/run.py" and words != ["--help"]:
        parse_arguments(words)
    else:
        source = "".join(path.read_text(encoding="utf-8") for path in _sources(script))
        assert [
            word for word in words if word.startswith("--") and word != "--help" and f'"{word}"' not in source
        ] == []


def _sources(script: str) -> list[Path]:
    """The script and the module that ``main/train.py`` and ``main/test.py`` take their options from."""
    return [ROOT / script, ROOT / "lib/core/commands.py"]
