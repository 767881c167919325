"""The account over HTTP: section 2 of docs/protocol.md."""

import json
import time
import urllib.error
import urllib.request
from typing import Any

from state import State


class LoginOver(Exception):
    """The login has ended: a person must log in again."""


class Account:
    """Register, log in and refresh. The tokens are kept in the state."""

    def __init__(self, url: str, state: State) -> None:
        self._url = url
        self._state = state
        self._access = ""
        self._expires = 0.0

    def register(self, username: str, password: str) -> None:
        self._take(self._post("register", {"username": username, "password": password}))

    def login(self, username: str, password: str) -> None:
        self._take(self._post("login", {"username": username, "password": password}))

    def expire(self) -> None:
        """The server did not take the access token."""
        self._expires = 0.0

    def token(self) -> str:
        """A valid access token. Raises LoginOver, or OSError where the server cannot answer now."""
        # A minute before its end, for the clocks may differ.
        if time.monotonic() < self._expires - 60:
            return self._access
        refresh = self._state.get("refresh_token")
        if not refresh:
            raise LoginOver("log in first")
        try:
            self._take(self._post("refresh", {"refresh_token": refresh}))
        except urllib.error.HTTPError as error:
            if error.code == 401:
                raise LoginOver(_detail(error)) from error
            raise
        return self._access

    def _take(self, grant: dict[str, Any]) -> None:
        # First to the disk: the old one does not work any more.
        self._state.set(refresh_token=grant["refresh_token"], username=grant["user"]["username"])
        self._access = grant["access_token"]
        self._expires = time.monotonic() + grant["expires_in"]

    def _post(self, path: str, body: dict[str, str]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self._url}/auth/{path}",
            data=json.dumps(body).encode(),
            headers={"content-type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=15) as answer:
            return json.load(answer)


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError):
        return str(error)
