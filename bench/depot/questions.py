"""Families that only ask: the answer is what counts, and that nothing is written."""

from __future__ import annotations

from datetime import date, timedelta

from bench.depot.families import Agent, Draw, Family, Slots, Truth, Undefined, cents, extreme, one
from bench.depot.world import CARRIERS, CATEGORIES, REASONS, World


class HowManyOrders(Family):
    """Question: a count over pages, from a day on."""

    wordings = (
        "How many orders that are {status} were placed since {day:%Y-%m-%d}?",
        "Count the {status} orders placed since {day:%Y-%m-%d}.",
    )
    near = (("since", "before"),)

    def draw(self, d: Draw) -> Slots:
        return {"status": d.of(("open", "on hold", "packed")), "day": d.day(-50, -2)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        orders = [o for o in w["orders"] if o["status"] == s["status"]]
        return Truth(answer=sum((o["placed_at"][:10] >= str(s["day"])) is not flip for o in orders))

    def expert(self, a: Agent, s: Slots) -> str:
        since = s["day"].isoformat()
        found = [order for order in a.orders(s["status"]) if order["placed_at"] >= since]
        return f"There are {len(found)}."


class Arrival(Family):
    """Question: a day is computed from a looked up number; a join leads to it."""

    wordings = (
        "If we order the {name} from its supplier on {day:%Y-%m-%d}, when is it here?",
        "When would {name} arrive if we ordered from the supplier on {day:%Y-%m-%d}?",
    )

    def draw(self, d: Draw) -> Slots:
        return {"name": d.row("products")["name"], "day": d.day(0, 30)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        supplier = one(w, "products", name=s["name"])["supplier"]
        days = one(w, "suppliers", name=supplier)["lead_days"]
        return Truth(answer=str(s["day"] + timedelta(days=days)))

    def expert(self, a: Agent, s: Slots) -> str:
        terms = a("suppliers.get", name=a.product(s["name"])["supplier"])["terms"]
        return f"On {(s['day'] + timedelta(days=terms['lead_days'])).isoformat()}."


class OpenRefunds(Family):
    """Question: a sum of what fits two filters."""

    wordings = (
        "What are the open returns with the reason '{reason}' received since {day:%Y-%m-%d} worth "
        "together?",
        "Add up what open returns are worth: reason '{reason}', received since {day:%Y-%m-%d}.",
    )
    near = (("since", "before"),)

    def draw(self, d: Draw) -> Slots:
        return {"reason": d.of(REASONS), "day": d.day(-40, -5)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        rows = [r for r in w["returns"] if (r["status"], r["reason"]) == ("open", s["reason"])]
        fit = [r["worth"] for r in rows if (r["received"] >= str(s["day"])) is not flip]
        return Truth(answer=cents(sum(fit)))

    def expert(self, a: Agent, s: Slots) -> str:
        total = 0.0
        for row in a("returns.list", status="open")["returns"]:
            if row["reason"] == s["reason"] and date.fromisoformat(row["received"]) >= s["day"]:
                total += row["worth"]
        return f"Together they are worth {total:.2f} euros."


class MostStock(Family):
    """Question: the name of the row with the greatest number, among those under a price."""

    wordings = (
        "Which {category} product under {limit} euros do we have most of in the main site?",
        "Of which {category} product that costs less than {limit} euros is there most in main?",
    )
    near = (("most of", "least of"), ("most in", "least in"))

    def draw(self, d: Draw) -> Slots:
        return {"category": d.of(CATEGORIES), "limit": d.number(40, 160, 5)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        rows = [p for p in w["products"] if p["category"] == s["category"]]
        fit = [p for p in rows if p["price"] < s["limit"]]
        return Truth(answer=extreme(fit, lambda p: p["main"], greatest=not flip)["name"])

    def expert(self, a: Agent, s: Slots) -> str:
        rows = a("products.search", category=s["category"])
        fit = [row for row in rows if row["price"] < s["limit"]]
        return f"It is the {max(fit, key=lambda row: int(row['stock']))['name']}."


class NextParcel(Family):
    """Question: ids alone, a read for each, and the earliest day that is not over."""

    wordings = (
        "When is the next {carrier} parcel heavier than {kg} kg due, from today on?",
        "From today on, when does {carrier} have to deliver the next parcel of more than {kg} kg?",
    )
    near = (("heavier than", "lighter than"), ("more than", "less than"))

    def draw(self, d: Draw) -> Slots:
        return {"carrier": d.of(CARRIERS), "kg": d.number(1, 24)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        today = str(w.now.date())
        days = [
            p["due"]
            for p in w["shipments"]
            if p["carrier"] == s["carrier"]
            and p["delivered"] is None
            and (p["weight_kg"] < s["kg"] if flip else p["weight_kg"] > s["kg"])
            and p["due"] >= today
        ]
        if not days:
            raise Undefined
        return Truth(answer=min(days))

    def expert(self, a: Agent, s: Slots) -> str:
        parcels = a.parcels(s["carrier"], delivered=False)
        heavy = [p for p in parcels if p["weight_kg"] > s["kg"]]
        days = sorted(p["due"] for p in heavy if date.fromisoformat(p["due"]) >= a.today)
        return f"The next one is due on {days[0]}."
