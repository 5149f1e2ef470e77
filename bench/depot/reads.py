"""What the tools show.

Shapes differ on purpose: flat rows, records with records in them, pages, ids alone, lines of text,
plain numbers.
"""

from __future__ import annotations

from datetime import timedelta

from bench.depot.checks import SITES, Function, find, one_of, positive
from bench.depot.world import CARRIERS, CATEGORIES, QUEUES, STATUSES, TEAMS, Row, World

PAGE = 20
SHOWN = ("sku", "name", "category", "supplier", "price", "reorder_level")


def products_search(
    world: World, text: str = "", category: str = "", supplier: str = ""
) -> list[Row]:
    """Find products; all that fit are shown, with the stock of the main site.

    Args:
        text: Part of the name, upper or lower case.
        category: Exact category.
        supplier: Exact name of the supplier.
    """
    if category:
        one_of("category", category, tuple(CATEGORIES))
    return [
        {**{column: row[column] for column in SHOWN}, "stock": row["main"]}
        for row in world["products"]
        if text.lower() in row["name"].lower()
        and category in ("", row["category"])
        and supplier in ("", row["supplier"])
    ]


def products_get(world: World, sku: str) -> Row:
    """Everything about one product.

    Args:
        sku: Its number, such as SKU-2007.
    """
    row = find(world, "products", "sku", sku)
    return {
        **{column: row[column] for column in SHOWN},
        "stock": {site: row[site] for site in SITES},
        "location": {"bin": row["bin"], "aisle": row["bin"].split("-")[0]},
    }


def stock_level(world: World, sku: str, site: str = "main") -> int:
    """How many pieces of a product are at a site.

    Args:
        sku: The product's number.
        site: main or overflow.
    """
    one_of("site", site, SITES)
    return int(find(world, "products", "sku", sku)[site])


def orders_list(world: World, status: str, page: int = 1) -> Row:
    """Orders of one status, oldest first, a page at a time.

    Args:
        status: open, on hold, packed, shipped or cancelled.
        page: Which page; the answer's next_page tells whether there is another.
    """
    one_of("status", status, STATUSES)
    positive("page", page)
    rows = [row for row in world["orders"] if row["status"] == status]
    shown = [
        {
            "id": row["id"],
            "customer": row["customer"],
            "city": find(world, "customers", "email", row["customer"])["city"],
            "placed_at": row["placed_at"],
            "total": row["total"],
        }
        for row in rows[PAGE * (page - 1) : PAGE * page]
    ]
    return {"orders": shown, "next_page": page + 1 if len(rows) > PAGE * page else None}


def orders_get(world: World, order_id: str) -> Row:
    """One order with its customer and its lines.

    Args:
        order_id: Such as O-1017.
    """
    row = find(world, "orders", "id", order_id)
    customer = find(world, "customers", "email", row["customer"])
    return {
        "id": row["id"],
        "status": row["status"],
        "placed_at": row["placed_at"],
        "customer": {column: customer[column] for column in ("name", "email", "city")},
        "lines": [dict(line) for line in row["lines"]],
        "total": row["total"],
    }


def orders_of(world: World, email: str) -> list[str]:
    """The ids of a customer's orders, whatever their status.

    Args:
        email: The customer's address.
    """
    find(world, "customers", "email", email)
    return [row["id"] for row in world["orders"] if row["customer"] == email]


def shipments_find(world: World, carrier: str, delivered: bool) -> list[str]:
    """The ids of the parcels that a carrier has, or had.

    Args:
        carrier: Its name.
        delivered: Whether those that have arrived are wanted, or those that have not.
    """
    one_of("carrier", carrier, CARRIERS)
    return [
        row["id"]
        for row in world["shipments"]
        if row["carrier"] == carrier and (row["delivered"] is not None) == delivered
    ]


def shipments_get(world: World, shipment_id: str) -> Row:
    """One parcel: its order, carrier, due day, the day of delivery if any, and weight.

    Args:
        shipment_id: Such as S-305.
    """
    return dict(find(world, "shipments", "id", shipment_id))


def customers_get(world: World, email: str) -> Row:
    """One customer: name, city, tier and credit.

    Args:
        email: The customer's address.
    """
    return dict(find(world, "customers", "email", email))


def suppliers_get(world: World, name: str) -> Row:
    """One supplier, and how to reach them.

    Args:
        name: Exact name.
    """
    row = find(world, "suppliers", "name", name)
    return {
        "name": row["name"],
        "contact": {"email": row["email"], "city": row["city"]},
        "terms": {"lead_days": row["lead_days"], "minimum": row["minimum"]},
    }


def staff_roster(world: World, team: str) -> str:
    """The people of a team, a line each: name, address, shift, open tickets.

    Args:
        team: picking, packing, returns or office.
    """
    one_of("team", team, TEAMS)
    return "\n".join(
        f"{row['name']} <{row['address']}>, {row['shift']} shift, {busy(world, row)} open tickets"
        for row in world["staff"]
        if row["team"] == team
    )


def busy(world: World, person: Row) -> int:
    """How many open tickets someone has."""
    return sum(
        row["status"] == "open" and row["assignee"] == person["address"] for row in world["tickets"]
    )


def returns_list(world: World, status: str = "open") -> Row:
    """What customers sent back, with the number of returns.

    Args:
        status: open or closed.
    """
    one_of("status", status, ("open", "closed"))
    rows = [dict(row) for row in world["returns"] if row["status"] == status]
    return {"count": len(rows), "returns": rows}


def tickets_search(world: World, queue: str, status: str = "open") -> list[Row]:
    """The tickets of a queue.

    Args:
        queue: inbound, outbound, complaints or facilities.
        status: open or closed.
    """
    one_of("queue", queue, QUEUES)
    return [dict(r) for r in world["tickets"] if (r["queue"], r["status"]) == (queue, status)]


def sales_total(world: World, category: str, days: int) -> float:
    """What was sold of a category in the last days, in euros; cancelled orders do not count.

    Args:
        category: Exact category.
        days: How many days back from today, today included as the last.
    """
    one_of("category", category, tuple(CATEGORIES))
    positive("days", days)
    since = str(world.now.date() - timedelta(days=days))
    skus = {row["sku"] for row in world["products"] if row["category"] == category}
    sold = sum(
        line["quantity"] * line["unit_price"]
        for order in world["orders"]
        if order["placed_at"] >= since and order["status"] != "cancelled"
        for line in order["lines"]
        if line["sku"] in skus
    )
    return round(float(sold), 2)


READS: tuple[Function, ...] = (
    products_search, products_get, stock_level, orders_list, orders_get, orders_of, shipments_find,
    shipments_get, customers_get, suppliers_get, staff_roster, returns_list, tickets_search,
    sales_total,
)  # fmt: skip
