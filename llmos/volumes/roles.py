"""Who belongs to which team, who looks after it, and who looks after the system."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, delete, select, update

from llmos.errors import PermissionDenied, UserError
from llmos.store import Transaction
from llmos.store.dialect import insert_new
from llmos.store.schema import parse_stamp, roles, stamp
from llmos.values import check_name
from llmos.volumes.records import Place

if TYPE_CHECKING:
    from llmos.volumes.access import Caller

SYSTEM = Place("system", "system")


class Role(StrEnum):
    """What somebody is in a team, or in the system."""

    MEMBER = "member"
    MAINTAINER = "maintainer"
    """Looks after a team: writes its volume and says who belongs to it."""
    ADMIN = "admin"
    """Looks after the system and its teams."""


_KEEPER = {"team": Role.MAINTAINER, "system": Role.ADMIN}


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody with a role."""

    user_id: str
    role: Role
    since: datetime


def role_of(conn: Connection, place: Place, user_id: str) -> Role | None:
    """What a user is in a team or in the system, or None."""
    found = conn.scalar(select(roles.c.role).where(_in(place), roles.c.user_id == user_id))
    return None if found is None else Role(found)


def members(conn: Connection, team_id: str) -> list[Member]:
    """All who belong to a team, the longest first."""
    return _all(conn, Place("team", team_id))


def admins(conn: Connection) -> list[Member]:
    """All who look after the system, the longest first."""
    return _all(conn, SYSTEM)


def teams_of(conn: Connection, user_id: str) -> list[str]:
    """Ids of the teams that a user belongs to, by name."""
    theirs = (roles.c.scope == "team") & (roles.c.user_id == user_id)
    return list(conn.scalars(select(roles.c.owner).where(theirs).order_by(roles.c.owner)))


def join(tx: Transaction, team_id: str, user_id: str) -> bool:
    """Make a user a member of a team; the first one becomes its maintainer.

    Returns:
        Whether they were none before.

    Raises:
        UserError: An id is not a usable name.
    """
    place = Place("team", team_id)
    role = Role.MEMBER if _all(tx.conn, place) else Role.MAINTAINER
    return _add(tx, place, user_id, role)


def leave(tx: Transaction, team_id: str, user_id: str) -> bool:
    """Take a user out of a team. Everybody may leave: the last maintainer hands over.

    Whoever has been in the team for longest is its maintainer then.

    Returns:
        Whether they were in it.
    """
    place = Place("team", team_id)
    if role_of(tx.conn, place, user_id) is None:
        return False
    _set(tx, place, user_id, None)
    left = _all(tx.conn, place)
    if left and not any(m.role is Role.MAINTAINER for m in left):
        _set(tx, place, left[0].user_id, Role.MAINTAINER)
    return True


def first_user(tx: Transaction, user_id: str) -> bool:
    """Make the first user of a home its admin; whether this was the first."""
    return not admins(tx.conn) and _add(tx, SYSTEM, user_id, Role.ADMIN)


def make_admin(tx: Transaction, caller: Caller, user_id: str) -> None:
    """`grant` the role of an admin."""
    grant(tx, caller, SYSTEM, user_id, Role.ADMIN)


def grant(tx: Transaction, caller: Caller, place: Place, user_id: str, role: Role | None) -> None:
    """Say what a user is in a team or in the system.

    Args:
        tx: An open transaction.
        caller: A maintainer of the team, or an admin.
        place: The team's volume, or the system's.
        user_id: Who.
        role: ``member`` or ``maintainer`` of a team, ``admin`` of the system; None: nothing.

    Raises:
        PermissionDenied: ``caller`` may not, or nobody would be left who looks after it.
        UserError: There is no such role there.
    """
    keeper = _KEEPER.get(place.volume)
    _check_role(place, role, keeper)
    check_name(user_id, "user id")
    if not _looks_after(tx.conn, caller, place):
        raise PermissionDenied(
            f"{caller} may not say who belongs to {place}: only {_keepers(place)} may",
            f"ask one of the {_keepers(place)}",
        )
    others = [m for m in _all(tx.conn, place) if m.user_id != user_id]
    was = role_of(tx.conn, place, user_id)
    if role is not keeper and was is keeper and not any(m.role is keeper for m in others):
        raise PermissionDenied(
            f"{user_id!r} is the last {keeper} of {place}: somebody must look after it",
            f"make another user {keeper} first",
        )
    if role is Role.MEMBER and not others:
        role = keeper  # as with `join`: the first of a team looks after it
    if role is not was:
        _set(tx, place, user_id, role)


def _check_role(place: Place, role: Role | None, keeper: Role | None) -> None:
    allowed = {"team": {None, Role.MEMBER, Role.MAINTAINER}, "system": {None, Role.ADMIN}}
    if keeper is None:
        raise UserError(f"{place} has no roles: it is its user's", "name a team, or the system")
    if role not in allowed[place.volume]:
        known = ", ".join(sorted(r.value for r in allowed[place.volume] if r))
        raise UserError(f"there is no {role} of {place}", f"roles: {known}")


def _looks_after(conn: Connection, caller: Caller, place: Place) -> bool:
    if caller.kind != "person":
        return False
    own = role_of(conn, place, caller.name)
    return own is _KEEPER[place.volume] or role_of(conn, SYSTEM, caller.name) is Role.ADMIN


def _keepers(place: Place) -> str:
    return "admins" if place == SYSTEM else "maintainers of the team and admins"


def _in(place: Place) -> ColumnElement[bool]:
    return (roles.c.scope == place.volume) & (roles.c.owner == place.owner)


def _all(conn: Connection, place: Place) -> list[Member]:
    query = select(roles).where(_in(place)).order_by(roles.c.since, roles.c.user_id)
    return [Member(r.user_id, Role(r.role), parse_stamp(r.since)) for r in conn.execute(query)]


def _add(tx: Transaction, place: Place, user_id: str, role: Role) -> bool:
    row = {
        "scope": place.volume,
        # A project has no roles of its own: they are those of the team that it is of.
        "owner": check_name(place.owner, f"{place.volume} id"),
        "user_id": check_name(user_id, "user id"),
        "role": role.value,
        "since": stamp(tx.now),
    }
    return insert_new(tx.conn, roles, row, ["scope", "owner", "user_id"])


def _set(tx: Transaction, place: Place, user_id: str, role: Role | None) -> None:
    meant = _in(place) & (roles.c.user_id == user_id)
    if role is None:
        tx.conn.execute(delete(roles).where(meant))
    elif not _add(tx, place, user_id, role):
        tx.conn.execute(update(roles).where(meant).values(role=role.value))


def all_teams(conn: Connection) -> list[str]:
    """Ids of all teams that have anybody in them, by name."""
    named = select(roles.c.owner).where(roles.c.scope == "team").distinct()
    return list(conn.scalars(named.order_by(roles.c.owner)))
