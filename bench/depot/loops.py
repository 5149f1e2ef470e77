"""Families that do the same for all that fit."""

from __future__ import annotations

from bench.depot.families import (
    DONE,
    NOT_NEEDED,
    Agent,
    Draw,
    Family,
    Slots,
    Truth,
    Undefined,
    cents,
    mail,
    one,
)
from bench.depot.world import CARRIERS, CATEGORIES, CITIES, QUEUES, REASONS, SUPPLIERS, World


def _told(writes: int) -> str:
    return DONE if writes else NOT_NEEDED


class CancelOld(Family):
    """Loop: over pages, those before a day are cancelled."""

    wordings = (
        "Cancel all orders that are {status} and were placed before {day:%Y-%m-%d}; the reason is "
        "'{reason}'.",
        "Every order that is {status} and was placed before {day:%d %B %Y} has to be cancelled, "
        "reason '{reason}'.",
    )
    near = (("placed before", "placed after"),)

    def draw(self, d: Draw) -> Slots:
        why = ("too old", "no answer", "not paid", "no longer made")
        return {
            "status": d.of(("open", "on hold", "packed")),
            "day": d.day(-60, -35),
            "reason": d.of(why),
        }

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        day = str(s["day"])
        found = [
            o["id"]
            for o in w["orders"]
            if o["status"] == s["status"]
            and (o["placed_at"][:10] > day if flip else o["placed_at"][:10] < day)
        ]
        reason = s["reason"]
        return Truth([("orders.cancel", {"order_id": i, "reason": reason}) for i in found])

    def expert(self, a: Agent, s: Slots) -> str:
        day = s["day"].isoformat()
        old = [o for o in a.orders(s["status"]) if o["placed_at"] < day]
        for order in old:
            a("orders.cancel", order_id=order["id"], reason=s["reason"])
        return _told(len(old))


