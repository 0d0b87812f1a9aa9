"""One line of the doctor's report. Nothing here, or in the checks' modules, imports a package that may be broken."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lib.messages import one_line

OK, WARN, FAIL = "OK", "WARN", "FAIL"


@dataclass(frozen=True)
class Finding:
    """What was found about one thing.

    Attributes:
        level: ``OK``; ``WARN``: something optional is missing or unusual; ``FAIL``: the programs will not work.
        subject: the thing.
        text: what was found.
        advice: what to do; empty when there is nothing to do.
    """

    level: str
    subject: str
    text: str
    advice: str = ""

    def line(self) -> str:
        advice = f" -> {self.advice}" if self.advice else ""
        return f"{self.level:4}  {self.subject}: {one_line(self.text)}{advice}"


def examine(check: Callable[..., Iterable[Finding]], *args) -> list[Finding]:
    """The findings of a check; a check that breaks down is a finding itself, so that the others still run."""
    try:
        return list(check(*args))
    except Exception as error:  # whatever a broken installation raises
        name = check.__name__.replace("_", " ").strip()
        return [Finding(FAIL, name, f"{type(error).__name__}: {error}", "see the findings above")]
