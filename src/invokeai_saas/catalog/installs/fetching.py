"""HTTPS from other people's servers, so that nobody can make us speak with our own.

A source's host must be on the allow-list; from there a redirect may lead to any public host, because that is where
model sites keep their files. Every name is resolved here, every address looked at, and the connection made to the
very address that was looked at: a name that points elsewhere the second time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from invokeai_saas.errors import InvalidInput, ServiceError
from invokeai_saas.settings import Settings

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 5
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 30.0  # without a byte
_MAX_URL = 4096
# Ranges that lead into IPv4, where the address inside would have to be looked at.
_DISGUISES = tuple(
    ipaddress.ip_network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
)
_HOST = re.compile(r"[a-z0-9.-]{1,253}")


class SourceRefused(ServiceError):
    """The source said no, or is no place that we go to. Trying again changes nothing."""

    status = 422
    code = "source_refused"


class SourceAway(ServiceError):
    """The source cannot be reached right now, or broke off. Trying again may help."""

    status = 503
    code = "source_away"


@dataclass(frozen=True)
class Answer:
    """An open answer. Parameters: url: after redirects; headers: by lower-case name."""

    status: int
    url: str
    headers: Mapping[str, str]
    response: http.client.HTTPResponse = field(repr=False)

    def chunks(self, size: int = 2**20) -> Iterator[bytes]:
        """The body, piece by piece. Raises SourceAway when it breaks off."""
        while True:
            try:
                data = self.response.read(size)
            except (OSError, http.client.HTTPException) as error:
                raise SourceAway("The download broke off.") from error
            if not data:
                return
            yield data

    def body(self, limit: int) -> bytes:
        """The whole body. Raises SourceRefused past `limit` bytes."""
        data = bytearray()
        for chunk in self.chunks(2**16):
            data += chunk
            if len(data) > limit:
                raise SourceRefused("The source's answer is too long.")
        return bytes(data)


class Fetcher:
    """Opens sources.

    Parameters:
        settings: the allow-list. `model_sources_on_this_machine` is for tests: it lets plain HTTP and loopback pass.
    """

    def __init__(self, settings: Settings) -> None:
        self._hosts = [host.strip().lower() for host in settings.model_hosts.split(",") if host.strip()]
        self._local = settings.model_sources_on_this_machine
        self._tls = ssl.create_default_context()

    def check_source(self, url: str) -> None:
        """Raises InvalidInput for an address that is not https, or whose host is not on the list."""
        host = self._check(url)
        if not any(host == allowed or host.endswith(f".{allowed}") for allowed in self._hosts):
            listed = ", ".join(self._hosts)
            raise _bad(f"Models can be installed from these sites: {listed}.")

    def _check(self, url: str) -> str:
        """The host. Raises InvalidInput."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise _bad("This is no web address.") from error
        host = (parts.hostname or "").lower().rstrip(".")
        if len(url) > _MAX_URL or not url.isascii() or re.search(r"[\x00-\x20\x7f\\]", url):
            raise _bad("This is no web address.")
        if self._local:
            return host
        if parts.scheme != "https" or port not in (None, 443) or parts.username is not None:
            raise _bad("The address must begin with https:// and name no port, user or password.")
        if not _HOST.fullmatch(host) or "." not in host or host.replace(".", "").isdigit():
            raise _bad("The address must name a public host.")
        return host

    @contextmanager
    def open(
        self, url: str, *, token: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[Answer]:
        """A GET, redirects followed.

        Parameters:
            token: sent to the first host alone, as a bearer token.

        Raises:
            InvalidInput: the address is not on the list.
            SourceRefused: it leads to a place that is not public, or the answer is an error that stays.
            SourceAway: there is no answer, or an error that may pass.
        """
        self.check_source(url)
        first = urlsplit(url).netloc
        for _ in range(_MAX_REDIRECTS + 1):
            sent = {"User-Agent": "invokeai-saas", "Accept-Encoding": "identity", **(headers or {})}
            if token and urlsplit(url).netloc == first:
                sent["Authorization"] = f"Bearer {token}"
            connection = self._connect(url)
            try:
                response = self._ask(connection, url, sent)
                if response.status not in _REDIRECTS:
                    _check_status(response)
                    found = {name.lower(): value for name, value in response.getheaders()}
                    yield Answer(response.status, url, found, response)
                    return
                url = urljoin(url, response.headers.get("location", ""))
            finally:
                connection.close()
            try:
                self._check(url)
            except InvalidInput as error:
                raise SourceRefused("The source redirects to a place that we don't go to.") from error
        raise SourceRefused("The source redirects too often.")

    def _connect(self, url: str) -> http.client.HTTPConnection:
        parts = urlsplit(url)
        host, secure = (parts.hostname or "").rstrip("."), parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        connection = http.client.HTTPConnection(host, port)
        connection.sock = self._socket(host, port)
        if secure:
            try:
                connection.sock = self._tls.wrap_socket(connection.sock, server_hostname=host)
            except OSError as error:
                connection.close()
                raise SourceAway(f"{host} could not be reached safely.") from error
        connection.sock.settimeout(_READ_SECONDS)
        return connection

    def _socket(self, host: str, port: int) -> socket.socket:
        """Connected to an address that was looked at."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise SourceAway(f"{host} was not found.") from error
        if not self._local and not all(is_public(str(entry[4][0])) for entry in found):
            raise SourceRefused(f"{host} is not a public host.")
        problem: OSError | None = None
        for family, kind, protocol, _, address in found:
            opened = socket.socket(family, kind, protocol)
            opened.settimeout(_CONNECT_SECONDS)
            try:
                opened.connect(address)
            except OSError as error:
                opened.close()
                problem = error
            else:
                return opened
        raise SourceAway(f"{host} does not answer.") from problem

    @staticmethod
    def _ask(
        connection: http.client.HTTPConnection, url: str, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("GET", target, headers={"Host": parts.netloc, **headers})
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise SourceAway("The source does not answer.") from error


def _bad(message: str) -> InvalidInput:
    return InvalidInput(("source",), message)


def is_public(address: str) -> bool:
    """Whether an address is one of the open internet, whatever form it is written in."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif any(ip in net for net in _DISGUISES):
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _check_status(response: http.client.HTTPResponse) -> None:
    status = response.status
    if status in (401, 403):
        raise SourceRefused("The source wants an access token, or your token may not read this.")
    if status == 404:
        raise SourceRefused("The source has no such file.")
    if status == 416 or status in (200, 206):
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise SourceRefused("The source sends its files in a form that was not asked for.")
        return
    if status == 429 or status >= 500:
        raise SourceAway(f"The source answers with an error ({status}).")
    raise SourceRefused(f"The source answers with an error ({status}).")
