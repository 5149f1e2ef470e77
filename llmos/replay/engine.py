"""Runs a recorded trace again, soundly, or stops.

Before the first write everything that can be checked is checked: permissions, the state of every
file that will be written, the state of every file and folder that was read, and the answers of
all reads that may be made early. Two worlds are accepted: the one before the recorded writes
(execute) and the one after them (nothing to do). Anything else is a side exit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llmos.errors import PermissionDenied, UserError
from llmos.kernel.admission import Admitted
from llmos.kernel.observe import FILE, TREE, Look, Observer
from llmos.kernel.syscalls import GuardFailed, RunCalls
from llmos.replay.answer import answer, brief, done_before
from llmos.replay.compare import Mismatch, Renames, compare
from llmos.replay.overlap import may_hoist
from llmos.replay.world import World, targets, world_of
from llmos.store import BlobStore
from llmos.values import Footprint, SideExit, Step, Trace


@dataclass(frozen=True, slots=True)
class Replayed:
    """How a replay ended."""

    output: str = ""
    side_exit: SideExit | None = None
    already_done: bool = False
    harmed: bool = False
    """A write did not come back as recorded: this counts against the trace."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a replay would do, known by what can be checked before its first write."""

    writes: tuple[Step, ...] = ()
    """As recorded, in order; empty where all is done already, or it would stop."""
    stopped: str = ""
    """Why it would stop; "" if it would not before its first write."""


