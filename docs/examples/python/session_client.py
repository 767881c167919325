"""A client of Chatterbox's sessions, written from docs/protocol.md. Numbers in comments are its sections."""

from __future__ import annotations

import json
import random
import sqlite3
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent / "gen"))

import grpc  # noqa: E402
from google.rpc import error_details_pb2, status_pb2  # noqa: E402

from chatterbox.v1 import conversations_pb2, conversations_pb2_grpc  # noqa: E402
from chatterbox.v1 import session_pb2, session_pb2_grpc  # noqa: E402

Event = dict[str, Any]
Code = grpc.StatusCode

WINDOW = 200  # sends without an answer, see 6
FRAME_BYTES = 60_000  # a frame has at most 64 KiB, see 8
ACK_EVERY = 0.1
FIRST_PAUSE = 0.5  # between two attempts, doubled while nothing succeeds, see 6
LONGEST = 10.0
STEADY = 10.0  # a session that lived for so long after `caught_up` has not failed, see 10
RETRYABLE = {Code.UNAVAILABLE.value[0], Code.RESOURCE_EXHAUSTED.value[0], Code.ABORTED.value[0]}
RECONNECT = {Code.OK, Code.UNAVAILABLE, Code.INTERNAL, Code.UNKNOWN, Code.CANCELLED,
             Code.DEADLINE_EXCEEDED, Code.DATA_LOSS, Code.RESOURCE_EXHAUSTED}
TRY_LATER = {429, 500, 502, 503, 504}
CHANNEL_OPTIONS = [
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # the time for one connection
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),  # the library stops its pings on a quiet stream otherwise
]
SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value);
CREATE TABLE IF NOT EXISTS places (conversation TEXT PRIMARY KEY, seq INTEGER, marks INTEGER);
CREATE TABLE IF NOT EXISTS entries (conversation TEXT, seq INTEGER, sender TEXT, text TEXT,
                                    PRIMARY KEY (conversation, seq));
CREATE TABLE IF NOT EXISTS gaps (conversation TEXT, first INTEGER, last INTEGER,
                                 PRIMARY KEY (conversation, first));