class RaiseCategory(Family):
    """Loop: over flat rows, filtered by a number; what is written is computed for each."""

    wordings = (
        "Raise the price of every {category} product that costs less than {limit} euros by {p} "
        "percent.",
        "All {category} products that cost less than {limit} euros become {p} % dearer.",
    )
    near = (("less than", "more than"),)

    def draw(self, d: Draw) -> Slots:
        limits = d.number(6, 60)
        return {"category": d.of(CATEGORIES), "limit": limits, "p": d.number(2, 15)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        rows = [p for p in w["products"] if p["category"] == s["category"]]
        fit = [p for p in rows if (p["price"] > s["limit"] if flip else p["price"] < s["limit"])]
        new = [(p["sku"], cents(p["price"] * (100 + s["p"]) / 100)) for p in fit]
        return Truth([("products.set_price", {"sku": sku, "price": price}) for sku, price in new])

    def expert(self, a: Agent, s: Slots) -> str:
        shown = a("products.search", category=s["category"])
        cheap = [row for row in shown if row["price"] < s["limit"]]
        for row in cheap:
            price = round(row["price"] * (1 + s["p"] / 100), 2)
            a("products.set_price", sku=row["sku"], price=price)
        return _told(len(cheap))


class RefundAll(Family):
    """Loop: over a list in a record, filtered by two columns."""

    wordings = (
        "Refund in full all open returns that are worth less than {limit} euros and whose reason "
        "is '{reason}'.",
        "Settle the open returns with the reason '{reason}' worth less than {limit} euros: refund "
        "each of them in full.",
    )
    near = (("less than", "more than"),)

    def draw(self, d: Draw) -> Slots:
        return {"limit": d.number(10, 200, 5), "reason": d.of(REASONS)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        rows = [r for r in w["returns"] if (r["status"], r["reason"]) == ("open", s["reason"])]
        fit = [r for r in rows if (r["worth"] > s["limit"] if flip else r["worth"] < s["limit"])]
        pay = [{"return_id": r["id"], "amount": r["worth"]} for r in fit]
        return Truth([("returns.refund", one_) for one_ in pay])

    def expert(self, a: Agent, s: Slots) -> str:
        paid = 0
        for row in a("returns.list", status="open")["returns"]:
            if row["reason"] == s["reason"] and row["worth"] < s["limit"]:
                a("returns.refund", return_id=row["id"], amount=row["worth"])
                paid += 1
        return _told(paid)


class AssignUrgent(Family):
    """Loop: filtered by a boolean and an empty column."""

    wordings = (
        "Give all urgent tickets of the {queue} queue that nobody has to {who}.",
        "In {queue} there may be urgent tickets without an assignee. {who} takes them all.",
        "Assign every open, urgent, unassigned ticket in {queue} to {who}.",
    )
    near = (
        ("all urgent", "all non-urgent"),
        ("be urgent", "be non-urgent"),
        ("open, urgent", "open, non-urgent"),
    )

    def draw(self, d: Draw) -> Slots:
        return {"queue": d.of(QUEUES), "who": d.address()}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        one(w, "staff", address=s["who"])
        wanted = (s["queue"], "open", not flip, "")
        ids = [
            t["id"]
            for t in w["tickets"]
            if (t["queue"], t["status"], t["urgent"], t["assignee"]) == wanted
        ]
        return Truth([("tickets.assign", {"ticket_id": i, "assignee": s["who"]}) for i in ids])

    def expert(self, a: Agent, s: Slots) -> str:
        shown = a("tickets.search", queue=s["queue"], status="open")
        free = [t for t in shown if t["urgent"] and not t["assignee"]]
        for ticket in free:
            a("tickets.assign", ticket_id=ticket["id"], assignee=s["who"])
        return _told(len(free))


class TellLate(Family):
    """Loop: ids alone, a read for each, a filter by day, and a read for each that fits."""

    wordings = (
        "For each parcel that {carrier} has not delivered and that was due before "
        "{day:%Y-%m-%d}, mail the customer: subject '{subject}', text 'Parcel <id> is late.'.",
        "Tell the customers of all undelivered {carrier} parcels due before {day:%Y-%m-%d} so, by "
        "mail: subject '{subject}', text 'Parcel <id> is late.'.",
    )
    near = (("due before", "due after"),)

    def draw(self, d: Draw) -> Slots:
        subject = d.of(("Delay", "Your parcel", "Sorry"))
        return {"carrier": d.of(CARRIERS), "day": d.day(-14, 0), "subject": subject}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        day, calls = str(s["day"]), []
        for p in w["shipments"]:
            if p["carrier"] == s["carrier"] and not p["delivered"]:
                if not (p["due"] > day if flip else p["due"] < day):
                    continue
                to = one(w, "orders", id=p["order"])["customer"]
                calls.append(mail(to, s["subject"], f"Parcel {p['id']} is late."))
        return Truth(calls)

    def expert(self, a: Agent, s: Slots) -> str:
        parcels = a.parcels(s["carrier"], delivered=False)
        late = [p for p in parcels if p["due"] < s["day"].isoformat()]
        for parcel in late:
            to = a("orders.get", order_id=parcel["order"])["customer"]["email"]
            a.mail(to, s["subject"], f"Parcel {parcel['id']} is late.")
        return _told(len(late))


class Replenish(Family):
    """Loop: two columns against each other; all that fit go into one write, as lists."""

    wordings = (
        "Order {n} each of all {supplier} products whose stock is below their reorder level, in "
        "one purchase.",
        "Which products of {supplier} are below their reorder level in stock? Order {n} pieces of "
        "each in a single purchase.",
    )
    near = (("below their", "above their"),)

    def draw(self, d: Draw) -> Slots:
        return {"n": d.number(10, 90), "supplier": d.of(SUPPLIERS)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        rows = [p for p in w["products"] if p["supplier"] == s["supplier"]]
        sign = -1 if flip else 1
        skus = [p["sku"] for p in rows if sign * p["main"] < sign * p["reorder_level"]]
        lines = {"skus": skus, "quantities": [s["n"]] * len(skus)}
        order = ("purchases.create", {"supplier": s["supplier"], **lines})
        return Truth([order] if skus else [])

    def expert(self, a: Agent, s: Slots) -> str:
        shown = a("products.search", supplier=s["supplier"])
        skus = [row["sku"] for row in shown if row["stock"] < row["reorder_level"]]
        if skus:
            numbers = [s["n"] for _ in skus]
            a("purchases.create", supplier=s["supplier"], skus=skus, quantities=numbers)
        return _told(len(skus))


class HoldBig(Family):
    """Loop: over pages, filtered by a number and a text."""

    wordings = (
        "Put all open orders over {limit} euros from {city} on hold.",
        "Open orders of customers in {city} have to wait if they are over {limit} euros: put them "
        "on hold.",
    )
    near = (("over {limit}", "under {limit}"),)

    def draw(self, d: Draw) -> Slots:
        return {"limit": d.number(150, 1200, 10), "city": d.of(CITIES)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        there = {c["email"] for c in w["customers"] if c["city"] == s["city"]}
        rows = [o for o in w["orders"] if o["status"] == "open" and o["customer"] in there]
        if any(o["total"] == s["limit"] for o in rows):
            raise Undefined
        ids = [o["id"] for o in rows if (o["total"] > s["limit"]) is not flip]
        return Truth([("orders.set_status", {"order_id": i, "status": "on hold"}) for i in ids])

    def expert(self, a: Agent, s: Slots) -> str:
        fit = [
            order
            for order in a.orders("open")
            if order["city"] == s["city"] and order["total"] > s["limit"]
        ]
        for order in fit:
            a("orders.set_status", order_id=order["id"], status="on hold")
        return _told(len(fit))
