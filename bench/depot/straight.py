"""Families that look something up and write, whatever they see."""

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
from bench.depot.world import PROBLEMS, QUEUES, SUPPLIERS, World


class Reprice(Family):
    """Straight: a product is found by its name, and a value written."""

    wordings = (
        "Set the price of the {name} to {price:.2f} euros.",
        "From now on the {name} costs {price:.2f} euros. Please update our shop.",
        "Please change what we charge for {name}: it should be {price:.2f} euros.",
    )

    def draw(self, d: Draw) -> Slots:
        return {"name": d.row("products")["name"], "price": d.number(199, 15000) / 100}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        sku = one(w, "products", name=s["name"])["sku"]
        return Truth([("products.set_price", {"sku": sku, "price": s["price"]})])

    def expert(self, a: Agent, s: Slots) -> str:
        a("products.set_price", sku=a.product(s["name"])["sku"], price=s["price"])
        return DONE


class HoldAndTell(Family):
    """Straight: a record in a record is looked up; two writes, one with a list."""

    wordings = (
        "Put order {order} on hold and mail the customer; subject '{subject}', text '{text}'.",
        "Order {order} has to wait. Put it on hold, and write to whoever placed it: '{text}' "
        "(subject: '{subject}').",
    )

    def draw(self, d: Draw) -> Slots:
        return {
            "order": d.row("orders", lambda o: o["status"] == "open")["id"],
            "subject": d.of(("Your order", "A short delay", "We need a moment", "Please read")),
            "text": d.of(("We call you.", "It takes a little longer.", "Please call us back."))
            + d.of(("", " Sorry!", " Thank you for waiting.")),
        }

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        to = one(w, "orders", id=s["order"])["customer"]
        hold = {"order_id": s["order"], "status": "on hold"}
        return Truth([("orders.set_status", hold), mail(to, s["subject"], s["text"])])

    def expert(self, a: Agent, s: Slots) -> str:
        order = a("orders.get", order_id=s["order"])
        a("orders.set_status", order_id=s["order"], status="on hold")
        a.mail(order["customer"]["email"], s["subject"], s["text"])
        return DONE


class MoveStock(Family):
    """Straight: pieces are moved between sites named in the goal."""

    wordings = (
        "Move {n} pieces of {name} from {source} to {target}.",
        "Please bring {n} of our {name} from {source} to {target}.",
        "Transfer {n}x {name} from {source} to {target} today.",
    )

    def draw(self, d: Draw) -> Slots:
        source, target = d.of((("main", "overflow"), ("overflow", "main")))
        row = d.row("products", lambda p: p[source] > 4)
        return {
            "n": d.number(1, min(40, row[source] or 1)),
            "name": row["name"],
            "source": source,
            "target": target,
        }

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        row = one(w, "products", name=s["name"])
        if row[s["source"]] < s["n"]:
            raise Undefined
        moved = {"quantity": s["n"], "source": s["source"], "target": s["target"]}
        return Truth([("stock.transfer", {"sku": row["sku"], **moved})])

    def expert(self, a: Agent, s: Slots) -> str:
        sku = a.product(s["name"])["sku"]
        a("stock.transfer", sku=sku, quantity=s["n"], source=s["source"], target=s["target"])
        return DONE


class Errand(Family):
    """Computed: the due day is counted from today, and the title made of a looked up value."""

    wordings = (
        "Open a ticket in {queue}: '{title}', due {n} days from now, not urgent, for {who} of "
        "{team}.",
        "{who} from the {team} team should take care of '{title}' ({queue} queue), {n} days from "
        "now at the latest. Make it a ticket that is not urgent.",
    )
    near = (("days from now", "weeks from now"),)

    def draw(self, d: Draw) -> Slots:
        person = d.row("staff")
        return {
            "queue": d.of(QUEUES),
            "title": f"{d.of(PROBLEMS)} at gate {d.number(1, 9)}",
            "n": d.number(2, 14),
            "who": person["name"],
            "team": person["team"],
        }

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        due = w.now.date() + timedelta(days=s["n"] * (7 if flip else 1))
        person = one(w, "staff", name=s["who"], team=s["team"])
        ticket = {"queue": s["queue"], "title": s["title"], "due": str(due), "urgent": False}
        return Truth([("tickets.create", {**ticket, "assignee": person["address"]})])

    def expert(self, a: Agent, s: Slots) -> str:
        person = next(p for p in a.team(s["team"]) if p["name"] == s["who"])
        a(
            "tickets.create",
            queue=s["queue"],
            title=s["title"],
            due=str(a.today + timedelta(days=s["n"])),
            urgent=False,
            assignee=person["address"],
        )
        return DONE


