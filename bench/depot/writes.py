"""What the tools do."""

from __future__ import annotations

from bench.depot.checks import SITES, Function, day, find, one_of, positive
from bench.depot.world import CARRIERS, QUEUES, STATUSES, Row, World
from llmos.plugins import ToolError


def products_set_price(world: World, sku: str, price: float) -> Row:
    """Change a price.

    Args:
        sku: The product's number.
        price: In euros; rounded to cents.
    """
    positive("price", price)
    world.put("products", find(world, "products", "sku", sku), price=round(price, 2))
    return {"sku": sku, "price": round(price, 2)}


def products_set_reorder_level(world: World, sku: str, level: int) -> str:
    """Change the stock below which a product is ordered again.

    Args:
        sku: The product's number.
        level: Pieces.
    """
    world.put("products", find(world, "products", "sku", sku), reorder_level=level)
    return "ok"


def stock_transfer(world: World, sku: str, quantity: int, source: str, target: str) -> str:
    """Move pieces of a product from one site to the other.

    Args:
        sku: The product's number.
        quantity: How many.
        source: main or overflow.
        target: main or overflow.
    """
    one_of("source", source, SITES)
    one_of("target", target, tuple(s for s in SITES if s != source))
    positive("quantity", quantity)
    row = find(world, "products", "sku", sku)
    if row[source] < quantity:
        raise ToolError(f"there are only {row[source]} at {source}")
    new = {source: row[source] - quantity, target: row[target] + quantity}
    world.put("products", row, **new)
    return f"moved {quantity} to {target}"


def purchases_create(
    world: World, supplier: str, skus: list[str], quantities: list[int], express: bool = False
) -> Row:
    """Order goods from a supplier.

    Args:
        supplier: Exact name.
        skus: Numbers of the products.
        quantities: How many of each, in the same order.
        express: Whether it is urgent.
    """
    find(world, "suppliers", "name", supplier)
    if len(skus) != len(quantities) or not skus:
        raise ToolError("skus and quantities must be of one length, and not empty")
    for sku, quantity in zip(skus, quantities, strict=True):
        positive("quantity", quantity)
        if find(world, "products", "sku", sku)["supplier"] != supplier:
            raise ToolError(f"{sku} does not come from {supplier}")
    lines = sorted(zip(skus, quantities, strict=True))
    number = world.add("purchases", supplier=supplier, lines=lines, express=express)
    return {"purchase": number, "lines": len(lines)}


def orders_set_status(world: World, order_id: str, status: str) -> str:
    """Set an order's status; to cancel, use orders.cancel.

    Args:
        order_id: Such as O-1017.
        status: open, on hold, packed or shipped.
    """
    one_of("status", status, STATUSES[:-1])
    world.put("orders", find(world, "orders", "id", order_id), status=status)
    return f"{order_id} is {status}"


def orders_cancel(world: World, order_id: str, reason: str) -> str:
    """Cancel an order.

    Args:
        order_id: Such as O-1017.
        reason: Shown to the customer.
    """
    row = find(world, "orders", "id", order_id)
    if row["status"] == "cancelled":
        raise ToolError(f"{order_id} is cancelled already")
    world.put("orders", row, status="cancelled", reason=reason)
    return f"{order_id} is cancelled"


def shipments_rebook(world: World, shipment_id: str, carrier: str, due: str) -> str:
    """Give a parcel to a carrier, to arrive on a day.

    Args:
        shipment_id: Such as S-305.
        carrier: Its name; the same as before when only the day is another.
        due: YYYY-MM-DD.
    """
    one_of("carrier", carrier, CARRIERS)
    row = find(world, "shipments", "id", shipment_id)
    if row["delivered"]:
        raise ToolError(f"{shipment_id} was delivered on {row['delivered']}")
    world.put("shipments", row, carrier=carrier, due=str(day(due)))
    return "rebooked"


def customers_credit(world: World, email: str, amount: float) -> float:
    """Add to a customer's credit; returns what it is then.

    Args:
        email: The customer's address.
        amount: In euros.
    """
    positive("amount", amount)
    row = find(world, "customers", "email", email)
    world.put("customers", row, credit=round(row["credit"] + amount, 2))
    return round(float(row["credit"]) + amount, 2)


def returns_refund(world: World, return_id: str, amount: float) -> str:
    """Pay for a return, and close it.

    Args:
        return_id: Such as R-63.
        amount: In euros, at most what the goods are worth.
    """
    positive("amount", amount)
    row = find(world, "returns", "id", return_id)
    if row["status"] != "open" or round(amount, 2) > row["worth"]:
        raise ToolError(f"{return_id} is {row['status']} and worth {row['worth']}")
    world.put("returns", row, status="closed", refunded=round(amount, 2))
    return f"{return_id} is closed"


def mail_send(world: World, to: list[str], subject: str, body: str) -> Row:
    """Send a mail.

    Args:
        to: Addresses.
        subject: Its subject.
        body: Its text.
    """
    if not to or not all("@" in address for address in to):
        raise ToolError("to must be a list of addresses")
    return {"sent": world.add("mails", to=sorted(to), subject=subject, body=body)}


def tickets_create(
    world: World, queue: str, title: str, due: str, urgent: bool, assignee: str = ""
) -> int:
    """Open a ticket; returns its number.

    Args:
        queue: inbound, outbound, complaints or facilities.
        title: What is to be done.
        due: YYYY-MM-DD.
        urgent: Whether it is.
        assignee: Address of one of the staff; nobody when left out.
    """
    one_of("queue", queue, QUEUES)
    if assignee:
        find(world, "staff", "address", assignee)
    ticket = {"title": title, "opened": str(world.now.date()), "due": str(day(due))}
    status = {"assignee": assignee, "urgent": urgent, "status": "open"}
    return world.add("tickets", queue=queue, **ticket, **status)


def tickets_assign(world: World, ticket_id: int, assignee: str) -> str:
    """Give a ticket to someone.

    Args:
        ticket_id: Its number.
        assignee: Address of one of the staff.
    """
    find(world, "staff", "address", assignee)
    world.put("tickets", find(world, "tickets", "id", ticket_id), assignee=assignee)
    return "assigned"


WRITES: tuple[Function, ...] = (
    products_set_price, products_set_reorder_level, stock_transfer, purchases_create,
    orders_set_status, orders_cancel, shipments_rebook, customers_credit, returns_refund,
    mail_send, tickets_create, tickets_assign,
)  # fmt: skip
