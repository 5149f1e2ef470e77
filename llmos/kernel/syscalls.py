"""The system calls: the only way from a model, a replay or a learned tool to the world.

Every call goes the same way: schema → permission → hooks before → budget → guard → run with a
timeout → hooks after → record and journal, the last two in one transaction. `RunCalls.call` is
what processors get: whatever is refused comes back as an error they can read. `RunCalls.perform`
is what replay uses: whatever is refused is raised.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from llmos.config import LLMOSConfig
from llmos.errors import BugError, LowBatteryError, PermissionDenied, UserError
from llmos.kernel.admission import Admission, Admitted, HookCall, Hooks, complete
from llmos.kernel.intents import Intent, Intents, Outcome, call_key
from llmos.kernel.journal import Journal
from llmos.kernel.lease import Lease
from llmos.kernel.limits import NoAnswer, tell_hang
from llmos.kernel.observe import FILE, Look, Observer, acted, fully_observed
from llmos.kernel.permissions import Approver, Permissions
from llmos.kernel.places import Places
from llmos.kernel.recorder import Changes, Recorder
from llmos.kernel.snapshot import Manifest
from llmos.kernel.watchdog import Watchdog
from llmos.plugins import Registry, ToolError, ToolFailed, ToolTimeout, invoke
from llmos.store import Store
from llmos.values import CallResult, Effect, Json, Step, ToolSpec

Expectation = Callable[[Look], None]
"""Looks at a call's resources just before it runs and raises `GuardFailed` to prevent it."""


class GuardFailed(Exception):
    """A replay's guard does not hold; the call was not made."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The parts of the kernel that all runs share."""

    store: Store
    registry: Registry
    journal: Journal
    observer: Observer
    intents: Intents
    config: LLMOSConfig
    hooks: Hooks
    approver: Approver


@dataclass(slots=True)
class RunInfo:
    """One run, as the system calls see it."""

    id: str
    cwd: Path
    now: datetime
    places: Places
    watchdog: Watchdog
    permissions: Permissions
    spent_usd: float = 0.0
    max_cost_usd: float = float("inf")
    only: frozenset[str] | None = None
    """Names of the tools that the run is narrowed to; None for all that there are."""

    def may_use(self, tool: str) -> bool:
        """Whether the run is not kept from a tool altogether."""
        return self.only is None or tool in self.only


@dataclass(frozen=True, slots=True)
class _Came:
    """What came back from a tool."""

    observation: Json
    is_error: bool
    outcome: Outcome


_CUT_SHORT = _Came("the call was cut short", True, "in_doubt")


