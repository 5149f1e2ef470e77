"""What a night makes of audits: it counts what they found, and holds new tools back or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from llmos.evolution.audits import audits_of, subject_of
from llmos.evolution.learner import Learner
from llmos.store import Store, Transaction
from llmos.values import ArtifactType, AuditOutcome, Trace, Verdict
from llmos.volumes import Status, Volume


def settle(
    store: Store,
    learner: Learner,
    stored: Mapping[str, Trace],
    lesson: Callable[[Trace], Trace | None],
) -> set[str]:
    """Count what audits found for or against tools; ids of the runs that were learnt from for it.

    A disagreement counts as that of any later run of the model, and once: by the trace itself
    where it is learnt from and speaks of the same calls, else by the audit. A run that was found
    wrong since says nothing against a tool that would have done something else, and as much
    against one that would have done the same.

    Args:
        store: Where audits are.
        learner: Knows the tools' families.
        stored: The night's runs.
        lesson: A run as it is learnt from; None where that is over, or it is not good enough.
    """
    learnt = set()
    for trace_id, audit in store.read(lambda c: audits_of(c, stored)).items():
        kind, name, _ = subject_of(audit.source)
        wrong = stored[trace_id].verdict is Verdict.REFUTED
        agreed = audit.outcome is AuditOutcome.AGREED
        if kind != "tool" or audit.outcome is AuditOutcome.INCOMPARABLE:
            continue
        if agreed and not wrong:
            learner.tried.setdefault(name, True)
        elif agreed == wrong:
            new = lesson(stored[trace_id])
            learnt |= {trace_id} if new is not None else set()
            if new is not None or trace_id not in learner.settled:
                learner.audited(name, trace_id, new)
    return learnt


def release(
    tx: Transaction, volume: Volume, held: Iterable[str], digests: Mapping[str, str], author: str
) -> list[str]:
    """Put tools in use that were held back; their names.

    Args:
        tx: An open transaction.
        volume: Where they are.
        held: Names of tools that were held back.
        digests: The version of each that was; what another has become of since stays as it is.
        author: Who is said to have done it.
    """
    released = []
    for name in held:
        tool = volume.find(ArtifactType.TOOL, name, tx=tx)
        if tool is None or tool.status is not Status.SHADOWING or tool.pinned:
            continue
        if tool.current == digests.get(name):
            why = "audits no longer differ too often"
            status = Status.ACTIVE
            volume.set_status(ArtifactType.TOOL, name, status, author=author, why=why, tx=tx)
            released.append(name)
    return released
