"""What a client keeps on disk: the table in section 3 of docs/protocol.md, and the messages themselves."""

import sqlite3
import threading
import time
import uuid
from dataclasses import dataclass

SCHEMA = """
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS place (
  conversation TEXT PRIMARY KEY, shown INTEGER NOT NULL, marks INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS message (
  conversation TEXT, seq INTEGER, sender TEXT NOT NULL, client_id TEXT NOT NULL, text TEXT NOT NULL,
  PRIMARY KEY (conversation, seq));
CREATE TABLE IF NOT EXISTS gap (
  conversation TEXT, first_seq INTEGER, last_seq INTEGER, PRIMARY KEY (conversation, first_seq));
CREATE TABLE IF NOT EXISTS outbox (
  number INTEGER PRIMARY KEY AUTOINCREMENT, client_id TEXT NOT NULL UNIQUE, friend TEXT NOT NULL,
  text TEXT NOT NULL, time_ms INTEGER NOT NULL);
"""


@dataclass
class Send:
    """A send without an answer. Numbers ascend in the order in which they were given."""

    number: int
    client_id: str
    friend: str
    text: str
    time_ms: int


class State:
    """A SQLite file. `with state:` makes one step of several changes: all are on the disk, or none."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(SCHEMA)
        self._lock = threading.RLock()
        self._depth = 0
        if not self.get("device"):
            self.set(device=str(uuid.uuid4()))

    def __enter__(self) -> "State":
        self._lock.acquire()
        if self._depth == 0:
            self._db.execute("BEGIN IMMEDIATE")
        self._depth += 1
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._db.execute("COMMIT" if kind is None else "ROLLBACK")
        self._lock.release()

    def get(self, name: str) -> str:
        """A setting; empty where there is none."""
        with self._lock:
            row = self._db.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return row[0] if row else ""

    def set(self, **values: object) -> None:
        with self:
            for name, value in values.items():
                self._db.execute("REPLACE INTO setting VALUES (?, ?)", (name, str(value)))

    def begin_epoch(self, epoch: str) -> None:
        """All that was known of the former log goes. The sends without an answer stay."""
        with self:
            for table in ("place", "message", "gap"):
                self._db.execute(f"DELETE FROM {table}")
            self.set(epoch=epoch, revision=0)

    def shown(self, conversation: str) -> int:
        """The last seq of the conversation that was shown, or lies in a gap."""
        with self._lock:
            row = self._db.execute(
                "SELECT shown FROM place WHERE conversation = ?", (conversation,)
            ).fetchone()
        return row[0] if row else 0

    def marks(self, conversation: str) -> int:
        with self._lock:
            row = self._db.execute(
                "SELECT marks FROM place WHERE conversation = ?", (conversation,)
            ).fetchone()
        return row[0] if row else 0

    def reach(self, conversation: str, seq: int = 0, marks: int = 0) -> None:
        """Places move forward only."""
        with self:
            self._db.execute(
                "INSERT INTO place VALUES (?, ?, ?) ON CONFLICT DO UPDATE "
                "SET shown = max(shown, excluded.shown), marks = max(marks, excluded.marks)",
                (conversation, seq, marks),
            )

    def add_message(self, conversation: str, seq: int, sender: str, client_id: str, text: str) -> None:
        with self:
            self._db.execute(
                "INSERT OR IGNORE INTO message VALUES (?, ?, ?, ?, ?)",
                (conversation, seq, sender, client_id, text),
            )

    def add_gap(self, conversation: str, first_seq: int, last_seq: int) -> None:
        with self:
            self._db.execute("REPLACE INTO gap VALUES (?, ?, ?)", (conversation, first_seq, last_seq))
            self.reach(conversation, last_seq)

    def fill_gap(self, conversation: str, first_seq: int, last_seq: int) -> None:
        with self:
            self._db.execute(
                "DELETE FROM gap WHERE conversation = ? AND first_seq >= ? AND last_seq <= ?",
                (conversation, first_seq, last_seq),
            )

    def messages(self, conversation: str) -> list[tuple[int, str, str]]:
        """Seq, sender and text of all that is kept, ascending."""
        with self._lock:
            return self._db.execute(
                "SELECT seq, sender, text FROM message WHERE conversation = ? ORDER BY seq", (conversation,)
            ).fetchall()

    def add_send(self, friend: str, text: str, client_id: str) -> None:
        """On disk before its first try. A second one with the same id changes nothing."""
        with self:
            self._db.execute(
                "INSERT OR IGNORE INTO outbox (client_id, friend, text, time_ms) VALUES (?, ?, ?, ?)",
                (client_id, friend, text, time.time_ns() // 1_000_000),
            )

    def sends_after(self, number: int, limit: int) -> list[Send]:
        with self._lock:
            rows = self._db.execute(
                "SELECT number, client_id, friend, text, time_ms FROM outbox "
                "WHERE number > ? ORDER BY number LIMIT ?",
                (number, limit),
            ).fetchall()
        return [Send(*row) for row in rows]

    def take_send(self, client_id: str) -> Send | None:
        """Removes it, for it has its answer. None where it had been answered before."""
        with self:
            row = self._db.execute(
                "DELETE FROM outbox WHERE client_id = ? RETURNING number, client_id, friend, text, time_ms",
                (client_id,),
            ).fetchone()
        return Send(*row) if row else None
