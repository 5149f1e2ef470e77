"""The mailbox's tools."""

from __future__ import annotations

from datetime import date, datetime

from bench.workbench.rows import CAP, Refused, find, next_number, one_field, remove
from bench.workbench.world import SENT_AT, Row, World
from llmos.values import Json


def get_email_information_by_id(
    world: World, email_id: str | None = None, field: str | None = None
) -> Row:
    """Look up one field of an e-mail whose id is known.

    Args:
        email_id: The e-mail's id, exactly.
        field: email_id, inbox/outbox, sender/recipient, subject, sent_datetime or body.
    """
    if not email_id:
        raise Refused("Email ID not provided.")
    if not field:
        raise Refused("Field not provided.")
    row = find(world.emails, "email_id", email_id, "Email not found.")
    return _shown(one_field(row, field))


def search_emails(
    world: World,
    query: str | None = "",
    date_min: str | None = None,
    date_max: str | None = None,
) -> list[Row] | str:
    """Find e-mails by words and by the day they were sent. Shows the newest five at most.

    Args:
        query: Words that must all occur in subject, body or address, in any order.
        date_min: First day, inclusive: YYYY-MM-DD.
        date_max: Last day, inclusive.
    """
    if query is None:
        raise TypeError("query is null; leave it out to find every e-mail")
    words = query.lower().split()
    matches = [row for row in world.emails if _holds(row, words)]
    # Raises where mails sent in the run and older ones meet: see SENT_AT.
    found = sorted(matches, key=_sent_datetime, reverse=True)
    # A bound is read only where there is a mail to compare with it.
    if date_min and found:
        first = datetime.fromisoformat(date_min).date()
        found = [row for row in found if _day(row) >= first]
    if date_max and found:
        last = datetime.fromisoformat(date_max).date()
        found = [row for row in found if _day(row) <= last]
    return [_shown(row) for row in found[:CAP]] or "No emails found."


def send_email(
    world: World,
    recipient: str | None = None,
    subject: str | None = None,
    body: str | None = None,
) -> str:
    """Send an e-mail.

    Args:
        recipient: Address it goes to.
        subject: Subject line.
        body: Text.
    """
    if not recipient or not subject or not body:
        raise Refused("Recipient, subject, or body not provided.")
    _check_address(recipient)
    _send(world, recipient, subject, body)
    return "Email sent successfully."


def delete_email(world: World, email_id: str | None = None) -> str:
    """Delete an e-mail.

    Args:
        email_id: The e-mail's id, exactly.
    """
    if not email_id:
        raise Refused("Email ID not provided.")
    remove(world.emails, find(world.emails, "email_id", email_id, "Email not found."))
    return "Email deleted successfully."


def forward_email(world: World, email_id: str | None = None, recipient: str | None = None) -> str:
    """Send an e-mail on to somebody else.

    Args:
        email_id: The e-mail's id, exactly.
        recipient: Address it goes to.
    """
    if not email_id or not recipient:
        raise Refused("Email ID or recipient not provided.")
    row = find(world.emails, "email_id", email_id, "Email not found.")
    _check_address(recipient)
    _send(world, recipient, f"FW: {row['subject']}", row["body"])
    return "Email forwarded successfully."


def reply_email(world: World, email_id: str | None = None, body: str | None = None) -> str:
    """Answer an e-mail; the answer goes to its sender under the same subject.

    Args:
        email_id: The e-mail's id, exactly.
        body: Text of the answer.
    """
    if not email_id or not body:
        raise Refused("Email ID or body not provided.")
    row = find(world.emails, "email_id", email_id, "Email not found.")
    _send(world, row["sender/recipient"], row["subject"], body)
    return "Email replied successfully."


def _send(world: World, recipient: str, subject: str, body: str) -> None:
    world.emails.append(
        {
            "email_id": str(next_number(world.emails, "email_id")),
            "inbox/outbox": "outbox",
            "sender/recipient": recipient.lower(),
            "subject": subject,
            "sent_datetime": SENT_AT,
            "body": body,
        }
    )


def _check_address(address: str) -> None:
    if "@" not in address or "." not in address:
        raise Refused("Invalid recipient email address.")


def _holds(row: Row, words: list[str]) -> bool:
    if not words:
        return True
    text = f"{row['subject']} {row['body']} {row['sender/recipient']}".lower()
    return all(word in text for word in words)


def _sent_datetime(row: Row) -> Json:
    return row["sent_datetime"]


def _day(row: Row) -> date:
    return datetime.fromisoformat(str(row["sent_datetime"])).date()


def _shown(row: Row) -> Row:
    return {k: str(v) if isinstance(v, datetime) else v for k, v in row.items()}


READS = (get_email_information_by_id, search_emails)
WRITES = (send_email, delete_email, forward_email, reply_email)
