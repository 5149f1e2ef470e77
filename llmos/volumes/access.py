"""Who may read and write which volume. Decided from the tables at every call, never cached."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from llmos.errors import PermissionDenied, UserError
from llmos.values import check_name
from llmos.volumes.privacy import is_private
from llmos.volumes.records import Place, View
from llmos.volumes.roles import SYSTEM, Role, role_of


class Kind(StrEnum):
    """What somebody is who reads or writes volumes."""

    PERSON = "person"
    USER_CRON = "user-cron"
    TEAM_CRON = "team-cron"
    SYSTEM_CRON = "system-cron"


class Access(StrEnum):
    """What somebody wants of a volume."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who reads or writes. Made by `person`, `user_cron`, `team_cron` and `system_cron`.

    Raises:
        UserError: The name cannot be one of this kind.
    """

    kind: Kind
    name: str
    """Id of the user or team; ``system`` for the system's cron."""
    work: str = ""
    """Under what name the work of a cron is recorded, if not under its own."""

    def __post_init__(self) -> None:
        check_name(self.name, _NAMED[self.kind])
        if self.kind is Kind.SYSTEM_CRON and self.name != "system":
            raise UserError(f"the system has no cron {self.name!r}", "its name is 'system'")
        if self.kind is Kind.PERSON and (self.work or self.name in _CRONS):
            # Else what a person does could be taken for what a cron does.
            raise UserError(f"{self.work or self.name!r} cannot be a person", "use a user id")
        if self.work:
            check_name(self.work, "author")

    @classmethod
    def person(cls, user_id: str) -> Caller:
        """A person, by user id."""
        return cls(Kind.PERSON, user_id)

    @classmethod
    def user_cron(cls, user_id: str, work: str = "") -> Caller:
        """The cron of a user, and what else the kernel does in a user's own volume.

        Args:
            user_id: Whose volume it looks after.
            work: The name that is recorded, such as ``audit``; ``user-cron`` when left out.
        """
        return cls(Kind.USER_CRON, user_id, work)

    @classmethod
    def team_cron(cls, team_id: str) -> Caller:
        """The cron of a team."""
        return cls(Kind.TEAM_CRON, team_id)

    @classmethod
    def system_cron(cls) -> Caller:
        """The cron of the system."""
        return cls(Kind.SYSTEM_CRON, "system")

    @property
    def author(self) -> str:
        """What is recorded of who did it: the user id of a person, else ``user-cron`` and such."""
        return self.name if self.kind is Kind.PERSON else self.work or self.kind.value

    def owns(self, place: Place) -> bool:
        """Whether it is the person whose volume this is."""
        return self.kind is Kind.PERSON and _is_users(place, self.name)

    def view(self, place: Place) -> View:
        """What is shown of a volume: the crons of others do not see what is private in it."""
        others = (Kind.TEAM_CRON, Kind.SYSTEM_CRON)
        return View(place, partial=place.volume == "user" and self.kind in others)

    def __str__(self) -> str:
        return self.name if self.kind is Kind.PERSON else f"the {self.kind} of {self.name}"


def may(conn: Connection, caller: Caller, place: Place, access: Access) -> bool:
    """Whether ``caller`` may read or write in the volume. Of one's own volume nothing is asked.

    In a project's volume everybody may what they may in the volume that it lies in.

    Args:
        conn: Of the transaction in which it is going to.
        caller: Who.
        place: Which volume.
        access: What.
    """
    reads = access is Access.READ
    match caller.kind:
        case Kind.PERSON:
            return _person_may(conn, caller.name, place, reads)
        case Kind.USER_CRON:
            if place.volume == "team":
                return reads and role_of(conn, place.whole, caller.name) is not None
            return _is_users(place, caller.name)
        case Kind.TEAM_CRON:
            return _team_may(conn, caller.name, place, reads)
        case Kind.SYSTEM_CRON:
            # Whatever is written is answered with what is there: what is private is not touched.
            return place.volume != "user" or not is_private(conn, place)


def require(conn: Connection, caller: Caller, place: Place, access: Access) -> None:
    """Let only those go on who may.

    Raises:
        PermissionDenied: ``caller`` may not; the message names the rule, the hint what to do.
    """
    if not may(conn, caller, place, access):
        rule, hint = _rule(caller, place, access)
        raise PermissionDenied(f"{caller} may not {access} {place}: {rule}", hint)


def require_author(caller: Caller, author: str) -> None:
    """Let nobody write in another's name.

    Raises:
        UserError: ``author`` is not a usable name.
        PermissionDenied: It is another's.
    """
    if check_name(author, "author") != caller.author:
        raise PermissionDenied(
            f"{caller} cannot write as {author!r}: nobody writes in another's name",
            f"give the author {caller.author!r}",
        )


def _is_users(place: Place, user_id: str) -> bool:
    return place.volume == "user" and place.holder == user_id


def _person_may(conn: Connection, user_id: str, place: Place, reads: bool) -> bool:
    if place.volume == "user":
        return place.holder == user_id
    if place.volume == "system":
        return reads or role_of(conn, SYSTEM, user_id) is Role.ADMIN
    role = role_of(conn, place.whole, user_id)
    return role is not None if reads else role is Role.MAINTAINER


def _team_may(conn: Connection, team_id: str, place: Place, reads: bool) -> bool:
    if place.volume == "team":
        return place.holder == team_id
    if place.volume == "system":
        return reads
    member = reads and role_of(conn, Place("team", team_id), place.holder) is not None
    return member and not is_private(conn, place)


def _rule(caller: Caller, place: Place, access: Access) -> tuple[str, str]:
    if caller.kind is not Kind.PERSON:
        return _CRONS[caller.kind], "do it as somebody who may, or ask its owner"
    if place.volume == "user":
        return "a user's volume is that user's alone", "ask its owner to share it with a team"
    if access is Access.READ:
        return "only members of a team read what is the team's", "ask a maintainer to let you in"
    if place.volume == "team":
        return "only maintainers of a team write what is the team's", "ask one of its maintainers"
    return "only admins write what is the system's", "ask an admin"


_NAMED = {
    Kind.PERSON: "user id",
    Kind.USER_CRON: "user id",
    Kind.TEAM_CRON: "team id",
    Kind.SYSTEM_CRON: "name of the system",
}

_CRONS = {
    Kind.USER_CRON: "a user's cron has its user's volume, and reads those of the user's teams",
    Kind.TEAM_CRON: "a team's cron has the team's volume, and reads the system's and what members "
    "of the team do not keep private",
    Kind.SYSTEM_CRON: "the system's cron does not touch what a user keeps private",
}
