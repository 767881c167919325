"""Chat on a command line. Reads lines on stdin and writes JSON lines on stdout.

{"to": "bob", "text": "Hello", "id": "optional"}     sends; so does   bob: Hello
{"fetch": "<conversation>", "first": 1, "last": 99}  shows the entries of a gap
{"read": "<conversation>", "seq": 7}                 moves the read mark
The end of stdin ends it, once every send has its answer.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import sys
import threading
import time
from typing import Any

from session_client import LONGEST, Event, SessionClient, session_pb2

out_lock = threading.Lock()


def show(events: list[Event]) -> None:
    text = "".join(json.dumps(event) + "\n" for event in events).encode()
    with out_lock:
        while text:  # a pipe may take less than all
            text = text[os.write(1, text):]


def parse(line: str) -> dict[str, Any]:
    if line.startswith("{"):
        return json.loads(line)
    to, colon, text = line.partition(":")
    if not colon:
        raise ValueError('write "bob: Hello", or JSON')
    return {"to": to.strip(), "text": text.strip()}


def take(client: SessionClient, lines: list[str]) -> None:
    """Lines that are there together become one step on disk, and so one frame."""
    sends: list[session_pb2.SendRequest] = []
    for line in lines:
        try:
            command = parse(line)
            if "to" in command:
                request = session_pb2.SendRequest(friend=command["to"], text=command["text"],
                                                  client_id=command.get("id", ""),
                                                  client_time_ms=time.time_ns() // 1_000_000)
                sends.append(client.checked(request))
            elif "fetch" in command:
                found = client.fetch(command["fetch"], command["first"], command["last"])
                show([{"fetched": entry} for entry in found])
            elif "read" in command:
                client.read(command["read"], command["seq"])
        except Exception as error:  # a line that is wrong ends nothing
            show([{"error": {"line": line, "message": str(error)}}])
    if sends:
        client.send(sends)


def read_stdin(client: SessionClient) -> None:
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            if line.strip():
                lines.put(line.strip())
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    ended = False
    while not ended:
        ready = [lines.get()]
        while not lines.empty():
            ready.append(lines.get())
        ended = None in ready
        take(client, [line for line in ready if line is not None])
    client.close()


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--server", default="http://127.0.0.1:8080")
    arguments.add_argument("--state", required=True, help="this device's file; one process at a time")
    arguments.add_argument("--user", required=True)
    arguments.add_argument("--password", required=True)
    arguments.add_argument("--register", action="store_true", help="make the account first")
    arguments.add_argument("--longest-backoff", type=float, default=LONGEST,
                           help="seconds between two tries to connect")
    given = arguments.parse_args()
    client = SessionClient(given.server, given.state, given.user, given.password, register=given.register,
                           on_events=show, longest_backoff=given.longest_backoff)
    threading.Thread(target=read_stdin, args=(client,), daemon=True).start()
    try:
        why = client.run()
    except KeyboardInterrupt:
        why = "interrupted"
    show([{"ended": {"why": why}}])
    sys.stdout.flush()
    os._exit(0 if why == "closed" else 1)  # threads of grpcio may still wait


if __name__ == "__main__":
    main()
