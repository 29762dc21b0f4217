"""How the trial of a strategy came out."""

from dataclasses import dataclass, field

from strategy_workers.sandbox.frames import Manifest

#: Of a trial, by the minute, in two markets that go up and down.
CANDLES = 1000


@dataclass(frozen=True)
class Finding:
    """One thing that was tried, and how it came out in a sentence."""

    check: str
    passed: bool
    said: str


@dataclass
class Report:
    manifest: Manifest | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def valid(self) -> bool:
        return all(one.passed for one in self.findings)

    def note(self, check: str, passed: bool, said: str) -> bool:
        self.findings.append(Finding(check, passed, said))
        return passed
