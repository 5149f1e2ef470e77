"""The tools over the customers."""

from __future__ import annotations

from bench.workbench.rows import CAP, Refused, find, matching, next_id, put, remove
from bench.workbench.world import Row, World

STATUSES = ("Qualified", "Won", "Lost", "Lead", "Proposal")
PRODUCTS = ("Software", "Hardware", "Services", "Consulting", "Training")
FIELDS = (
    "customer_name",
    "assigned_to_email",
    "customer_email",
    "customer_phone",
    "last_contact_date",
    "product_interest",
    "status",
    "notes",
    "follow_up_by",
)
ADDRESSES = ("customer_email", "assigned_to_email")


def search_customers(
    world: World,
    customer_name: str | None = None,
    customer_email: str | None = None,
    product_interest: str | None = None,
    status: str | None = None,
    assigned_to_email: str | None = None,
    last_contact_date_min: str | None = None,
    last_contact_date_max: str | None = None,
    follow_up_by_min: str | None = None,
    follow_up_by_max: str | None = None,
) -> list[Row]:
    """Find customers that meet every given condition. Shows at most five.

    Args:
        customer_name: Text or regular expression to find in the name; case is ignored.
        customer_email: Likewise, in the customer's address.
        product_interest: Likewise, in the product that they are interested in.
        status: Likewise, in the status.
        assigned_to_email: Likewise, in the address of the person responsible.
        last_contact_date_min: First day of the last contact, inclusive: YYYY-MM-DD.
        last_contact_date_max: Last day of the last contact, inclusive.
        follow_up_by_min: First day to follow up by, inclusive.
        follow_up_by_max: Last day to follow up by, inclusive.
    """
    patterns = {
        "customer_name": customer_name,
        "customer_email": customer_email,
        "product_interest": product_interest,
        "status": status,
        "assigned_to_email": assigned_to_email,
    }
    ranges = {
        "last_contact_date": (last_contact_date_min, last_contact_date_max),
        "follow_up_by": (follow_up_by_min, follow_up_by_max),
    }
    if not any(patterns.values()) and not any(map(any, ranges.values())):
        raise Refused("No search parameters provided. Please provide at least one parameter.")
    found = world.customers
    for column, pattern in patterns.items():
        if pattern:
            found = matching(found, column, pattern)
    for column, (first, last) in ranges.items():
        found = [row for row in found if _within(row[column], first, last)]
    return [dict(row) for row in found[:CAP]]


def update_customer(
    world: World,
    customer_id: str | None = None,
    field: str | None = None,
    new_value: str | None = None,
) -> str:
    """Set one field of a customer.

    Args:
        customer_id: The customer's id, exactly.
        field: customer_name, assigned_to_email, customer_email, customer_phone,
            last_contact_date, product_interest, status, notes or follow_up_by.
        new_value: What the field is to hold.
    """
    if not customer_id or not field or not new_value:
        raise Refused("Customer ID, field, or new value not provided.")
    if field == "status" and new_value not in STATUSES:
        raise Refused(f"Status not valid. Please choose from: {_quoted(STATUSES)}")
    if field == "product_interest" and new_value not in PRODUCTS:
        raise Refused(f"Product interest not valid. Please choose from: {_quoted(PRODUCTS)}")
    row = find(world.customers, "customer_id", customer_id, "Customer not found.")
    if field not in row:
        raise Refused(f"Field not valid. Please choose from: {_quoted(FIELDS)}")
    value = new_value.lower() if field in ADDRESSES else new_value
    put(world.customers, row, field, value)
    return "Customer updated successfully."


def add_customer(
    world: World,
    customer_name: str | None = None,
    assigned_to_email: str | None = None,
    status: str | None = None,
    customer_email: str | None = None,
    customer_phone: str | None = None,
    last_contact_date: str | None = None,
    product_interest: str | None = None,
    notes: str | None = "",
    follow_up_by: str | None = None,
) -> str:
    """Add a customer and return the new id.

    Args:
        customer_name: Name.
        assigned_to_email: Address of the person responsible.
        status: Qualified, Won, Lost, Lead or Proposal.
        customer_email: The customer's address.
        customer_phone: The customer's phone number.
        last_contact_date: When they were last spoken to: YYYY-MM-DD.
        product_interest: Software, Hardware, Services, Consulting or Training.
        notes: Anything else.
        follow_up_by: By when to speak to them again: YYYY-MM-DD.
    """
    if not customer_name or not assigned_to_email or not status:
        raise Refused(
            "Please provide all required fields: customer_name, assigned_to_email, status."
        )
    customer_id = next_id(world.customers, "customer_id")
    world.customers.append(
        {
            "customer_id": customer_id,
            "assigned_to_email": assigned_to_email.lower(),
            "customer_name": customer_name,
            "customer_email": customer_email.lower() if customer_email else customer_email,
            "customer_phone": customer_phone,
            "last_contact_date": last_contact_date,
            "product_interest": product_interest,
            "status": status,
            "follow_up_by": follow_up_by,
            "notes": notes,
        }
    )
    return customer_id


def delete_customer(world: World, customer_id: str | None = None) -> str:
    """Delete a customer.

    Args:
        customer_id: The customer's id, exactly.
    """
    if not customer_id:
        raise Refused("Customer ID not provided.")
    row = find(world.customers, "customer_id", customer_id, "Customer not found.")
    remove(world.customers, row)
    return "Customer deleted successfully."


def _within(day: str | None, first: str | None, last: str | None) -> bool:
    # As text; a missing day fails any bound.
    if first and (day is None or day < first):
        return False
    return not (last and (day is None or day > last))


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(map(repr, names))


READS = (search_customers,)
WRITES = (update_customer, add_customer, delete_customer)
