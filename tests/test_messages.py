"""Messages show little of what a file holds, no control characters, and the file's name."""

from pathlib import Path

import pytest

from lib.messages import naming, one_line, shown, shown_names


def shared(levels: int = 12) -> list:
    value: list = [1] * 10
    for _ in range(levels):
        value = [value] * 10
    return value


def test_values_are_shown_short():
    assert shown("coco") == "'coco'"
    assert shown([1, 2.5, None]) == "[1, 2.5, None]"
    for value in (shared(), {"a": shared()}, "x" * 10**6, list(range(10**5)), 10**4000, 10**6000, "\ud800\x1b[2J"):
        assert len(shown(value)) <= 120
        assert shown(value).isprintable()


def test_lines_have_no_breaks_and_no_control_characters():
    assert one_line("a\n  b\tc") == "a b c"
    assert one_line("a\x1b[31m\x00\u202eb") == "a\ufffd[31m\ufffd\ufffdb"
    assert len(one_line("x " * 10**6)) <= 1500
    assert shown_names(str(number) for number in range(9)) == "0, 1, 2, 3, 4, 5 and 3 more"


def test_errors_get_the_name_once():
    with pytest.raises(ValueError, match=r"^a\.json: no joint$"), naming("a.json"):
        raise ValueError("no joint")
    with pytest.raises(ValueError, match=r"^a\.json: no joint$"), naming("a.json"), naming("a.json"):
        raise ValueError("no joint")
    with pytest.raises(FileNotFoundError, match=r"^a\.json: .*gone"), naming("a.json"):
        Path("gone").read_text()
    with pytest.raises(ValueError, match=r"^a\.json: .*too large"), naming("a.json"):
        float(10**400)
