"""The first half of a system call: schema, permission, hooks. Nothing is done here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from llmos.errors import PermissionDenied, UserError
from llmos.kernel.limits import NoAnswer, awaited_within
from llmos.kernel.permissions import (
    Approval,
    ApprovalRequest,
    Approver,
    Permission,
    Permissions,
)
from llmos.plugins import Registry, Tool, ToolContext
from llmos.values import Effect, Json, Resources, Step


@dataclass(frozen=True, slots=True)
class HookCall:
    """What hooks see of a call."""

    tool: str
    arguments: Mapping[str, Json]
    effect: Effect
    run_id: str
    step: Step | None = None
    """The finished step, for hooks that run after the call."""


PreToolUse = Callable[[HookCall], Awaitable[Approval | None] | Approval | None]
"""Runs before a call: None lets it pass; an `Approval` may reject it or change its arguments."""

PostToolUse = Callable[[HookCall], Awaitable[None] | None]
"""Runs after a call, with the finished step."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Functions of the embedding program around every call."""

    pre_tool_use: tuple[PreToolUse, ...] = ()
    """Guards: where one does not answer in time, the call is refused."""
    post_tool_use: tuple[PostToolUse, ...] = ()
    """Told of what was done: where one does not answer in time, the run goes on without it."""

    async def after(self, call: HookCall, seconds: float = 0.0) -> list[NoAnswer]:
        """Tell the hooks that a call is finished.

        Args:
            call: With its step.
            seconds: How long each may take; 0 for no limit.

        Returns:
            What was raised for those that did not answer.
        """
        silent: list[NoAnswer] = []
        for hook in self.post_tool_use:
            try:
                await awaited_within(seconds, hook, call)
            except NoAnswer as e:
                silent.append(e)
        return silent


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that passed schema, permission and hooks."""

    tool: Tool
    arguments: Mapping[str, Json]
    context: ToolContext
    resources: Resources
    """What was checked."""

    def strays(self, now: Resources) -> str | None:
        """A place that the call would reach ``now`` and that was not checked, or None.

        A link that was moved in between must not lead elsewhere.
        """
        writes, reads = _places(self.resources.writes), _places(self.resources.reads)
        odd = (_places(now.writes) - writes) | (_places(now.reads) - reads - writes)
        return min(odd, default=None)


class Admission:
    """Decides which calls of one run may be made."""

    def __init__(
        self,
        registry: Registry,
        permissions: Permissions,
        approver: Approver,
        hooks: Hooks,
    ) -> None:
        self._registry = registry
        self._permissions = permissions
        self._approver = approver
        self._hooks = hooks

    async def admit(
        self,
        name: str,
        arguments: Mapping[str, Json],
        *,
        run_id: str,
        cwd: Path,
        home: Path,
        now: datetime,
        timeout_s: float,
        hook_s: float = 0.0,
    ) -> Admitted:
        """Check a call.

        Raises:
            UserError: Unknown tool, or arguments that violate its schema.
            PermissionDenied: A rule, a hook or a person refused.
            NoAnswer: A hook did not answer within ``hook_s`` seconds, where that is not 0.
        """
        tool = self._registry.get(name)
        tool.validate(arguments)
        timeout = tool.timeout_s or timeout_s
        context = ToolContext(cwd, home, now, run_id, timeout, self._permissions.hides)
        permission, admitted = self._permitted(tool, arguments, context)
        if permission.decision == "ask":
            said = await self._approver(ApprovalRequest(tool, arguments, context, permission))
            admitted = self._as_approved(admitted, said)
        for hook in self._hooks.pre_tool_use:
            call = HookCall(name, admitted.arguments, tool.effect, run_id)
            said = await awaited_within(hook_s, hook, call)
            admitted = self._as_approved(admitted, said)
        return admitted

    def _permitted(
        self, tool: Tool, arguments: Mapping[str, Json], context: ToolContext
    ) -> tuple[Permission, Admitted]:
        permission = self._permissions.decide(tool, arguments, context)
        if permission.decision == "deny":
            raise PermissionDenied(f"{tool.name} was denied: {permission.explanation}")
        resources = tool.resources(context, arguments) or Resources()
        return permission, Admitted(tool, arguments, context, resources)

    def _as_approved(self, call: Admitted, approval: Approval | None) -> Admitted:
        if approval is None or approval.decision == "approve":
            return call
        if approval.decision != "modify" or approval.arguments is None:
            raise PermissionDenied(f"{call.tool.name} was refused: {approval.explanation}")
        # What a hook or a person changed is checked like what the model sent.
        call.tool.validate(approval.arguments)
        return self._permitted(call.tool, dict(approval.arguments), call.context)[1]


def _places(resources: Iterable[str]) -> set[str]:
    # Where nothing is yet, a tool cannot know whether it will be a file or a folder.
    return {r.removeprefix("tree:").removeprefix("file:") for r in resources}


def complete(tool: Tool, arguments: Mapping[str, Json]) -> dict[str, Json]:
    """Arguments as the tool gets them, defaults included: however spelled, equal calls are equal.

    What the tool would not take stays as it is.
    """
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    try:
        made: dict[str, Json] = to_jsonable_python(tool.validate(arguments))
    except (UserError, PydanticSerializationError):
        return dict(arguments)
    return made