class PercentPrice(Family):
    """Computed: a price goes up by a share of what it is."""

    wordings = (
        "Raise the price of the {name} by {p} percent.",
        "{name}: increase its price by {p} %, please.",
        "The {name} has become dearer for us, so raise its price by {p}%.",
    )
    near = (("Raise", "Lower"), ("raise", "lower"), ("increase", "reduce"))

    def draw(self, d: Draw) -> Slots:
        return {"name": d.row("products")["name"], "p": d.number(2, 25)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        row = one(w, "products", name=s["name"])
        price = cents(row["price"] + (-1 if flip else 1) * row["price"] * s["p"] / 100)
        return Truth([("products.set_price", {"sku": row["sku"], "price": price})])

    def expert(self, a: Agent, s: Slots) -> str:
        row = a.product(s["name"])
        a("products.set_price", sku=row["sku"], price=round(row["price"] * (1 + s["p"] / 100), 2))
        return DONE


class FillUp(Family):
    """Computed: as many are ordered as are missing, and none when none is."""

    wordings = (
        "Order as many {name} from their supplier as we need to have {level} in the main site.",
        "We want {level} pieces of {name} in the main site. Order what is missing from the "
        "supplier, if anything is.",
    )

    def draw(self, d: Draw) -> Slots:
        return {"name": d.row("products")["name"], "level": d.number(40, 150, 5)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        row = one(w, "products", name=s["name"])
        if row["main"] >= s["level"]:
            return NOTHING
        lines = {"skus": [row["sku"]], "quantities": [s["level"] - row["main"]]}
        return Truth([("purchases.create", {"supplier": row["supplier"], **lines})])

    def expert(self, a: Agent, s: Slots) -> str:
        row = a.product(s["name"])
        missing = s["level"] - row["stock"]
        if missing <= 0:
            return NOT_NEEDED
        a(
            "purchases.create",
            supplier=row["supplier"],
            skus=[row["sku"]],
            quantities=[missing],
        )
        return DONE


class AskSupplier(Family):
    """Straight: a chain of two reads leads to an address."""

    wordings = (
        "Ask the supplier of the {name} whether they can deliver {n} pieces by {day:%Y-%m-%d}: "
        "subject 'Inquiry', text '{n} {name} by {day:%Y-%m-%d}?'.",
        "Mail whoever supplies our {name}. Subject 'Inquiry', text '{n} {name} by "
        "{day:%Y-%m-%d}?'.",
    )

    def draw(self, d: Draw) -> Slots:
        return {"name": d.row("products")["name"], "n": d.number(10, 90), "day": d.day(5, 40)}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        supplier = one(w, "products", name=s["name"])["supplier"]
        to = one(w, "suppliers", name=supplier)["email"]
        return Truth([mail(to, "Inquiry", f"{s['n']} {s['name']} by {s['day']}?")])

    def expert(self, a: Agent, s: Slots) -> str:
        supplier = a("suppliers.get", name=a.product(s["name"])["supplier"])
        text = f"{s['n']} {s['name']} by {s['day'].isoformat()}?"
        a.mail(supplier["contact"]["email"], "Inquiry", text)
        return DONE


class Postpone(Family):
    """Computed: a date that is looked up moves, and is told in a text; a join leads to whom."""

    wordings = (
        "Parcel {parcel} comes {n} days later than planned. Rebook it with its carrier, and mail "
        "the customer: subject '{subject}', text 'New date: <YYYY-MM-DD>'.",
        "{parcel} will arrive {n} days later. Change the due day, carrier as before, and tell the "
        "customer by mail (subject '{subject}', text 'New date: <YYYY-MM-DD>').",
    )
    near = (("days later", "days earlier"),)

    def draw(self, d: Draw) -> Slots:
        return {
            "parcel": d.row("shipments", lambda p: p["delivered"] is None)["id"],
            "n": d.number(1, 9),
            "subject": d.of(("Your parcel", "News from the depot", "Change of date")),
        }

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        parcel = one(w, "shipments", id=s["parcel"])
        if parcel["delivered"]:
            raise Undefined
        days = timedelta(days=-s["n"] if flip else s["n"])
        due = str(date.fromisoformat(parcel["due"]) + days)
        to = one(w, "orders", id=parcel["order"])["customer"]
        new = {"shipment_id": s["parcel"], "carrier": parcel["carrier"], "due": due}
        return Truth([("shipments.rebook", new), mail(to, s["subject"], f"New date: {due}")])

    def expert(self, a: Agent, s: Slots) -> str:
        parcel = a("shipments.get", shipment_id=s["parcel"])
        order = a("orders.get", order_id=parcel["order"])
        due = (date.fromisoformat(parcel["due"]) + timedelta(days=s["n"])).isoformat()
        a("shipments.rebook", shipment_id=s["parcel"], carrier=parcel["carrier"], due=due)
        a.mail(order["customer"]["email"], s["subject"], f"New date: {due}")
        return DONE


class SupplierOrder(Family):
    """Straight: two products of one supplier in one purchase, with lists and a boolean."""

    wordings = (
        "Order {n} {first} and {m} {second} from {supplier}, express.",
        "Please place an express purchase at {supplier}: {n}x {first}, {m}x {second}.",
    )
    near = (("express.", "no express."), ("an express purchase", "a normal purchase, not express,"))

    def draw(self, d: Draw) -> Slots:
        supplier = d.of(SUPPLIERS)
        rows = [p["name"] for p in d.world["products"] if p["supplier"] == supplier]
        first, second = d.rng.sample(rows, 2)
        numbers = {"n": d.number(5, 60), "m": d.number(5, 60)}
        return {"first": first, "second": second, "supplier": supplier, **numbers}

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        rows = [one(w, "products", name=s[k], supplier=s["supplier"]) for k in ("first", "second")]
        lines = {"skus": [r["sku"] for r in rows], "quantities": [s["n"], s["m"]]}
        order = {"supplier": s["supplier"], **lines, "express": not flip}
        return Truth([("purchases.create", order)])

    def expert(self, a: Agent, s: Slots) -> str:
        skus = {row["name"]: row["sku"] for row in a("products.search", supplier=s["supplier"])}
        a(
            "purchases.create",
            supplier=s["supplier"],
            skus=[skus[s["first"]], skus[s["second"]]],
            quantities=[s["n"], s["m"]],
            express=True,
        )
        return DONE
