"""The one database of a home: transactions, events, blobs, and who is alive."""

from llmos.store.blobs import BlobStore
from llmos.store.ids import new_id
from llmos.store.lock import FileLock
from llmos.store.store import Store
from llmos.store.transaction import EventRow, Transaction

__all__ = ["BlobStore", "EventRow", "FileLock", "Store", "Transaction", "new_id"]
