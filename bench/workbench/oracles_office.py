"""Oracles of the templates over customers and project tasks."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from bench.workbench.data import Call
from bench.workbench.oracles_common import (
    Oracle,
    Slots,
    Undefined,
    address,
    day,
    delete,
    ever,
    holds,
    improvement,
    mail,
    meeting,
    new_task,
    only,
    update,
)
from bench.workbench.world import Row, World


def add_lead(slots: Slots, world: World, now: datetime) -> list[Call]:
    return [
        Call(
            "customer_relationship_manager.add_customer",
            {
                "customer_name": slots["new_customer_name"],
                "assigned_to_email": address(world, slots["assigned_to_first_name"]),
                "status": slots.get("status", "Lead"),
            },
        )
    ]


def reassign(slots: Slots, world: World, now: datetime) -> list[Call]:
    to = address(world, slots["assigned_to_first_name"])
    return [update("customer", row, "assigned_to_email", to) for row in _named(slots, world)]


def reassign_open(slots: Slots, world: World, now: datetime) -> list[Call]:
    to = address(world, slots["new_assigned_to_first_name"])
    return [
        update("customer", row, "assigned_to_email", to)
        for row in _customers(slots, world)
        if row["product_interest"] == slots["natural_language_product_interest"].capitalize()
        and holds(row["status"] in ("Qualified", "Proposal"), slots)
    ]


def delete_in_stage(slots: Slots, world: World, now: datetime) -> list[Call]:
    return [
        delete("customer", row)
        for row in _customers(slots, world, slots["new_status_natural_language"].capitalize())
        if row["product_interest"] == slots["natural_language_product_interest"].capitalize()
    ]


def meet_about_silent(slots: Slots, world: World, now: datetime) -> list[Call]:
    earliest = str(now.date() - timedelta(days=int(slots.get("days", 14))))
    found = _named(slots, world)
    if any(row["last_contact_date"] == earliest for row in found):
        raise Undefined("neither wording nor published calls tell whether that day is within")
    return [
        meeting(world, slots["text1"], row["assigned_to_email"], slots, now)
        for row in found
        if not holds(row["last_contact_date"] > earliest, slots)
    ]


def meet_about_metric(slots: Slots, world: World, now: datetime) -> list[Call]:
    if not ever(slots, world, now):
        return []
    return [meeting(world, slots["text1"], address(world, slots["sender_name"]), slots, now)]


def task_for_best(slots: Slots, world: World, now: datetime) -> list[Call]:
    if not ever(slots, world, now):
        return []
    board = slots.get("counted_board", "Front end")
    done = Counter(
        row["assigned_to_email"]
        for row in world.tasks
        if row["list_name"] == "Completed" and row["board"] == board
    )
    best = [who for who, count in done.items() if count == max(done.values())]
    if len(best) != 1:
        raise Undefined("nobody has completed more than all others")
    return [improvement(best[0], slots, now)]


def praise_or_meet(slots: Slots, world: World, now: datetime) -> list[Call]:
    who = address(world, slots["name"])
    open_tasks = [row for row in _tasks(world, who) if row["list_name"] != "Completed"]
    if not holds(any(_overdue(row, now) for row in open_tasks), slots):
        return [mail(who, slots["text5"], slots["text4"])]
    return [
        meeting(world, slots["text1"], who, slots, now),
        mail(who, slots["text2"], slots["text3"]),
    ]


def delete_leads(slots: Slots, world: World, now: datetime) -> list[Call]:
    who = address(world, slots["assigned_to_first_name"])
    if not ever(slots, world, now):
        return [mail(who, slots["text1"], slots["text3"])]
    leads = [
        delete("customer", row) for row in _customers(slots, world, slots.get("status", "Lead"))
    ]
    return [*leads, mail(who, slots["text1"], slots["text2"])]


def task_or_praise(slots: Slots, world: World, now: datetime) -> list[Call]:
    who = address(world, slots["name"])
    if not ever(slots, world, now):
        return [mail(who, slots["text3"], slots["text4"])]
    return _task_and_meeting(who, slots, world, now)


def task_or_leads(slots: Slots, world: World, now: datetime) -> list[Call]:
    who = address(world, slots["name"])
    if ever(slots, world, now):
        return _task_and_meeting(who, slots, world, now)
    leads = _customers(slots, world, slots.get("status", "Lead"))
    return [
        mail(who, slots["text3"], slots["text4"]),
        *(update("customer", row, "assigned_to_email", who) for row in leads),
    ]


def add_task(slots: Slots, world: World, now: datetime) -> list[Call]:
    due = day(slots["natural_language_due_date"], now)
    who = address(world, slots["name"])
    into = slots.get("list", "Backlog")
    return [new_task(slots["task_name"], who, due, slots["board"], into)]


def start_overdue(slots: Slots, world: World, now: datetime) -> list[Call]:
    return [
        update("task", row, "list_name", slots.get("list", "In Progress"))
        for row in _tasks(world, address(world, slots["name"]), "Backlog")
        if holds(_overdue(row, now), slots)
    ]


def put_back_unfinished(slots: Slots, world: World, now: datetime) -> list[Call]:
    # What waits for review counts as finished by its owner: only what is in progress is moved.
    unfinished = slots.get("list", "In Progress")
    return [
        update("task", row, "list_name", slots.get("into", "Backlog"))
        for row in _tasks(world, address(world, slots["name_1"]), unfinished)
    ]


def hand_over_overdue(slots: Slots, world: World, now: datetime) -> list[Call]:
    to = address(world, slots["name_2"])
    return [
        update("task", row, "assigned_to_email", to)
        for row in _tasks(world, address(world, slots["name_1"]), "Backlog")
        if holds(_overdue(row, now), slots)
    ]


def _named(slots: Slots, world: World) -> list[Row]:
    """The customer that the slots name as a list; empty when there is none.

    Raises:
        Undefined: There are two of that name.
    """
    wanted = slots["current_customer_name"]
    found = [row for row in world.customers if row["customer_name"] == wanted]
    return [only(found)] if found else []


def _customers(slots: Slots, world: World, status: str | None = None) -> list[Row]:
    """The customers of the colleague that the slots name, in table order."""
    who = address(world, slots["assigned_to_first_name"])
    return [
        row
        for row in world.customers
        if row["assigned_to_email"] == who and status in (None, row["status"])
    ]


def _tasks(world: World, who: str, in_list: str | None = None) -> list[Row]:
    return [
        row
        for row in world.tasks
        if row["assigned_to_email"] == who and in_list in (None, row["list_name"])
    ]


def _overdue(row: Row, now: datetime) -> bool:
    return bool(row["due_date"] < str(now.date()))


def _task_and_meeting(who: str, slots: Slots, world: World, now: datetime) -> list[Call]:
    return [
        improvement(who, slots, now),
        meeting(world, slots["text2"], who, slots, now),
    ]


ORACLES: dict[str, Oracle] = {
    "crm-02": add_lead,
    "crm-03": reassign,
    "crm-05": reassign_open,
    "crm-06": delete_in_stage,
    "multi-00": meet_about_silent,
    "multi-10": meet_about_metric,
    "multi-12": task_for_best,
    "multi-15": praise_or_meet,
    "multi-18": delete_leads,
    "multi-19": task_or_praise,
    "multi-20": task_or_leads,
    "project-01": add_task,
    "project-02": start_overdue,
    "project-05": put_back_unfinished,
    "project-06": hand_over_overdue,
}
