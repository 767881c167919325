"""
A command line for people and programs. It reads a JSON object from each line, and writes what happens so:

{"to": "bob", "text": "Hello"}, with an "id" if it is to be sent once, however often it is given
{"read": "ada:bob", "seq": 7}
{"fetch": "ada:bob", "first": 1, "last": 99}
{"list": "ada:bob"}
{"close": true}
"""

import argparse
import json
import sys
import threading
import urllib.error
import uuid

import grpc

from account import Account, LoginOver
from session_client import LONGEST_BACKOFF, SessionClient
from state import State

_writing = threading.Lock()


def say(event: dict[str, object]) -> None:
    with _writing:
        print(json.dumps(event), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--server", default="http://127.0.0.1:8080")
    parser.add_argument("--state", required=True, help="the file in which everything is kept")
    parser.add_argument("--user", help="log in as this person; without, the login in the state goes on")
    parser.add_argument("--password")
    parser.add_argument("--register", action="store_true")
    parser.add_argument(
        "--longest-backoff", type=float, default=LONGEST_BACKOFF, help="seconds between two tries to connect"
    )
    options = parser.parse_args()
    state = State(options.state)
    account = Account(options.server, state)
    try:
        if options.user:
            (account.register if options.register else account.login)(options.user, options.password)
        account.token()
    except (LoginOver, urllib.error.HTTPError) as error:
        say({"ended": str(error)})
        sys.exit(1)
    except OSError:
        # The server is away. The session waits for it.
        pass
    client = SessionClient(options.server, account, state, say, options.longest_backoff)
    client.start()
    for line in sys.stdin:
        command = json.loads(line)
        if "to" in command:
            client.send(command["to"], command["text"], command.get("id") or str(uuid.uuid4()))
        elif "read" in command:
            client.mark_read(command["read"], command["seq"])
        elif "fetch" in command:
            fetch(client, command)
        elif "list" in command:
            messages = [
                {"seq": seq, "sender": sender, "text": text}
                for seq, sender, text in state.messages(command["list"])
            ]
            say({"list": messages})
        elif "close" in command:
            break
    client.close()


def fetch(client: SessionClient, command: dict[str, object]) -> None:
    try:
        client.fetch(str(command["fetch"]), int(str(command["first"])), int(str(command["last"])))
        say({"fetched": command["fetch"]})
    except grpc.RpcError as error:
        say({"not_fetched": str(error.code())})


if __name__ == "__main__":
    main()
