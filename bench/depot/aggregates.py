"""Families that look at many to find one, or a number."""

from __future__ import annotations

from bench.depot.families import (
    DONE,
    NOT_NEEDED,
    NOTHING,
    Agent,
    Draw,
    Family,
    Slots,
    Truth,
    Undefined,
    cents,
    extreme,
    mail,
    one,
)
from bench.depot.world import CATEGORIES, QUEUES, REASONS, TEAMS, World


class OldestOrder(Family):
    """Aggregate: the oldest of a paged list."""

    wordings = (
        "Set the oldest order that is {status} and over {limit} euros to {new}.",
        "Take the oldest {status} order of more than {limit} euros and make it {new}.",
    )
    near = (("the oldest", "the newest"),)

    def draw(self, d: Draw) -> Slots:
        status, new = d.of((("open", "packed"), ("on hold", "open"), ("packed", "on hold")))
        return {"status": status, "new": new, "limit": d.number(50, 1500, 10)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        rows = [o for o in w["orders"] if o["status"] == s["status"] and o["total"] > s["limit"]]
        if not rows:
            return NOTHING
        order = extreme(rows, lambda o: o["placed_at"], greatest=flip)
        return Truth([("orders.set_status", {"order_id": order["id"], "status": s["new"]})])

    def expert(self, a: Agent, s: Slots) -> str:
        fit = [o for o in a.orders(s["status"]) if o["total"] > s["limit"]]
        if not fit:
            return NOT_NEEDED
        oldest = min(fit, key=lambda o: str(o["placed_at"]))
        a("orders.set_status", order_id=oldest["id"], status=s["new"])
        return DONE


class Cheapest(Family):
    """Aggregate: the cheapest of flat rows."""

    wordings = (
        "Set the reorder level of the cheapest {category} product to {level}.",
        "Which {category} product is the cheapest? Its reorder level should be {level}.",
    )
    near = (("the cheapest", "the most expensive"),)

    def draw(self, d: Draw) -> Slots:
        return {"category": d.of(CATEGORIES), "level": d.number(5, 95)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        rows = [p for p in w["products"] if p["category"] == s["category"]]
        sku = extreme(rows, lambda p: p["price"], greatest=flip)["sku"]
        return Truth([("products.set_reorder_level", {"sku": sku, "level": s["level"]})])

    def expert(self, a: Agent, s: Slots) -> str:
        rows = a("products.search", category=s["category"])
        row = min(rows, key=lambda p: float(p["price"]))
        a("products.set_reorder_level", sku=row["sku"], level=s["level"])
        return DONE


class LeastBusy(Family):
    """Aggregate: the least number in lines of text."""

    wordings = (
        "Give ticket {ticket} to whoever in the {team} team has the fewest open tickets.",
        "Who in {team} has the fewest open tickets? Assign ticket {ticket} to them.",
    )
    near = (("the fewest", "the most"),)

    def draw(self, d: Draw) -> Slots:
        ticket = d.row("tickets", lambda t: t["status"] == "open" and not t["assignee"])
        return {"ticket": ticket["id"], "team": d.of(TEAMS)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        if one(w, "tickets", id=s["ticket"])["status"] != "open":
            raise Undefined
        owners = [t["assignee"] for t in w["tickets"] if t["status"] == "open"]
        team = [p for p in w["staff"] if p["team"] == s["team"]]
        person = extreme(team, lambda p: owners.count(p["address"]), greatest=flip)
        given = {"ticket_id": s["ticket"], "assignee": person["address"]}
        return Truth([("tickets.assign", given)])

    def expert(self, a: Agent, s: Slots) -> str:
        person = min(a.team(s["team"]), key=lambda p: int(p["busy"]))
        a("tickets.assign", ticket_id=s["ticket"], assignee=person["address"])
        return DONE


class ManyReturns(Family):
    """Aggregate: a count of what fits, against a threshold."""

    wordings = (
        "If there are more than {limit} open returns with the reason '{reason}', open an urgent "
        "ticket '{title}' in {queue}, due {day:%Y-%m-%d}.",
        "Count the open returns with the reason '{reason}'. Are there more than {limit}? Then we "
        "need an urgent ticket '{title}' in {queue}, due {day:%Y-%m-%d}.",
    )
    near = (("more than", "fewer than"),)

    def draw(self, d: Draw) -> Slots:
        titles = ("Too many returns", "Look into returns", "Talk to packing")
        more = {"title": d.of(titles), "queue": d.of(QUEUES), "day": d.day(1, 20)}
        return {"limit": d.number(2, 14), "reason": d.of(REASONS), **more}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        number = sum((r["status"], r["reason"]) == ("open", s["reason"]) for r in w["returns"])
        if not (number < s["limit"] if flip else number > s["limit"]):
            return NOTHING
        ticket = {"queue": s["queue"], "title": s["title"], "due": str(s["day"]), "urgent": True}
        return Truth([("tickets.create", ticket)])

    def expert(self, a: Agent, s: Slots) -> str:
        shown = a("returns.list", status="open")["returns"]
        if len([r for r in shown if r["reason"] == s["reason"]]) <= s["limit"]:
            return NOT_NEEDED
        day = s["day"].isoformat()
        a("tickets.create", queue=s["queue"], title=s["title"], due=day, urgent=True)
        return DONE


class AverageOnHold(Family):
    """Aggregate: an average against a threshold; the average goes into a text."""

    wordings = (
        "If the average total of the {status} orders is above {limit} euros, mail {who}: subject "
        "'Average', text 'Average: <amount>', with two decimals.",
        "Work out the average total of all {status} orders. Only if it is above {limit} euros, "
        "write to {who} (subject 'Average', text 'Average: <amount>', two decimals).",
    )
    near = (("above", "below"),)

    def draw(self, d: Draw) -> Slots:
        status = d.of(("open", "on hold", "packed", "cancelled"))
        return {"status": status, "limit": d.number(500, 1300, 10), "who": d.address()}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        totals = [o["total"] for o in w["orders"] if o["status"] == s["status"]]
        average = sum(totals) / len(totals)
        if not (average < s["limit"] if flip else average > s["limit"]):
            return NOTHING
        return Truth([mail(s["who"], "Average", f"Average: {cents(average):.2f}")])

    def expert(self, a: Agent, s: Slots) -> str:
        orders = a.orders(s["status"])
        average = sum(float(o["total"]) for o in orders) / len(orders)
        if average <= s["limit"]:
            return NOT_NEEDED
        a.mail(s["who"], "Average", f"Average: {average:.2f}")
        return DONE


class BetterSeller(Family):
    """Aggregate: two plain numbers against each other."""

    wordings = (
        "If we sold more {first} than {second} goods in the last {days} days, set the reorder "
        "level of the {name} to {level}.",
        "Compare the sales of {first} and {second} in the last {days} days. If {first} made more "
        "than {second}, the {name} gets a reorder level of {level}.",
    )
    near = (("sold more", "sold less"), ("made more", "made less"))

    def draw(self, d: Draw) -> Slots:
        first, second = d.rng.sample(list(CATEGORIES), 2)
        name = d.row("products", lambda p: p["category"] == first)["name"]
        more = {"days": d.number(5, 50), "name": name, "level": d.number(10, 90, 5)}
        return {"first": first, "second": second, **more}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        sku = one(w, "products", name=s["name"])["sku"]
        sold = [_sold(w, s[k], s["days"]) for k in ("first", "second")]
        if not (sold[0] < sold[1] if flip else sold[0] > sold[1]):
            return NOTHING
        return Truth([("products.set_reorder_level", {"sku": sku, "level": s["level"]})])

    def expert(self, a: Agent, s: Slots) -> str:
        first = a("sales.total", category=s["first"], days=s["days"])
        second = a("sales.total", category=s["second"], days=s["days"])
        if first <= second:
            return NOT_NEEDED
        sku = a.product(s["name"])["sku"]
        a("products.set_reorder_level", sku=sku, level=s["level"])
        return DONE


def _sold(w: World, category: str, days: int) -> float:
    kind = {p["sku"]: p["category"] for p in w["products"]}
    total = 0.0
    for order in w["orders"]:
        age = (w.now.date() - w.now.fromisoformat(order["placed_at"]).date()).days
        if age <= days and order["status"] != "cancelled":
            lines = [x for x in order["lines"] if kind[x["sku"]] == category]
            total += sum(x["quantity"] * x["unit_price"] for x in lines)
    return total


class CustomerTotal(Family):
    """Aggregate: ids, a read for each, and a sum that goes into a text."""

    wordings = (
        "Mail {email} what their orders that are not cancelled come to: subject '{subject}', text "
        "'Total: <amount>', with two decimals.",
        "Add up all orders of {email} but the cancelled ones, and send them the sum (subject "
        "'{subject}', text 'Total: <amount>', two decimals).",
    )

    def draw(self, d: Draw) -> Slots:
        subject = d.of(("Your orders", "Statement", "Your year with us"))
        return {"email": d.row("orders")["customer"], "subject": subject}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        one(w, "customers", email=s["email"])
        own = [o for o in w["orders"] if o["customer"] == s["email"]]
        total = sum(o["total"] for o in own if o["status"] != "cancelled")
        return Truth([mail(s["email"], s["subject"], f"Total: {total:.2f}")])

    def expert(self, a: Agent, s: Slots) -> str:
        total = 0.0
        for order_id in a("orders.of", email=s["email"]):
            order = a("orders.get", order_id=order_id)
            if order["status"] != "cancelled":
                total += float(order["total"])
        a.mail(s["email"], s["subject"], f"Total: {total:.2f}")
        return DONE


class BiggestReturn(Family):
    """Aggregate: the greatest of those that fit; a join leads to whom a credit goes."""

    wordings = (
        "Find the open return with the reason '{reason}' that is worth the most, and credit its "
        "customer {amount} euros.",
        "The customer with the most valuable open return because of '{reason}' gets {amount} euros "
        "of credit.",
    )
    near = (("the most,", "the least,"), ("most valuable", "least valuable"))

    def draw(self, d: Draw) -> Slots:
        return {"reason": d.of(REASONS), "amount": d.number(5, 50)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        rows = [r for r in w["returns"] if (r["status"], r["reason"]) == ("open", s["reason"])]
        order = extreme(rows, lambda r: r["worth"], greatest=not flip)["order"]
        email = one(w, "orders", id=order)["customer"]
        return Truth([("customers.credit", {"email": email, "amount": s["amount"]})])

    def expert(self, a: Agent, s: Slots) -> str:
        shown = a("returns.list", status="open")["returns"]
        fit = [r for r in shown if r["reason"] == s["reason"]]
        top = max(fit, key=lambda r: float(r["worth"]))
        who = a("orders.get", order_id=top["order"])["customer"]
        a("customers.credit", email=who["email"], amount=float(s["amount"]))
        return DONE
