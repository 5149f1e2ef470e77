"""Learning from what other agents did: their transcripts become traces.

`transcripts` finds sessions, `records` reads their lines, `goals` puts lines together to goals,
`build` makes traces of them without secrets, `importer` stores what is new. Nothing is run, and
nothing leaves the machine.
"""

from llmos.memory.importers.build import REDACTED, Price
from llmos.memory.importers.importer import Importer
from llmos.memory.importers.known import Known, known_of
from llmos.memory.importers.report import Report
from llmos.memory.importers.transcripts import Session, default_folder, find_sessions

__all__ = [
    "REDACTED",
    "Importer",
    "Known",
    "Price",
    "Report",
    "Session",
    "default_folder",
    "find_sessions",
    "known_of",
]