CREATE TABLE IF NOT EXISTS outbox (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, request BLOB);
"""


class Stop(Exception):
    """The client cannot go on: a person has to do something."""


class HttpProblem(Exception):
    def __init__(self, status: int, problem: dict[str, Any], retry_after: float):
        super().__init__(problem.get("detail") or f"HTTP {status}")
        self.status, self.reason, self.retry_after = status, problem.get("reason", ""), retry_after


def read_status(status: status_pb2.Status) -> tuple[str, float]:
    """The reason and the delay that a google.rpc.Status carries (9)."""
    reason, delay = "", 0.0
    for detail in status.details:
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(retry):
            delay = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    return reason, delay


def is_first_contact(status: status_pb2.Status) -> bool:
    """Whether it refuses a first message to one new person too many: the others do not wait for it (6)."""
    info = error_details_pb2.ErrorInfo()
    return any(detail.Unpack(info) and info.metadata["limit"] == "first_contacts" for detail in status.details)


def read_error(error: grpc.RpcError) -> tuple[str, float]:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            return read_status(status_pb2.Status.FromString(value))
    return "", 0.0


class Session:
    """What holds for one stream only."""

    def __init__(self) -> None:
        self.opened = self.over = False
        self.caught_up_at: float | None = None
        self.attempt = 1
        self.sent_to = 0  # the place in the outbox up to which this attempt has sent
        self.hold_until = 0.0
        self.pause = FIRST_PAUSE
        self.retry_after = 0.0
        self.acks: set[str] = set()
        self.acked_at = time.monotonic()

    def was_steady(self) -> bool:
        return self.caught_up_at is not None and time.monotonic() - self.caught_up_at >= STEADY


class SessionClient:
    """`run` works in the caller's thread until it ends. The other methods may be called from any thread."""

    def __init__(self, server: str, state: str, user: str, password: str, *, register: bool = False,
                 on_events: Callable[[list[Event]], None] = lambda events: None,
                 longest_backoff: float = LONGEST):
        self._longest = longest_backoff
        url = urlsplit(server)
        self._server, self._register = server.rstrip("/"), register
        self._user, self._password = user, password
        self._on_events = on_events
        self._changed = threading.Condition(threading.RLock())  # guards all that follows
        self._token_lock = threading.Lock()  # the refresh token changes at each use: one refresh at a time
        self._access, self._expires = "", 0.0
        self._closing = False
        self._session = Session()
        self._reads: dict[str, int] = {}
        # SQLite keeps a transaction whole whatever kills the process. FULL: it survives a power cut as well.
        self._db = sqlite3.connect(state, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(SCHEMA)
        with self._db:
            self._db.execute("INSERT OR IGNORE INTO facts VALUES ('device', ?)", (str(uuid.uuid4()),))
        port = url.port or (443 if url.scheme == "https" else 80)
        target = f"{url.hostname}:{port}"
        self._channel = (
            grpc.secure_channel(target, grpc.ssl_channel_credentials(), CHANNEL_OPTIONS)
            if url.scheme == "https" else grpc.insecure_channel(target, CHANNEL_OPTIONS))
        self._sessions = session_pb2_grpc.SessionServiceStub(self._channel)
        self._conversations = conversations_pb2_grpc.ConversationsServiceStub(self._channel)

    # What the application calls.

    def send(self, requests: list[session_pb2.SendRequest]) -> None:
        """Keeps sends on disk, in their order. An id that is still without an answer is kept once."""
        for request in requests:
            self.checked(request)
        with self._changed:
            with self._db:
                self._db.executemany("INSERT OR IGNORE INTO outbox (id, request) VALUES (?, ?)",
                                     [(r.client_id, r.SerializeToString()) for r in requests])
            self._changed.notify_all()

    @staticmethod
    def checked(request: session_pb2.SendRequest) -> session_pb2.SendRequest:
        """Refuses a text that would make a frame too large, which ends every session. Fills in the id."""
        if not 1 <= len(request.text) <= 8_000:
            raise ValueError("a text has 1 to 8,000 code points")
        if not request.client_id:
            # A UUIDv7 by hand: Python has it from 3.14 on.
            bits = time.time_ns() // 1_000_000 << 80 | random.getrandbits(80)
            bits = bits & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62
            request.client_id = str(uuid.UUID(int=bits))
        return request

    def read(self, conversation: str, seq: int) -> None:
        with self._changed:
            self._reads[conversation] = max(self._reads.get(conversation, 0), seq)
            self._changed.notify_all()

    def fetch(self, conversation: str, first: int, last: int) -> list[Event]:
        """The entries of a gap (4), by pages. Tries again as a session would."""
        found: list[Event] = []
        backoff = 0.1
        while not found or found[-1]["seq"] < last:
            request = conversations_pb2.ListEntriesRequest(
                conversation=conversation, page_size=100, after_seq=found[-1]["seq"] if found else first - 1)
            try:
                page = self._conversations.ListEntries(request, metadata=self._metadata(), timeout=10)
            except (grpc.RpcError, HttpProblem, OSError) as error:
                delay = 0.0
                if isinstance(error, HttpProblem):
                    if error.status not in TRY_LATER:
                        raise Stop(str(error)) from error
                    delay = error.retry_after
                elif isinstance(error, grpc.RpcError):
                    reason, delay = read_error(error)
                    if error.code() is Code.UNAUTHENTICATED:
                        self._forget_access()
                    elif error.code() not in RECONNECT:
                        raise Stop(f"{error.code().name} {reason}: {error.details()}") from error
                time.sleep(delay + random.uniform(0, backoff))
                backoff = min(backoff * 2, 10)
                continue
            # Going on from the last seq needs no page token, so that a new epoch cannot make one invalid.
            taken = [e for e in page.entries if e.seq <= last]
            found += [{"conversation": e.conversation, "seq": e.seq, "sender": e.sender,
                       "text": e.message.text} for e in taken]
            if len(taken) < len(page.entries) or not page.next_page_token:
                break
        with self._changed, self._db:
            self._db.executemany(
                "INSERT OR IGNORE INTO entries VALUES (:conversation, :seq, :sender, :text)", found)
            self._db.execute("DELETE FROM gaps WHERE conversation = ? AND first >= ? AND last <= ?",
                             (conversation, first, last))
        return found

    def close(self) -> None:
        """Ends once every send has its answer and what came is acknowledged."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def run(self) -> str:
        """Holds sessions until `close`, or until something is in the way for good. Returns why it ended."""
        backoff, refused = 0.1, 0
        while True:
            session = Session()
            with self._changed:
                self._session = session
            code, reason, delay = Code.UNAVAILABLE, "", 0.0
            try:
                call = self._sessions.Session(self._frames(session), metadata=self._metadata())
                for frame in call:
                    self._take(session, frame)
                code = Code.OK
            except grpc.RpcError as error:
                code = error.code()
                reason, delay = read_error(error)
                text = error.details()
            except HttpProblem as problem:
                if problem.status not in TRY_LATER:
                    return f"{problem.status} {problem.reason}: {problem}"
                reason, delay, text = problem.reason, problem.retry_after, str(problem)
            except (OSError, ValueError) as error:  # no connection, or an answer that broke off
                text = str(error)
            finally:
                with self._changed:
                    session.over = True
                    self._changed.notify_all()
            if code is Code.OK and self._closing and self._outbox_is_empty():
                return "closed"
            if code is Code.UNAUTHENTICATED:
                refused = 1 if session.caught_up_at is not None else refused + 1
                if reason == "SESSION_ENDED" or refused > 1:
                    self._set("refresh_token", None)
                self._forget_access()
            elif code not in RECONNECT:
                # What the server says stays so. What a proxy says, or that all devices are here, may pass.
                if reason and code is not Code.FAILED_PRECONDITION:
                    return f"{code.name} {reason}: {text}"
                delay = max(delay, self._longest)
            elif session.caught_up_at is not None:
                refused = 0
            if session.was_steady():
                backoff = 0.1
            wait = max(delay, session.retry_after) + random.uniform(0, backoff)
            backoff = min(backoff * 2, self._longest)
            self._emit([{"reconnecting": {"code": code.name, "reason": reason, "wait": round(wait, 3)}}])
            time.sleep(wait)

    # The account (2).

    def _http(self, path: str, body: dict[str, str]) -> None:
        request = urllib.request.Request(self._server + path, json.dumps(body).encode(),
                                         {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                grant = json.load(answer)
        except urllib.error.HTTPError as error:
            try:
                problem = json.load(error)
            except ValueError:
                problem = {}
            retry_after = error.headers.get("retry-after", "")
            delay = float(retry_after) if retry_after.isdigit() else 0.0
            raise HttpProblem(error.code, problem, delay) from None
        with self._changed, self._db:  # on disk before the access token is used
            self._put("refresh_token", grant["refresh_token"])
            self._put("user", grant["user"]["username"])
        self._access, self._expires = grant["access_token"], time.monotonic() + grant["expires_in"] - 10

    def register(self) -> None:
        try:
            self._http("/auth/register", {"username": self._user, "password": self._password})
        except HttpProblem as problem:
            if problem.status != 409:
                raise
            self.login()  # taken: perhaps by ourselves, where the answer got lost

    def login(self) -> None:
        self._http("/auth/login", {"username": self._user, "password": self._password})

    def refresh(self, refresh_token: str) -> None:
        self._http("/auth/refresh", {"refresh_token": refresh_token})

    def _metadata(self) -> list[tuple[str, str]]:
        with self._token_lock:
            if not self._access or time.monotonic() > self._expires:
                refresh_token = self._get("refresh_token")
                try:
                    if refresh_token:
                        self.refresh(refresh_token)
                    elif self._register and not self._get("user"):
                        self.register()
                    else:
                        self.login()
                except HttpProblem as problem:
                    if not refresh_token or problem.status != 401:
                        raise
                    self._set("refresh_token", None)
                    self.login()
            return [("authorization", f"Bearer {self._access}")]

    def _forget_access(self) -> None:
        with self._token_lock:
            self._access = ""

    # What goes to the server. grpcio takes a frame when the one before is written: that is the backpressure.

    def _frames(self, session: Session) -> Iterator[session_pb2.SessionRequest]:
        with self._changed:
            opening = session_pb2.Open(device=self._get("device"), epoch=self._get("epoch") or "",
                                       revision=self._get("revision") or 0)
        yield session_pb2.SessionRequest(open=opening)
        while True:
            with self._changed:
                frame, wait = self._next_frame(session)
                while frame is None and not session.over:
                    if wait == 0:
                        return  # half-close
                    self._changed.wait(wait)
                    frame, wait = self._next_frame(session)
                if session.over or frame is None:
                    return
            yield frame

    def _next_frame(self, session: Session) -> tuple[session_pb2.SessionRequest | None, float | None]:
        """The next frame; or how long to wait, None for until something changes and 0 for the end."""
        # Nothing goes before `opened`: an acknowledgement may be of a log that the server no longer has.
        if not session.opened:
            return None, None
        now, waits = time.monotonic(), []
        frame = session_pb2.SessionRequest()
        if session.hold_until > now:
            waits.append(session.hold_until - now)
        else:
            (unanswered,) = self._db.execute("SELECT COUNT(*) FROM outbox WHERE n <= ?",
                                             (session.sent_to,)).fetchone()
            size = 0
            for n, request in self._outbox(session, WINDOW - unanswered):
                size += len(request) + 8
                if size > FRAME_BYTES:
                    break
                frame.sends.add().ParseFromString(request)
                frame.attempt, session.sent_to = session.attempt, n
            for conversation in list(self._reads)[:100]:
                frame.reads.add(conversation=conversation, seq=self._reads.pop(conversation))
        if session.acks:
            due = session.acked_at + ACK_EVERY - now
            if due <= 0 or self._closing:
                for conversation in list(session.acks)[:100]:
                    session.acks.discard(conversation)
                    seq, marks = self._place(conversation)
                    frame.acks.add(conversation=conversation, seq=seq, marks_revision=marks)
                session.acked_at = now
            else:
                waits.append(due)
        if frame.sends or frame.reads or frame.acks:
            return frame, None
        if self._closing and not session.acks and not self._reads and self._outbox_is_empty():
            return None, 0
        return None, min(waits, default=None)

    # What comes from the server (4 to 7).

    def _take(self, session: Session, frame: session_pb2.SessionResponse) -> None:
        events: list[Event] = []
        with self._changed:
            with self._db:  # one transaction for each frame
                if frame.HasField("opened"):
                    self._take_opened(frame.opened.epoch, events)
                for gap in frame.gaps:
                    self._raise(gap.conversation, seq=gap.last_seq)
                    self._db.execute("INSERT OR REPLACE INTO gaps VALUES (?, ?, ?)",
                                     (gap.conversation, gap.first_seq, gap.last_seq))
                    session.acks.add(gap.conversation)
                    events.append({"gap": {"conversation": gap.conversation, "first": gap.first_seq,
                                           "last": gap.last_seq}})
                for entry in frame.entries:
                    session.acks.add(entry.conversation)
                    self._take_entry(entry.conversation, entry.seq, entry.sender, entry.client_id,
                                     entry.message.text, events)
                for result in frame.results:
                    self._take_result(session, result, events)
                for marks in frame.marks:
                    self._raise(marks.conversation, marks=marks.marks_revision)
                    if marks.member == self._get("user"):
                        self._put("revision", max(self._get("revision") or 0, marks.revision))
                if frame.HasField("caught_up"):
                    self._put("revision", max(self._get("revision") or 0, frame.caught_up.revision))
                    events.append({"caught_up": {"list_inbox": frame.caught_up.list_inbox}})
            # On disk: only now may it be acknowledged. It is shown after that, so nothing is shown twice.
            # A kill in between leaves an entry that is stored and not shown. An application shows its store.
            for refused in frame.refused_reads:
                reason, delay = read_status(refused.error)
                if refused.error.code in RETRYABLE:
                    self.read(refused.conversation, refused.seq)
                    session.hold_until = max(session.hold_until, time.monotonic() + max(delay, 0.25))
            if frame.HasField("notice"):
                retry = frame.notice.retry_after
                session.retry_after = retry.seconds + retry.nanos / 1e9
            session.opened = session.opened or frame.HasField("opened")
            if frame.HasField("caught_up"):
                session.caught_up_at = time.monotonic()
            self._changed.notify_all()
        self._emit(events)

    def _take_opened(self, epoch: str, events: list[Event]) -> None:
        known = self._get("epoch")
        if known and known != epoch:  # another log: keep nothing but the sends without an answer
            self._put("revision", 0)
            self._reads.clear()
            for table in ("places", "entries", "gaps"):
                self._db.execute(f"DELETE FROM {table}")
        self._put("epoch", epoch)
        events.append({"opened": {"epoch": epoch, "anew": bool(known) and known != epoch}})

    def _take_entry(self, conversation: str, seq: int, sender: str, client_id: str, text: str,
                    events: list[Event]) -> None:
        if seq <= self._place(conversation)[0]:
            return  # told again
        self._db.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)",
                         (conversation, seq, sender, text))
        self._raise(conversation, seq=seq)
        # One of our own whose result got lost comes as an entry. It was committed, so that is its answer.
        own = sender == self._get("user") and self._answered(client_id)
        events.append({"sent": {"id": client_id, "conversation": conversation, "seq": seq}} if own else
                      {"entry": {"conversation": conversation, "seq": seq, "sender": sender, "text": text}})

    def _take_result(self, session: Session, result: session_pb2.SendResult, events: list[Event]) -> None:
        if result.HasField("sent"):
            conversation, seq = result.conversation, result.sent.seq
            session.acks.add(conversation)
            session.pause = FIRST_PAUSE
            self._raise(conversation, seq=seq)
            request = self._answered(result.client_id)
            if request:  # nothing is found where its entry came first
                self._db.execute("INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?)",
                                 (conversation, seq, self._get("user"), request.text))
                events.append({"sent": {"id": result.client_id, "conversation": conversation, "seq": seq}})
            return
        reason, delay = read_status(result.error)
        if result.error.code not in RETRYABLE or is_first_contact(result.error):
            if self._answered(result.client_id):
                events.append({"refused": {"id": result.client_id, "code": result.error.code,
                                           "reason": reason, "message": result.error.message}})
        elif result.attempt == session.attempt:  # of a lower attempt: it is on its way again
            session.attempt += 1
            session.sent_to = 0
            session.hold_until = time.monotonic() + max(delay, session.pause)
            session.pause = min(session.pause * 2, LONGEST)

    # The state on disk. The caller holds the lock.

    def _answered(self, client_id: str) -> session_pb2.SendRequest | None:
        row = self._db.execute("DELETE FROM outbox WHERE id = ? RETURNING request", (client_id,)).fetchall()
        return session_pb2.SendRequest.FromString(row[0][0]) if row else None

    def _outbox(self, session: Session, limit: int) -> list[tuple[int, bytes]]:
        return self._db.execute("SELECT n, request FROM outbox WHERE n > ? ORDER BY n LIMIT ?",
                                (session.sent_to, max(limit, 0))).fetchall()

    def _outbox_is_empty(self) -> bool:
        return self._db.execute("SELECT 1 FROM outbox LIMIT 1").fetchone() is None

    def _place(self, conversation: str) -> tuple[int, int]:
        row = self._db.execute("SELECT seq, marks FROM places WHERE conversation = ?",
                               (conversation,)).fetchone()
        return row or (0, 0)

    def _raise(self, conversation: str, seq: int = 0, marks: int = 0) -> None:
        self._db.execute(
            "INSERT INTO places VALUES (?, ?, ?) ON CONFLICT DO UPDATE "
            "SET seq = max(seq, excluded.seq), marks = max(marks, excluded.marks)",
            (conversation, seq, marks))

    def _get(self, name: str) -> Any:
        with self._changed:
            row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def _put(self, name: str, value: Any) -> None:
        """Inside a transaction."""
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def _set(self, name: str, value: Any) -> None:
        with self._changed, self._db:
            self._put(name, value)

    def _emit(self, events: list[Event]) -> None:
        if events:
            self._on_events(events)
