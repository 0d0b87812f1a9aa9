"""Findings of ``data/verify.py``: one line each."""

from dataclasses import dataclass, field

from lib.messages import one_line

OK, WARN, FAIL = "OK", "WARN", "FAIL"


@dataclass(frozen=True)
class Finding:
    """What a check found: ``level`` OK, WARN or FAIL, the data set and split, the check, and a sentence."""

    level: str
    subject: str
    check: str
    text: str

    def __str__(self) -> str:
        return f"{self.level:<5}{self.subject}: {self.check}: {one_line(self.text)}"


@dataclass
class Report:
    """Collects findings about one subject and prints them as they come.

    Attributes:
        subject: data set and split.
        findings: all so far.
    """

    subject: str
    findings: list[Finding] = field(default_factory=list)

    def add(self, level: str, check: str, text: str) -> None:
        self.findings.append(Finding(level, self.subject, check, text))
        print(self.findings[-1], flush=True)

    def grade(self, value: float, warn: float, fail: float, check: str, text: str, hint: str = "") -> None:
        """Add a finding by how large a value is; ``hint`` follows the text when it is not OK."""
        level = FAIL if not value <= fail else WARN if value > warn else OK
        self.add(level, check, text + (f": {hint}" if hint and level != OK else ""))

    def within(self, value: float, low: float, high: float, check: str, text: str, hint: str = "") -> None:
        """Add OK when low <= value <= high, FAIL with the hint otherwise."""
        inside = low <= value <= high
        self.add(OK if inside else FAIL, check, text + ("" if inside else f", expected {low:g} to {high:g}: {hint}"))