class _Exit(Exception):
    """A guard failed."""

    def __init__(self, reason: str, *, harmed: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.harmed = harmed


class Replay:
    """One replay of one trace.

    Args:
        trace: With absolute paths of this run's folders.
        moved: Indices of steps that may write something else here, since they name a folder.
        calls: The run's system calls.
        observer: Looks at files and folders.
        blobs: Holds what folders were like then, to name what changed.
    """

    def __init__(
        self,
        trace: Trace,
        moved: frozenset[int],
        calls: RunCalls,
        observer: Observer,
        blobs: BlobStore,
    ) -> None:
        self._trace = trace
        self._moved = moved
        self._calls = calls
        self._observer = observer
        self._blobs = blobs
        self._renames = Renames()
        self._live: dict[int, Step] = {}
        self._admitted: list[Admitted] = []
        self._written = frozenset(
            c.resource.removeprefix(FILE) for s in trace.steps for c in s.footprint.writes
        )

    async def run(self) -> Replayed:
        """Execute, or find it already done, or stop."""
        async with self._calls.lease.held():
            try:
                await self._admit()
                if self._already_done():
                    await self._check_reads_after()
                    return Replayed(done_before(self._trace), already_done=True)
                self._check_state()
                await self._read_early()
                await self._execute()
            except _Exit as e:
                return self._side_exit(e)
        live = [self._live[i] for i in range(len(self._trace.steps))]
        return Replayed(answer(self._trace, live, self._renames))

    async def foresee(self) -> Ahead:
        """Make the reads and checks that come before the first write, and nothing else."""
        try:
            await self._admit()
            if self._already_done():
                await self._check_reads_after()
                return Ahead()
            self._check_state()
            await self._read_early()
        except _Exit as e:
            return Ahead(stopped=e.reason)
        return Ahead(tuple(s for s in self._trace.steps if s.effect.writes and not s.is_error))

    def _side_exit(self, e: _Exit) -> Replayed:
        open_steps = (i for i in range(len(self._trace.steps)) if i not in self._live)
        self._calls.seal()
        exit_ = SideExit(
            next(open_steps, len(self._trace.steps)), e.reason, tuple(self._calls.steps)
        )
        return Replayed(side_exit=exit_, harmed=e.harmed)

    # --- before the first write --------------------------------------------------------------

    async def _admit(self) -> None:
        needed, left = len(self._trace.steps), self._calls.calls_left
        if needed > left:
            raise _Exit(f"it takes {needed} calls, and this run may make {left}")
        for i, step in enumerate(self._trace.steps):
            try:
                call = await self._calls.admit(step.tool, step.arguments)
                self._calls.refuse_doubtful(call)
            except (UserError, PermissionDenied) as e:
                raise _Exit(f"step {i} ({step.tool}) is not allowed here: {e.message}") from e
            if call.arguments != step.arguments:
                raise _Exit(f"step {i} ({step.tool}) would be made with other arguments here")
            if not all(_recorded(target, step) for target in call.resources.writes):
                raise _Exit(f"what step {i} ({step.tool}) found before it wrote is not recorded")
            self._admitted.append(call)

    def _already_done(self) -> bool:
        """Whether all targets are as the run left them, and the run left them changed."""
        world = world_of(self._trace, self._observer)
        if world is World.OTHER:
            first, last = targets(self._trace)
            now = {resource: self._observer.file_now(resource) for resource in first}
            if now == last:
                raise _Exit("its files are as the run left them, but not all it did can be seen")
            odd = next((r for r in sorted(first) if now[r] != first[r]), "a file")
            name = odd.removeprefix(FILE)
            raise _Exit(f"{name} is neither as it was before nor as the run left it")
        return world is World.AFTER

    def _check_state(self) -> None:
        """Compare the digests of what was read and cannot be read again before the writes."""
        for i, step in self._guarded_by_state():
            self._check_digests(i, step)

    def _guarded_by_state(self) -> Iterator[tuple[int, Step]]:
        for i, step in enumerate(self._trace.steps):
            if step.effect.writes or not self._hoistable(i):
                yield i, step

    def _check_digests(self, i: int, step: Step) -> None:
        for resource, then in step.footprint.reads.items():
            if resource.startswith(FILE) and resource.removeprefix(FILE) not in self._written:
                if self._observer.file_now(resource) != then:
                    name = resource.removeprefix(FILE)
                    raise _Exit(f"{name}, which step {i} ({step.tool}) reads, has changed")
            elif resource.startswith(TREE):
                now, text = self._observer.tree_now(resource, self._written)
                if now is None or now != then:
                    what = self._what_changed(resource, then, text)
                    raise _Exit(f"{what}, and step {i} ({step.tool}) may depend on it")

    def _what_changed(self, resource: str, then: str | None, now: bytes) -> str:
        root = resource.removeprefix(TREE)
        if then is None or not now:
            return f"{root} is too large to compare"
        old = set(self._blobs.get(then).splitlines())
        odd = sorted(line.split(b"\t")[0] for line in old ^ set(now.splitlines()))
        names = ", ".join(dict.fromkeys(o.decode("utf-8", "replace") for o in odd[:6]))
        return f"{root} has changed ({names})"

    async def _read_early(self) -> None:
        for i, step in enumerate(self._trace.steps):
            if not step.effect.writes and self._hoistable(i):
                await self._read(i)

    def _hoistable(self, i: int) -> bool:
        return all(
            may_hoist(self._admitted[i].resources, self._admitted[j].resources)
            for j, earlier in enumerate(self._trace.steps[:i])
            if earlier.effect.writes
        )

    # --- the world after ---------------------------------------------------------------------

    async def _check_reads_after(self) -> None:
        """All other reads must be equal; a file that the run wrote is known by its digest."""
        for i, step in enumerate(self._trace.steps):
            reads = step.footprint.reads
            own = bool(reads) and all(
                r.startswith(FILE) and r.removeprefix(FILE) in self._written for r in reads
            )
            if step.effect.writes or any(r.startswith(TREE) for r in reads):
                self._check_digests(i, step)
            elif not own:
                await self._read(i)

    # --- execution ---------------------------------------------------------------------------

    async def _execute(self) -> None:
        for i, step in enumerate(self._trace.steps):
            if i in self._live:
                continue
            if step.effect.writes:
                await self._write(i)
            else:
                await self._read(i)

    async def _read(self, i: int) -> None:
        recorded = self._trace.steps[i]
        call = await self._renamed(i)
        try:
            live = self._live[i] = await self._calls.perform(call)
        except PermissionDenied as e:
            raise _Exit(str(e)) from e
        self._compare(i, recorded, live, fresh=False)

    async def _write(self, i: int) -> None:
        recorded = self._trace.steps[i]
        call = await self._renamed(i)
        before = {c.resource: c.before for c in recorded.footprint.writes}

        def expect(look: Look) -> None:
            for resource, digest in look.targets.items():
                if digest != before.get(resource):
                    name = resource.removeprefix(FILE)
                    raise GuardFailed(f"{name} changed while step {i} was about to write it")

        try:
            live = self._live[i] = await self._calls.perform(call, expect)
        except (GuardFailed, PermissionDenied) as e:
            raise _Exit(str(e)) from e
        self._compare(i, recorded, live, fresh=True)
        if not self._renames and i not in self._moved:
            self._compare_changes(i, recorded.footprint, live.footprint)

    async def _renamed(self, i: int) -> Admitted:
        call = self._admitted[i]
        arguments = self._renames.apply(call.arguments, call.tool.ids)
        doubt = self._renames.doubt(call.arguments, call.tool.ids)
        if doubt is not None and call.tool.effect.writes:
            raise _Exit(
                f"step {i} ({call.tool.name}) holds {doubt!r}: the id of then, or a number?"
            )
        if arguments == call.arguments:
            return call
        try:
            return await self._calls.admit(call.tool.name, arguments)
        except (UserError, PermissionDenied) as e:
            raise _Exit(f"step {i} ({call.tool.name}) is not allowed here: {e.message}") from e

    def _compare(self, i: int, recorded: Step, live: Step, *, fresh: bool) -> None:
        tool = self._admitted[i].tool
        what = f"step {i} ({tool.name} {brief(recorded)})"
        if recorded.is_error != live.is_error:
            how = "failed" if live.is_error else "did not fail as it did then"
            raise _Exit(f"{what} {how}: {live.observation}", harmed=fresh)
        try:
            compare(tool, recorded.observation, live.observation, self._renames, fresh=fresh)
        except Mismatch as e:
            raise _Exit(f"{what} came back different: {e}", harmed=fresh) from e

    def _compare_changes(self, i: int, recorded: Footprint, live: Footprint) -> None:
        then = {c.resource: c.after for c in recorded.writes}
        now = {c.resource: c.after for c in live.writes}
        if then != now:
            name = min(resource for resource, _ in then.items() ^ now.items()).removeprefix(FILE)
            raise _Exit(f"step {i} left {name} other than it did then", harmed=True)


def _recorded(target: str, step: Step) -> bool:
    """Whether the trace tells what a step found at a place that it declares to write."""
    if target.startswith(FILE) and not step.is_error:
        return any(c.resource == target for c in step.footprint.writes)
    if target.startswith((FILE, TREE)):
        return target in {*step.footprint.reads, *(c.resource for c in step.footprint.writes)}
    return True