class RunCalls:
    """The system calls of one run.

    They happen one after the other, but for reads that a learned tool asks for together.
    """

    def __init__(self, machine: Machine, run: RunInfo) -> None:
        self._machine = machine
        self._run = run
        self._turn = asyncio.Lock()
        self._admission = Admission(
            machine.registry, run.permissions, machine.approver, machine.hooks
        )
        self._recorder = Recorder(
            machine.store, machine.journal, machine.intents, run.id, run.places
        )
        self._committed: dict[str, int] = {}
        self._manifests: list[Mapping[str, Manifest]] = []
        self._noted: dict[int, Step] = {}
        self.lease = Lease(machine.store.home, run.cwd)
        self.steps: list[Step] = []
        """What was done, in order, with absolute paths."""
        self.used: dict[str, str] = {}
        """Digest of every tool that was called."""
        self.warnings: list[str] = []
        """What cannot be undone, and why."""
        self.refused: list[str] = []
        """Names of tools that a processor called and was not let run."""

    @property
    def calls_left(self) -> int:
        """How many calls this run may still make."""
        return self._run.watchdog.calls_left

    def tools(self) -> Sequence[ToolSpec]:
        """The tools that this run may call."""
        return [s for s in self._machine.registry.specs() if self._run.may_use(s.name)]

    def tool_digests(self) -> dict[str, str]:
        """Digest of every tool that there is, by name."""
        return {tool.name: tool.digest for tool in self._machine.registry}

    @property
    def registry(self) -> Registry:
        """The tools of this run. A replay goes on with those that it was decided for."""
        return self._machine.registry

    def renew_tools(self) -> None:
        """See the tools as they are now. Only before the run has begun."""
        self._machine.registry.renew()

    async def call(self, tool: str, arguments: Mapping[str, Json]) -> CallResult:
        """Make one system call for a processor (`llmos.values.Syscalls`)."""
        async with self._turn:
            self._run.watchdog.before_call()
            self._machine.registry.renew(keep=True)  # a model can do with what there is now
            try:
                result = self._done_already(tool, arguments)
                if result is None:
                    step = await self._perform(await self.admit(tool, arguments), None)
                    result = CallResult(step.observation, step.is_error, len(self.steps) - 1)
            except (UserError, PermissionDenied) as e:
                self.refused += [tool] if isinstance(e, PermissionDenied) else []
                result = CallResult(f"{e.message}. {e.hint}".strip(), is_error=True)
            self._run.watchdog.after_call(tool, arguments, result.observation)
            return result

    async def perform(self, admitted: Admitted, expect: Expectation | None = None) -> Step:
        """Make one admitted call for a replay.

        Raises:
            GuardFailed: ``expect`` refused; nothing was done.
        """
        async with self._turn:
            self._run.watchdog.before_call()
            return await self._perform(admitted, expect)

    async def perform_together(self, admitted: Sequence[Admitted]) -> list[Step]:
        """Make admitted reads at once, for a learned tool; recorded in the order given.

        Args:
            admitted: Reads alone, of a state that changes for none of them: see `Effect.READ`.
        """
        if any(call.tool.effect is not Effect.READ for call in admitted):
            raise BugError("only reads are made together")
        async with self._turn:
            for _ in admitted:
                self._run.watchdog.before_call()
            self._check_spent()
            return await self._run_together(admitted)

    async def admit(self, name: str, arguments: Mapping[str, Json]) -> Admitted:
        """Check a call without making it: schema, permission, hooks.

        Raises:
            UserError: Unknown tool, or arguments that violate its schema.
            PermissionDenied: A rule, a hook or a person refused, or the run's agent lacks it.
        """
        if name in self._machine.registry and not self._run.may_use(name):
            raise PermissionDenied(
                f"{name} was denied: the agent of this run does not use it",
                "see: llmos agents show NAME",
            )
        try:
            return await self._admission.admit(
                name,
                arguments,
                run_id=self._run.id,
                cwd=self._run.cwd,
                home=self._machine.store.home,
                now=self._run.now,
                timeout_s=self._machine.config.tool_timeout_s,
                hook_s=self._machine.config.hook_seconds,
            )
        except NoAnswer as e:
            # Nobody knows what it would have said: what a guard does not let pass is not made.
            await self._tell_hang(e, f"{name} was refused")
            raise PermissionDenied(f"{name} was refused: hook {e.message}", e.hint) from e

    def seal(self) -> None:
        """Make everything done so far the committed prefix: its writes are never repeated."""
        for i, step in enumerate(self.steps):
            # A command that changed nothing may be run again; one of unknown effect may not.
            if step.effect.writes and acted(step):
                tool = self._machine.registry.get(step.tool)
                self._committed[call_key(step.tool, complete(tool, step.arguments))] = i

    async def finish(self) -> tuple[Step, ...]:
        """Complete the record: digest the folders that calls looked at, wait for the commits.

        Only now is it known what the run wrote, and a folder is digested without that.
        """
        written = {c.resource.removeprefix(FILE) for s in self.steps for c in s.footprint.writes}
        for i, trees in enumerate(self._manifests):
            if trees:
                digests = {
                    resource: self._machine.observer.tree_digest(resource, manifest, written)
                    for resource, manifest in trees.items()
                }
                old = self.steps[i]
                footprint = replace(old.footprint, reads={**old.footprint.reads, **digests})
                self.steps[i] = replace(old, footprint=footprint)
                self._recorder.amend(i, self.steps[i])
        await self._recorder.flush()
        return tuple(self.steps)

    async def note(self, idx: int, step: Step) -> None:
        """Record what was done in a run of its own: a part of a plan.

        Args:
            idx: Its number, whatever ends first.
            step: The part.
        """
        self._recorder.note(idx, step)
        self._noted[idx] = step
        self.steps = [self._noted[k] for k in sorted(self._noted)]

    def _check_spent(self) -> None:
        if self._run.spent_usd > self._run.max_cost_usd:
            raise LowBatteryError(
                f"the run has cost ${self._run.spent_usd:.4f} of ${self._run.max_cost_usd:.4f}",
                "give it more: llmos run --max-cost USD",
            )

    async def _perform(self, call: Admitted, expect: Expectation | None) -> Step:
        self._check_spent()
        if not call.tool.effect.writes:
            return await self._run_tool(call, expect)
        self.refuse_doubtful(call)
        async with self.lease.held():
            return await self._run_tool(call, expect)

    async def _run_tool(self, call: Admitted, expect: Expectation | None) -> Step:
        look = await self._look(call)
        if expect is not None:
            expect(look)
        idx = len(self.steps)
        key = self._idempotency_key(call, idx)
        intent = await self._recorder.begin(idx, call.tool, call.arguments, look, key)
        began = time.perf_counter()
        came = _CUT_SHORT
        try:
            came = await self._invoke(call, key)
        finally:
            # Also when cancelled: what was done by then is recorded, so that it can be undone.
            step = await asyncio.shield(
                self._record(idx, call, look, came, intent, time.perf_counter() - began)
            )
        await self._told(step)
        return step

    async def _run_together(self, calls: Sequence[Admitted]) -> list[Step]:
        looks = [await self._look(call) for call in calls]
        came = [_CUT_SHORT] * len(calls)
        took = [0.0] * len(calls)
        first = len(self.steps)

        async def make(k: int) -> None:
            began = time.perf_counter()
            key = self._idempotency_key(calls[k], first + k)
            came[k] = await self._invoke(calls[k], key)
            took[k] = time.perf_counter() - began

        async def record() -> list[Step]:
            made = enumerate(zip(calls, looks, came, took, strict=True), first)
            return [await self._record(i, c, look, got, None, s) for i, (c, look, got, s) in made]

        try:
            await asyncio.gather(*map(make, range(len(calls))))
        finally:
            steps = await asyncio.shield(record())
        for step in steps:
            await self._told(step)
        return steps

    async def _told(self, step: Step) -> None:
        """Tell the hooks of a finished call."""
        done = HookCall(step.tool, step.arguments, step.effect, self._run.id, step)
        for silent in await self._machine.hooks.after(done, self._machine.config.hook_seconds):
            await self._tell_hang(silent, "the run went on without it")

    async def _tell_hang(self, error: NoAnswer, then: str) -> None:
        warning = f"hook {error.message}: {then}"
        if warning not in self.warnings:
            self.warnings.append(warning)
        told = {"run_id": self._run.id, "then": then}
        await asyncio.to_thread(tell_hang, self._machine.store, error, **told)

    async def _look(self, call: Admitted) -> Look:
        """Look at what a call will reach, just before it is made.

        Raises:
            PermissionDenied: It would reach what it was not checked for.
        """
        resources = call.tool.resources(call.context, call.arguments)
        observe = self._machine.observer.before
        if resources and any(r.startswith("tree:") for r in resources.reads + resources.writes):
            look = await asyncio.to_thread(observe, resources)
        else:
            look = observe(resources)
        stray = call.strays(look.resources)
        if stray is not None:
            raise PermissionDenied(
                f"{call.tool.name} would reach {stray}, which was not so when it was checked"
            )
        return look

    async def _invoke(self, call: Admitted, key: str | None) -> _Came:
        values = call.tool.validate(call.arguments)
        if call.tool.idempotency_key is not None:
            values[call.tool.idempotency_key] = key
        timeout = min(call.context.timeout_s, max(0.001, self._run.watchdog.left_s))
        try:
            return _Came(await invoke(call.tool, call.context, values, timeout), False, "done")
        except ToolError as e:
            return _Came(str(e), True, "failed")
        except (ToolFailed, ToolTimeout) as e:
            return _Came(e.message, True, "in_doubt")

    async def _record(
        self, idx: int, call: Admitted, look: Look, came: _Came, intent: str | None, took: float
    ) -> Step:
        changes: Changes = {}
        if call.tool.effect.writes:
            observe = self._machine.observer.after
            changes = await asyncio.to_thread(observe, look) if look.trees else observe(look)
        step = Step(
            call.tool.name,
            call.arguments,
            came.observation,
            came.is_error,
            call.tool.effect,
            self._machine.observer.footprint(look, changes, _undoable(call, look)),
            took,
        )
        await self._recorder.end(idx, call.tool, step, look, changes, intent, came.outcome)
        self.steps.append(step)
        self._manifests.append(look.trees)
        self.used[step.tool] = call.tool.digest
        if not step.footprint.undoable:
            why = f": {look.complaints[0]}" if look.complaints else ""
            self.warnings.append(f"step {idx} ({step.tool}) cannot be undone{why}")
        return step

    def _done_already(self, tool: str, arguments: Mapping[str, Json]) -> CallResult | None:
        if not self._committed:
            return None
        asked = complete(self._machine.registry.get(tool), arguments)
        k = self._committed.get(call_key(tool, asked))
        if k is None or not self._stands(self.steps[k]):
            return None
        step = self.steps[k]
        told = CallResult(step.observation).text
        what = "failed, and may have had effect, as" if step.is_error else "done as"
        return CallResult(f"{what} step {k}: {told}", step.is_error, k)

    def _stands(self, step: Step) -> bool:
        """Whether what a committed step wrote is still so: overwritten, it may be done again."""
        if not fully_observed(step):
            return True
        now = self._machine.observer.file_now
        return all(now(change.resource) == change.after for change in step.footprint.writes)

    def _idempotency_key(self, call: Admitted, idx: int) -> str | None:
        if call.tool.idempotency_key is None:
            return None
        doubt = self._doubt(call)
        if doubt is not None and doubt.idempotency_key is not None:
            return doubt.idempotency_key
        return hashlib.sha256(f"{self._run.id}/{idx}".encode()).hexdigest()[:32]

    def refuse_doubtful(self, call: Admitted) -> None:
        """Check that no equal external write is in doubt.

        Raises:
            PermissionDenied: One is.
        """
        if call.tool.effect is not Effect.EXTERNAL or call.tool.idempotency_key is not None:
            return
        doubt = self._doubt(call)
        if doubt is not None:
            raise PermissionDenied(
                f"{call.tool.name} with these arguments may already have happened on {doubt.at}",
                f"look, then say: llmos resolve {doubt.id} happened|not",
            )

    def _doubt(self, call: Admitted) -> Intent | None:
        stored = self._run.places.relative(complete(call.tool, call.arguments))
        return self._machine.intents.doubtful(call.tool.name, stored)


def _undoable(call: Admitted, look: Look) -> bool:
    if not call.tool.effect.writes or call.tool.undo is not None:
        return True
    declared = look.resources.writes
    seen = look.trees.keys() - look.unseen
    kept = bool(declared) and all(r.startswith(FILE) or r in seen for r in declared)
    return kept and call.tool.effect is Effect.WRITE
