"""Families in which what is seen decides on what is written."""

from __future__ import annotations

from datetime import date, timedelta

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
    mail,
    one,
)
from bench.depot.world import CARRIERS, REASONS, Row, World


class LowStock(Family):
    """Branch: a plain number against one of the goal; both ways lead to a write."""

    wordings = (
        "If fewer than {limit} {name} are left in the {site} site, order {n} from the supplier. "
        "Otherwise mail {who}: subject 'Stock', text 'Enough {name}.'.",
        "Check how many {name} there are at {site}. Should it be fewer than {limit}, order {n} "
        "from its supplier, otherwise write to {who} (subject 'Stock', text 'Enough {name}.').",
    )
    near = (("fewer than", "more than"),)

    def draw(self, d: Draw) -> Slots:
        row, site = d.row("products"), d.of(("main", "overflow"))
        limit = max(1, row[site] + d.number(-25, 25))
        more = {"limit": limit, "n": d.number(10, 80), "who": d.address()}
        return {"name": row["name"], "site": site, **more}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        row = one(w, "products", name=s["name"])
        stock = row[s["site"]]
        if stock > s["limit"] if flip else stock < s["limit"]:
            lines = {"skus": [row["sku"]], "quantities": [s["n"]]}
            return Truth([("purchases.create", {"supplier": row["supplier"], **lines})])
        return Truth([mail(s["who"], "Stock", f"Enough {s['name']}.")])

    def expert(self, a: Agent, s: Slots) -> str:
        row = a.product(s["name"])
        if a("stock.level", sku=row["sku"], site=s["site"]) >= s["limit"]:
            a.mail(s["who"], "Stock", f"Enough {s['name']}.")
        else:
            lines = {"skus": [row["sku"]], "quantities": [s["n"]]}
            a("purchases.create", supplier=row["supplier"], **lines)
        return DONE


