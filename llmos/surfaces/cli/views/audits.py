"""How audits are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmos.evolution.audits import AuditRow, AuditStats, subject_of
from llmos.surfaces.cli.output import one_line, out, print_table, printable, short, to_json, when
from llmos.values import Audit, AuditOutcome, Json

if TYPE_CHECKING:
    from llmos.boot import LLMOS

_WORDS = {
    AuditOutcome.AGREED: "agreed",
    AuditOutcome.DISAGREED: "differed",
    AuditOutcome.INCOMPARABLE: "not comparable",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """What is claimed of free runs, and the audits that it is claimed from."""

    stats: AuditStats
    frozen: str | None
    newest: Sequence[AuditRow]

    @classmethod
    def of(cls, os: LLMOS, limit: int) -> Claim:
        """The claim of the user's volume.

        Args:
            os: Booted.
            limit: How many audits are listed at most.
        """
        kernel = os.kernel
        return cls(kernel.get_audits(), kernel.get_freeze(), kernel.list_audits(limit))

    def as_dict(self) -> dict[str, Json]:
        """The claim as JSON."""
        told = self.stats.as_dict() | {"frozen": self.frozen}
        return told | {"audits": [to_json(row) for row in self.newest]}


def show_claim(claim: Claim) -> None:
    """Print the bound, whether new tools are held back, and the newest audits."""
    console = out()
    console.print(str(claim.stats))
    if claim.stats.not_comparable:
        console.print(f"{claim.stats.not_comparable} could not be compared", style="dim")
    if claim.frozen is not None:
        console.print(f"! no new tool comes into use: {printable(claim.frozen)}", style="yellow")
        console.print("  look at them, then say: llmos audits lift", style="dim")
    if claim.newest:
        console.print()
        print_table(("RUN", "WHEN", "OF", "CAME OUT", "WHY"), [_cells(r) for r in claim.newest])


def _cells(row: AuditRow) -> tuple[str, ...]:
    audit = row.audit
    kind, subject, _ = subject_of(audit.source)
    what = subject if kind == "tool" else f"trace {short(subject)}"
    return (
        short(row.trace_id),
        when(row.at),
        one_line(what),
        f"{_WORDS[audit.outcome]} (extra)" if audit.extra else _WORDS[audit.outcome],
        one_line(audit.detail, 200),
    )


def audit_line(audit: Audit) -> str:
    """One line that tells that a run was an audit, and how it came out."""
    kind, subject, _ = subject_of(audit.source)
    what = f"the tool {subject}" if kind == "tool" else f"the trace {short(subject)}"
    why = f": {audit.detail}" if audit.detail else ""
    return f"audit of {what}, drawn by chance: {_WORDS[audit.outcome]}{why}"
