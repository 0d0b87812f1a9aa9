"""How the demo's commands end."""

import pytest

from lib.runtime.startup import exit_code


def failing(error):
    def command():
        raise error

    return command


def test_a_command_that_works_ends_with_0():
    assert exit_code(lambda: None) == 0


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ValueError("no\nsuch joints"), 2, "error: no such joints\n"),
        (MemoryError(), 2, "error: MemoryError\n"),
        (FileNotFoundError("poses.json is missing"), 2, "error: poses.json is missing\n"),
        (KeyboardInterrupt(), 130, "\nStopped\n"),
    ],
)
def test_errors_are_one_line(error, code, said, capsys):
    assert exit_code(failing(error)) == code
    assert capsys.readouterr().err == said


def test_faults_of_the_program_and_wanted_tracebacks_are_raised(monkeypatch):
    with pytest.raises(KeyError):
        exit_code(failing(KeyError("fault")))
    monkeypatch.setenv("POSE2MESH_TRACEBACK", "1")
    with pytest.raises(ValueError, match="wanted"):
        exit_code(failing(ValueError("wanted")))