class CancelUnless(Family):
    """Branch: unless, with two values that forbid the write."""

    wordings = (
        "Cancel order {order}, reason '{reason}', unless it has been packed or shipped already.",
        "Unless order {order} has been packed or shipped already, cancel it; give '{reason}' as "
        "the reason.",
    )
    near = (("unless it has", "if it has"), ("Unless order", "If order"))

    def draw(self, d: Draw) -> Slots:
        order = d.row("orders", lambda o: o["status"] != "cancelled")
        why = ("customer changed their mind", "ordered twice", "payment failed", "sold out")
        return {"order": order["id"], "reason": d.of(why)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        status = one(w, "orders", id=s["order"])["status"]
        if status == "cancelled":
            raise Undefined
        if (status in ("packed", "shipped")) is not flip:
            return NOTHING
        return Truth([("orders.cancel", {"order_id": s["order"], "reason": s["reason"]})])

    def expert(self, a: Agent, s: Slots) -> str:
        if a("orders.get", order_id=s["order"])["status"] not in ("open", "on hold"):
            return NOT_NEEDED
        a("orders.cancel", order_id=s["order"], reason=s["reason"])
        return DONE


class RefundIf(Family):
    """Branch: two conditions, one on a date counted back from today; a share is computed."""

    wordings = (
        "Refund return {id} in full if the reason is '{reason}' and we received it in the last "
        "{days} days; otherwise refund {p} percent of what it is worth.",
        "Return {id}: pay back everything if the reason is '{reason}' and it was received no more "
        "than {days} days ago, otherwise only {p} percent.",
    )
    near = (("' and ", "' or "),)

    def draw(self, d: Draw) -> Slots:
        row = d.row("returns", lambda r: r["status"] == "open")
        reason = d.of((row["reason"], row["reason"], d.of(REASONS)))
        return {
            "id": row["id"],
            "reason": reason,
            "days": d.number(5, 35),
            "p": d.number(10, 90, 5),
        }

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        row = one(w, "returns", id=s["id"], status="open")
        age = (w.now.date() - date.fromisoformat(row["received"])).days
        if age == s["days"]:
            raise Undefined
        tests = (row["reason"] == s["reason"], age < s["days"])
        full = any(tests) if flip else all(tests)
        amount = row["worth"] if full else cents(row["worth"] * s["p"] / 100)
        return Truth([("returns.refund", {"return_id": s["id"], "amount": amount})])

    def expert(self, a: Agent, s: Slots) -> str:
        row = next(r for r in a("returns.list", status="open")["returns"] if r["id"] == s["id"])
        since = (a.today - timedelta(days=s["days"])).isoformat()
        amount = row["worth"]
        if row["reason"] != s["reason"] or row["received"] < since:
            amount = round(amount * s["p"] / 100, 2)
        a("returns.refund", return_id=s["id"], amount=amount)
        return DONE


class TierCredit(Family):
    """Branch: three ways, decided by a record that another one leads to."""

    wordings = (
        "If the customer of order {order} is a gold member, credit them {gold} euros; if silver, "
        "{silver} euros; a basic member gets nothing.",
        "Thank the customer of order {order}: {gold} euros of credit if gold, {silver} euros if "
        "silver, nothing if basic.",
    )

    def draw(self, d: Draw) -> Slots:
        return {"order": d.row("orders")["id"], "gold": d.number(20, 60), "silver": d.number(5, 19)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        email = one(w, "orders", id=s["order"])["customer"]
        amount = s.get(one(w, "customers", email=email)["tier"])
        credit = {"email": email, "amount": amount}
        return Truth([("customers.credit", credit)]) if amount else NOTHING

    def expert(self, a: Agent, s: Slots) -> str:
        email = a("orders.get", order_id=s["order"])["customer"]["email"]
        tier = a("customers.get", email=email)["tier"]
        if tier == "basic":
            return NOT_NEEDED
        a("customers.credit", email=email, amount=float(s["gold" if tier == "gold" else "silver"]))
        return DONE


class OverdueParcel(Family):
    """Branch: a looked up date against today, and another field that must be empty."""

    wordings = (
        "If parcel {parcel} is overdue, hand it over to {carrier}, to arrive on {day:%Y-%m-%d}. "
        "Otherwise leave it as it is.",
        "Is {parcel} past its due day and still not delivered? Then rebook it with {carrier} for "
        "{day:%Y-%m-%d}.",
    )
    near = (
        ("is overdue", "is not overdue and not delivered yet"),
        ("past its", "not yet past its"),
    )

    def draw(self, d: Draw) -> Slots:
        parcel = d.row("shipments")
        return {"parcel": parcel["id"], "carrier": d.of(CARRIERS), "day": d.day(1, 12)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        parcel = one(w, "shipments", id=s["parcel"])
        late = date.fromisoformat(parcel["due"]) < w.now.date()
        if parcel["delivered"] or late is flip:
            return NOTHING
        new = {"shipment_id": s["parcel"], "carrier": s["carrier"], "due": str(s["day"])}
        return Truth([("shipments.rebook", new)])

    def expert(self, a: Agent, s: Slots) -> str:
        parcel = a("shipments.get", shipment_id=s["parcel"])
        if parcel["delivered"] is not None or parcel["due"] >= a.today.isoformat():
            return NOT_NEEDED
        day = s["day"].isoformat()
        a("shipments.rebook", shipment_id=s["parcel"], carrier=s["carrier"], due=day)
        return DONE


class TransferIf(Family):
    """Branch: only if, with two numbers that are read one by one."""

    wordings = (
        "Move {n} {name} from overflow to main, but only if main has less than {limit} and "
        "overflow at least {n}.",
        "Only if main has less than {limit} {name} and there are at least {n} in overflow: move "
        "{n} from overflow to main.",
    )
    near = (("less than", "more than"),)

    def draw(self, d: Draw) -> Slots:
        row = d.row("products", lambda p: p["overflow"] > 0)
        limit = max(5, row["main"] + d.number(-20, 40))
        return {"name": row["name"], "n": d.number(5, 50, 5), "limit": limit}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        row = one(w, "products", name=s["name"])
        low = row["main"] > s["limit"] if flip else row["main"] < s["limit"]
        if not low or row["overflow"] < s["n"]:
            return NOTHING
        sites = {"source": "overflow", "target": "main"}
        return Truth([("stock.transfer", {"sku": row["sku"], "quantity": s["n"], **sites})])

    def expert(self, a: Agent, s: Slots) -> str:
        sku = a.product(s["name"])["sku"]
        main = a("stock.level", sku=sku, site="main")
        overflow = a("stock.level", sku=sku, site="overflow")
        if main >= s["limit"] or overflow < s["n"]:
            return NOT_NEEDED
        a("stock.transfer", sku=sku, quantity=s["n"], source="overflow", target="main")
        return DONE


class BigOrder(Family):
    """Branch: a value of a record against the goal's, and a text with a looked up name."""

    wordings = (
        "If order {order} comes to more than {limit} euros, mail its customer: subject "
        "'{subject}', text 'Dear <name>, thank you!', <name> being their name.",
        "Write to the customer of {order} if it is worth more than {limit} euros. The subject is "
        "'{subject}', the text 'Dear <name>, thank you!' with their name in it.",
    )
    near = (("more than", "less than"),)

    def draw(self, d: Draw) -> Slots:
        subject = d.of(("Thanks", "A big order", "From all of us", "Well chosen"))
        return {
            "order": d.row("orders")["id"],
            "limit": d.number(100, 900, 50),
            "subject": subject,
        }

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        order = one(w, "orders", id=s["order"])
        if not (order["total"] < s["limit"] if flip else order["total"] > s["limit"]):
            return NOTHING
        name = _customer(w, order)["name"]
        return Truth([mail(order["customer"], s["subject"], f"Dear {name}, thank you!")])

    def expert(self, a: Agent, s: Slots) -> str:
        order = a("orders.get", order_id=s["order"])
        if order["total"] <= s["limit"]:
            return NOT_NEEDED
        who = order["customer"]
        a.mail(who["email"], s["subject"], "Dear " + who["name"] + ", thank you!")
        return DONE


def _customer(w: World, order: Row) -> Row:
    return one(w, "customers", email=order["customer"])
