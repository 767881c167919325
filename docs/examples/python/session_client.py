"""The session of one device, kept up until it is closed: sections 3 to 11 of docs/protocol.md."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import grpc
from chatterbox.v1 import conversations_pb2, conversations_pb2_grpc, session_pb2, session_pb2_grpc
from google.rpc import error_details_pb2, status_pb2

from account import Account, LoginOver
from state import Send, State

FRAME_BYTES = 60 * 1024
"""The server takes 64 KiB."""
SEND_BYTES = 256
"""What a send needs beside its text, at most."""
ACKS_IN_A_FRAME = 200
IN_FLIGHT = 200
"""Sends of an attempt without an answer: a refusal then refuses no more than these."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds between two attempts."""
FIRST_BACKOFF, LONGEST_BACKOFF = 0.1, 10.0
LIVED = 10.0
"""Seconds after caught_up, after which the back-off begins anew."""

OPTIONS = [
    # Sending again is ours, and so is waiting between two connections.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]

Code = grpc.StatusCode
FOR_NOW = (Code.UNAVAILABLE.value[0], Code.RESOURCE_EXHAUSTED.value[0])
EARLIER_REFUSED = Code.ABORTED.value[0]
STOP = {"SESSION_ENDED", "SESSION_REPLACED"}
"""Reasons after which no reconnecting helps."""
MISTAKES = {Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.PERMISSION_DENIED, Code.UNIMPLEMENTED}

Event = dict[str, Any]


class SessionClient:
    """
    Sends and receives for one device. `on_event` hears what happens, one event after the other, in a thread
    of the client's own. What an event tells of is on the disk by then.
    """

    def __init__(
        self,
        url: str,
        account: Account,
        state: State,
        on_event: Callable[[Event], None],
        longest_backoff: float = LONGEST_BACKOFF,
    ) -> None:
        self._longest_backoff = longest_backoff
        self._account = account
        self._state = state
        self._tell = on_event
        parts = urlsplit(url)
        if parts.scheme == "https":
            self._channel = grpc.secure_channel(parts.netloc, grpc.ssl_channel_credentials(), OPTIONS)
        else:
            self._channel = grpc.insecure_channel(parts.netloc, OPTIONS)
        self._changed = threading.Condition()
        self._is_closing = False
        self._reads: dict[str, int] = {}
        self._session: _Session | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def send(self, friend: str, text: str, client_id: str) -> None:
        """Returns when it is on the disk. A `sent` or `refused` event follows, perhaps after a restart."""
        self._state.add_send(friend, text, client_id)
        self._wake()

    def mark_read(self, conversation: str, seq: int) -> None:
        self._reads[conversation] = seq
        self._wake()

    def fetch(self, conversation: str, first: int, last: int) -> None:
        """Fills a gap, page by page. Raises grpc.RpcError: ask again."""
        stub = conversations_pb2_grpc.ConversationsServiceStub(self._channel)
        request = conversations_pb2.ListEntriesRequest(
            conversation=conversation, after_seq=first - 1, page_size=100
        )
        while True:
            page = stub.ListEntries(request, metadata=self._metadata(), timeout=15)
            for entry in page.entries:
                if entry.seq <= last:
                    self._state.add_message(
                        conversation, entry.seq, entry.sender, entry.client_id, entry.message.text
                    )
            if not page.next_page_token or (page.entries and page.entries[-1].seq >= last):
                self._state.fill_gap(conversation, first, last)
                return
            request.after_seq, request.page_token = 0, page.next_page_token

    def close(self) -> None:
        """Ends the session cleanly, and returns when it has ended."""
        self._is_closing = True
        self._wake()
        self._thread.join()
        self._channel.close()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _metadata(self) -> list[tuple[str, str]]:
        return [("authorization", f"Bearer {self._account.token()}")]

    def _run(self) -> None:
        backoff = FIRST_BACKOFF
        refused_tokens = 0
        while not self._is_closing:
            session = _Session(self._state, self._tell, self._changed, self._reads, lambda: self._is_closing)
            end = self._connect(session)
            if self._is_closing:
                return
            if end.is_final:
                self._tell({"ended": end.reason or end.code})
                return
            if end.code == "UNAUTHENTICATED":
                self._account.expire()
                refused_tokens += 1
                if refused_tokens > 2:
                    self._tell({"ended": "UNAUTHENTICATED"})
                    return
            elif session.caught_up_at is not None:
                refused_tokens = 0
            if session.caught_up_at is not None and time.monotonic() - session.caught_up_at > LIVED:
                backoff = FIRST_BACKOFF
            # The random part keeps the clients of a restarted server from coming back as one.
            self._sleep(max(end.delay, session.retry_after) + random.uniform(0, backoff))
            backoff = min(2 * backoff, self._longest_backoff)

    def _sleep(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closing, seconds)

    def _connect(self, session: "_Session") -> "_End":
        """One session, from its opening to its status."""
        try:
            metadata = self._metadata()
        except LoginOver as over:
            return _End("UNAUTHENTICATED", str(over), 0.0, is_final=True)
        except OSError as error:
            return _End("UNAVAILABLE", str(error), 0.0, is_final=False)
        try:
            for frame in session_pb2_grpc.SessionServiceStub(self._channel).Session(
                session.frames(), metadata=metadata
            ):
                session.take(frame)
            return _End("OK", "", 0.0, is_final=False)
        except grpc.RpcError as error:
            return _End.of(error)
        finally:
            session.end()


class _Session:
    """One stream. Frames are taken in the thread that reads, and made in the one that gRPC asks in."""

    def __init__(
        self,
        state: State,
        tell: Callable[[Event], None],
        changed: threading.Condition,
        reads: dict[str, int],
        is_closing: Callable[[], bool],
    ) -> None:
        self._state = state
        self._tell = tell
        self._changed = changed
        self._reads = reads
        self._is_closing = is_closing
        self._me = state.get("username")
        self._has_ended = False
        self._is_open = False
        self._to_ack: dict[str, None] = {}
        self._attempt = 1
        self._last_number = 0
        """Of the attempt's sends."""
        self._in_flight: set[str] = set()
        self._pause = FIRST_PAUSE
        self._resume_at = 0.0
        self.retry_after = 0.0
        self.caught_up_at: float | None = None

    def end(self) -> None:
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    # What goes out. gRPC asks for a frame when it can take one: a server that does not read holds us back.

    def frames(self) -> Iterator[session_pb2.SessionRequest]:
        state = self._state
        open_ = session_pb2.Open(
            device=state.get("device"), epoch=state.get("epoch"), revision=int(state.get("revision") or 0)
        )
        yield session_pb2.SessionRequest(open=open_)
        while True:
            with self._changed:
                frame = self._next_frame()
                while frame is None:
                    if self._has_ended or (self._is_closing() and self._is_open):
                        return
                    self._changed.wait(self._until_resumed())
                    frame = self._next_frame()
            yield frame

    def _until_resumed(self) -> float | None:
        left = self._resume_at - time.monotonic()
        return left if left > 0 else None

    def _next_frame(self) -> session_pb2.SessionRequest | None:
        """None where there is nothing to say. Before the server has opened, it may be of another log."""
        if not self._is_open:
            return None
        frame = session_pb2.SessionRequest(attempt=self._attempt)
        for conversation in list(self._to_ack)[:ACKS_IN_A_FRAME]:
            del self._to_ack[conversation]
            seq, marks = self._state.shown(conversation), self._state.marks(conversation)
            if seq > 0:
                frame.acks.add(conversation=conversation, seq=seq, marks_revision=marks)
        for conversation in list(self._reads)[: ACKS_IN_A_FRAME // 2]:
            frame.reads.add(conversation=conversation, seq=self._reads.pop(conversation))
        if time.monotonic() >= self._resume_at:
            self._add_sends(frame)
        return frame if frame.acks or frame.reads or frame.sends else None

    def _add_sends(self, frame: session_pb2.SessionRequest) -> None:
        size = frame.ByteSize()
        for send in self._state.sends_after(self._last_number, IN_FLIGHT - len(self._in_flight)):
            size += len(send.text.encode()) + SEND_BYTES
            # One that fits into no frame is for the server to refuse.
            if size > FRAME_BYTES and (frame.sends or frame.acks or frame.reads):
                return
            frame.sends.add(
                friend=send.friend, text=send.text, client_id=send.client_id, client_time_ms=send.time_ms
            )
            self._last_number = send.number
            self._in_flight.add(send.client_id)

    # What comes in. The parts of a frame have an order.

    def take(self, frame: session_pb2.SessionResponse) -> None:
        events: list[Event] = []
        with self._changed, self._state:
            if frame.HasField("opened"):
                self._take_epoch(frame.opened.epoch, events)
            for gap in frame.gaps:
                self._state.add_gap(gap.conversation, gap.first_seq, gap.last_seq)
                self._to_ack[gap.conversation] = None
                events.append(
                    {"gap": {"conversation": gap.conversation, "first": gap.first_seq, "last": gap.last_seq}}
                )
            for entry in frame.entries:
                self._take_entry(entry, events)
            for result in frame.results:
                self._take_result(result, events)
            for marks in frame.marks:
                self._take_marks(marks)
            if frame.HasField("caught_up"):
                self._take_revision(frame.caught_up.revision)
                self.caught_up_at = time.monotonic()
                events.append({"caught_up": {"list_inbox": frame.caught_up.list_inbox}})
            if frame.HasField("notice"):
                self.retry_after = _seconds(frame.notice.retry_after)
            self._changed.notify_all()
        for event in events:
            self._tell(event)

    def _take_epoch(self, epoch: str, events: list[Event]) -> None:
        known = self._state.get("epoch")
        if known and known != epoch:
            # The log is another one: nothing of the former one holds.
            self._state.begin_epoch(epoch)
            self._reads.clear()
        elif not known:
            self._state.set(epoch=epoch)
        self._is_open = True
        events.append({"opened": {"epoch": epoch, "is_another": bool(known) and known != epoch}})

    def _take_entry(self, entry: Any, events: list[Event]) -> None:
        self._to_ack[entry.conversation] = None
        if entry.seq <= self._state.shown(entry.conversation):
            return
        text = entry.message.text
        self._state.add_message(entry.conversation, entry.seq, entry.sender, entry.client_id, text)
        self._state.reach(entry.conversation, entry.seq)
        told = {"conversation": entry.conversation, "seq": entry.seq, "sender": entry.sender, "text": text}
        events.append({"entry": told})

    def _take_result(self, result: session_pb2.SendResult, events: list[Event]) -> None:
        self._in_flight.discard(result.client_id)
        if result.HasField("sent"):
            self._pause = FIRST_PAUSE
            self._take_sent(result, self._state.take_send(result.client_id), events)
        elif result.error.code == EARLIER_REFUSED:
            return
        elif result.error.code in FOR_NOW:
            if result.attempt >= self._attempt:
                self._begin_attempt(result.error)
        elif self._state.take_send(result.client_id) is not None:
            events.append(
                {"refused": {"id": result.client_id, "code": result.error.code, "why": result.error.message}}
            )

    def _take_sent(self, result: session_pb2.SendResult, send: Send | None, events: list[Event]) -> None:
        """The result stands for the entry, which does not come here. Of two tries there are two results."""
        conversation, seq = result.sent.conversation, result.sent.seq
        if send is not None:
            self._state.add_message(conversation, seq, self._me, send.client_id, send.text)
            events.append({"sent": {"id": send.client_id, "conversation": conversation, "seq": seq}})
        self._state.reach(conversation, seq)
        self._to_ack[conversation] = None

    def _begin_attempt(self, error: status_pb2.Status) -> None:
        """Everything without an answer goes again, in its order, after a pause."""
        self._attempt += 1
        self._last_number = 0
        self._in_flight.clear()
        self._resume_at = time.monotonic() + max(_retry_delay(error), self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _take_marks(self, marks: Any) -> None:
        self._state.reach(marks.conversation, marks=marks.marks_revision)
        self._to_ack[marks.conversation] = None
        if marks.member == self._me:
            self._take_revision(marks.revision)

    def _take_revision(self, revision: int) -> None:
        if revision > int(self._state.get("revision") or 0):
            self._state.set(revision=revision)


class _End:
    """How a session ended, and what follows: the table in section 10."""

    def __init__(self, code: str, reason: str, delay: float, *, is_final: bool) -> None:
        self.code = code
        self.reason = reason
        self.delay = delay
        self.is_final = is_final

    @staticmethod
    def of(error: grpc.RpcError) -> "_End":
        status = status_pb2.Status()
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                status.ParseFromString(value)
        info = error_details_pb2.ErrorInfo()
        for detail in status.details:
            detail.Unpack(info)
        code = error.code()
        is_ours = info.domain == "chatterbox"
        # What a proxy or the library says may pass; what the server says of a mistake does not.
        is_final = info.reason in STOP or (is_ours and code in MISTAKES)
        longest = LONGEST_BACKOFF if code in MISTAKES or code == Code.FAILED_PRECONDITION else 0.0
        return _End(code.name, info.reason, max(_retry_delay(status), longest), is_final=is_final)


def _retry_delay(status: status_pb2.Status) -> float:
    """Seconds; 0 where the status says nothing."""
    info = error_details_pb2.RetryInfo()
    for detail in status.details:
        if detail.Unpack(info):
            return _seconds(info.retry_delay)
    return 0.0


def _seconds(duration: Any) -> float:
    return duration.seconds + duration.nanos / 1e9
