"""Errors of the store, named by what to do about them.

StoreError                  anything below
├── StoreUnavailable        cannot be reached or opened: check the path or URL
│   └── MissingDriver       install the extra that it names (also an ImportError)
├── StoreCorrupt            not a database, or damaged: restore a backup
├── StoreReadOnly           no permission to write
├── StoreFull               no space left: free some, then resume
├── StoreBusy               others held it too long, or a deadlock: try again
├── SchemaMismatch          written by a version that this code does not read
├── RecordNotFound          no such run, execution or artifact (also a LookupError)
├── PropertyConflict        a property's type differs from the one stored (also a TypeError)
└── LeaseHeld               the run belongs to a live process
"""


class StoreError(Exception):
    """The metadata store could not do what was asked."""


class StoreUnavailable(StoreError):
    """The store cannot be opened or reached."""


class MissingDriver(StoreUnavailable, ImportError):
    """The database's driver is not installed; the message names the extra that brings it."""


class StoreCorrupt(StoreError):
    """The file is not a SQLite database, or is damaged, or holds only part of a schema."""


class StoreReadOnly(StoreError):
    """The store may be read but not written."""


class StoreFull(StoreError):
    """The disk or the quota under the store is full; nothing was written."""


class StoreBusy(StoreError):
    """Another process held the store too long, or a deadlock was broken; nothing was written."""


class SchemaMismatch(StoreError):
    """The store's schema version is not one that this code reads."""


class RecordNotFound(StoreError, LookupError):
    """There is no such run, execution, artifact or alias."""


class PropertyConflict(StoreError, TypeError):
    """A property's type differs from the one that the store holds for it."""


class LeaseHeld(StoreError):
    """The lease belongs to another live process."""
