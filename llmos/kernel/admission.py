"""The first half of a system call: schema, permission, hooks. Nothing is done here."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from llmos.errors import PermissionDenied
from llmos.kernel.permissions import Approval, ApprovalRequest, Approver, Permissions
from llmos.plugins import Registry, Tool, ToolContext
from llmos.values import Effect, Json, Step


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
    post_tool_use: tuple[PostToolUse, ...] = ()

    async def after(self, call: HookCall) -> None:
        """Tell the hooks that a call is finished."""
        for hook in self.post_tool_use:
            await _maybe(hook(call))


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that passed schema, permission and hooks."""

    tool: Tool
    arguments: Mapping[str, Json]
    context: ToolContext


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
    ) -> Admitted:
        """Check a call.

        Raises:
            UserError: Unknown tool, or arguments that violate its schema.
            PermissionDenied: A rule, a hook or a person refused.
        """
        tool = self._registry.get(name)
        tool.validate(arguments)
        timeout = tool.timeout_s or timeout_s
        context = ToolContext(cwd, home, now, run_id, timeout, self._permissions.hides)
        approval = await self._permitted(tool, arguments, context)
        arguments = self._as_approved(tool, arguments, context, approval)
        for hook in self._hooks.pre_tool_use:
            said = await _maybe(hook(HookCall(name, arguments, tool.effect, run_id)))
            arguments = self._as_approved(tool, arguments, context, said)
        return Admitted(tool, arguments, context)

    async def _permitted(
        self, tool: Tool, arguments: Mapping[str, Json], context: ToolContext
    ) -> Approval | None:
        permission = self._permissions.decide(tool, arguments, context)
        if permission.decision == "deny":
            raise PermissionDenied(f"{tool.name} was denied: {permission.explanation}")
        if permission.decision == "allow":
            return None
        request = ApprovalRequest(tool, arguments, context, permission)
        return await self._approver(request)

    def _as_approved(
        self,
        tool: Tool,
        arguments: Mapping[str, Json],
        context: ToolContext,
        approval: Approval | None,
    ) -> Mapping[str, Json]:
        if approval is None or approval.decision == "approve":
            return arguments
        if approval.decision != "modify" or approval.arguments is None:
            raise PermissionDenied(f"{tool.name} was refused: {approval.explanation}")
        # What a hook or a person changed is checked like what the model sent.
        tool.validate(approval.arguments)
        permission = self._permissions.decide(tool, approval.arguments, context)
        if permission.decision == "deny":
            raise PermissionDenied(f"{tool.name} was denied: {permission.explanation}")
        return dict(approval.arguments)


async def _maybe(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result
