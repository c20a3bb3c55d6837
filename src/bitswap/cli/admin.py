"""What `bitswap serve --admin` answers: questions about the running node, over HTTP, read only.

Answers are JSON, but for /metrics, which Prometheus reads.
"""

from __future__ import annotations

import io
import ipaddress
import json
import logging
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bitswap.cli.answers import ANSWERS, METRICS, Query, Record
from bitswap.cli.arguments import endpoint_text
from bitswap.cli.scrape import CONTENT_TYPE, Scrape
from bitswap.errors import BitswapError, UsageError

log = logging.getLogger(__name__)

REQUEST_SECONDS = 5.0
"""Requests are answered one after the other, so each has so long to arrive, and its answer to leave."""


@contextmanager
def answering(
    node: Any,
    endpoint: tuple[str, int],
    scrape: Scrape | None = None,
    answers: Mapping[str, Callable[[Any, Query], Record]] = ANSWERS,
) -> Iterator[str]:
    """Answer questions about `node` at (host, port) until the end; yields HOST:PORT as it really is.

    `answers` has for each path what answers it, given `node` and the query; without it `node` is a Bitswap.

    A name is listened on only where it stands for a loopback address; any other address has to be written
    out. Raises UsageError when that is not so, or nothing can be listened on there.
    """
    server = _Server(node, endpoint, scrape, answers)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="bitswap-admin", daemon=True
    )
    thread.start()
    try:
        yield endpoint_text(*server.socket.getsockname()[:2])
    finally:
        server.end()
        thread.join()


def _bindable(host: str, port: int) -> tuple[int, tuple[Any, ...]]:
    """Address family and socket address to listen on."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--admin: {host!r} is not an address: {error}") from None
    places = [(int(family), where) for family, _, _, _, where in found]
    if _is_address(host):
        return places[0]
    for family, where in places:
        if ipaddress.ip_address(str(where[0]).partition("%")[0]).is_loopback:
            return family, where
    raise UsageError(f"--admin: {host} is not this machine alone; to answer others, give the address itself")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


class _Server(socketserver.TCPServer):
    # On Windows the option would let two programs have the same port.
    allow_reuse_address = os.name != "nt"

    def __init__(
        self,
        node: Any,
        endpoint: tuple[str, int],
        scrape: Scrape | None,
        answers: Mapping[str, Callable[[Any, Query], Record]],
    ) -> None:
        self.node = node
        self.scrape = scrape
        self.answers = answers
        self.host = endpoint[0]
        self._ending = False
        self._current: socket.socket | None = None
        self.address_family, where = _bindable(*endpoint)
        try:
            super().__init__(where, _Handler)
        except OSError as error:
            raise UsageError(f"--admin: cannot listen on {endpoint_text(*endpoint)}: {error}") from None

    def end(self) -> None:
        """Stop at once; a request that is still arriving is cut off."""
        self._ending = True
        current = self._current
        if current is not None:
            try:
                current.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has just ended by itself
        self.shutdown()
        self.server_close()

    def finish_request(self, request: Any, client_address: Any) -> None:
        # In this order: whoever ends the server sees the request, or the request sees the end.
        self._current = request
        try:
            if not self._ending:
                super().finish_request(request, client_address)
        finally:
            self._current = None

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("request from %s failed", client_address, exc_info=True)


class _Deadline(io.RawIOBase):
    """Reads a socket up to a point in time, so that nobody keeps the others waiting byte by byte."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._end = time.monotonic() + REQUEST_SECONDS

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request did not arrive in time")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = REQUEST_SECONDS
    server_version = "bitswap"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_Deadline(self.connection))

    def do_GET(self) -> None:
        if not self._is_meant():
            self.send_error(HTTPStatus.FORBIDDEN, "the Host header names somebody else")
            return
        try:
            url = urlsplit(self.path)
            answer = self.server.answers.get(url.path)
            if answer is None and url.path == METRICS and self.server.scrape is not None:
                self._reply_metrics(self.server.scrape)
                return
            if answer is None:
                self.send_error(
                    HTTPStatus.NOT_FOUND, f"there is {', '.join([*self.server.answers, METRICS])}"
                )
                return
            query = {name: values[-1] for name, values in parse_qs(url.query, max_num_fields=8).items()}
            record = answer(self.server.node, query)
        except ValueError as error:  # UsageError is one
            self.send_error(HTTPStatus.BAD_REQUEST, str(error))
        except BitswapError as error:
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        else:
            self._reply(HTTPStatus.OK, record)

    def _is_meant(self) -> bool:
        """Whether the request was made to this address, and not to a name that was turned to point here.

        A page in a browser may ask under a name of its own (DNS rebinding); it cannot ask under ours.
        """
        given = self.headers.get_all("Host", [])
        if len(given) != 1:
            return False
        try:
            host = urlsplit(f"//{given[0].strip()}").hostname
        except ValueError:
            return False
        # An IPv6 socket may serve IPv4 too, and writes such addresses so.
        reached = str(self.connection.getsockname()[0]).lower().removeprefix("::ffff:")
        return host in ("localhost", self.server.host.lower(), reached)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """In JSON, as every answer; a method that is not known is one that is not allowed."""
        if code == HTTPStatus.NOT_IMPLEMENTED:
            code, message = HTTPStatus.METHOD_NOT_ALLOWED, "only GET is answered"
        self._reply(code, {"error": message or HTTPStatus(code).phrase})

    def _reply_metrics(self, scrape: Scrape) -> None:
        try:
            body = scrape.text()
        except UsageError as error:
            self.send_error(HTTPStatus.NOT_FOUND, str(error))
        else:
            self._send(HTTPStatus.OK, CONTENT_TYPE, body)

    def _reply(self, code: int, record: Record) -> None:
        self._send(code, "application/json", json.dumps(record, ensure_ascii=False).encode() + b"\n")

    def _send(self, code: int, content_type: str, body: bytes) -> None:
        self.close_connection = True
        # The reader left what remained of its own time.
        self.connection.settimeout(REQUEST_SECONDS)
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        if code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)
