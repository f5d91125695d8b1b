"""Requests to an API server over HTTP: retried where that is safe, with errors that say what to do."""

from __future__ import annotations

import dataclasses
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

from penstock.installation import install_command
from penstock.kubeflow.answers import error_of, value_of
from penstock.kubeflow.errors import NotReachable, Refused, UnknownOnServer

if TYPE_CHECKING:
    from penstock.kubeflow.connection import Access

_CONNECT_SECONDS, _READ_SECONDS = 10.0, 60.0
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 20.0
_PASSING = (429, 500, 502, 503, 504)


class Unanswered(NotReachable):
    """A request that changes something may or may not have been carried out.

    Whoever sent it looks before sending it again.
    """


@dataclasses.dataclass(slots=True)
class Transport:
    """Sends requests to one server.

    Args:
        access: Where it is, and who is asking.
        patience: Seconds within which a request that is safe to repeat is tried again.
        sleep: Waits; for tests.

    Raises:
        ImportError: If urllib3, which Kubeflow's SDK brings, is not installed.
    """

    access: Access
    patience: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    _pool: Any = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            import urllib3
        except ImportError as error:
            raise ImportError(
                f"Talking to Kubeflow needs its SDK ({error}): {install_command('kubeflow')}"
            ) from None
        verify = self.access.tls.get("verify", True)
        settings = {name: value for name, value in self.access.tls.items() if name != "verify"}
        settings["cert_reqs"] = "CERT_REQUIRED" if verify else "CERT_NONE"
        if not verify:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        settings["timeout"] = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
        proxy = _proxy_for(self.access.url)
        make = urllib3.PoolManager if proxy is None else partial(urllib3.ProxyManager, proxy)
        self._pool = make(retries=False, **settings)

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON value at a path; repeated until it is answered.

        Args:
            path: Beginning with `/`, below the server's address.
            query: Parameters; None values are left out.

        Raises:
            KubeflowError: The kind says what to do about it.
        """
        return self._repeated("GET", path, query, None)

    def post(
        self,
        path: str,
        body: Any = None,
        query: Mapping[str, Any] | None = None,
        *,
        repeatable: bool = False,
    ) -> Any:
        """Send a JSON value and return the answer's.

        Args:
            path: Beginning with `/`, below the server's address.
            body: The value, or None.
            query: Parameters; None values are left out.
            repeatable: Whether sending it twice does the same as once.

        Raises:
            Unanswered: If it may have been carried out, and is not repeatable.
            KubeflowError: As `get`.
        """
        data = None if body is None else json.dumps(body).encode()
        if repeatable:
            return self._repeated("POST", path, query, data)
        return self._once(path, query, data, {"Content-Type": "application/json"})

    def patch(self, path: str, body: Any, query: Mapping[str, Any] | None = None) -> Any:
        """Apply an object of Kubernetes (server-side apply), and return what it is now.

        Raises:
            KubeflowError: As `get`.
        """
        data = json.dumps(body).encode()  # JSON is YAML
        return self._repeated("PATCH", path, query, data, "application/apply-patch+yaml")

    def upload(self, path: str, query: Mapping[str, Any], name: str, content: str) -> Any:
        """Send a file as a browser's form does, and return the answer's JSON value.

        Raises:
            Unanswered: If it may have been carried out.
            KubeflowError: As `get`.
        """
        from urllib3.filepost import encode_multipart_formdata

        data, kind = encode_multipart_formdata({"uploadfile": (name, content.encode())})
        return self._once(path, query, data, {"Content-Type": kind})

    def delete(self, path: str) -> None:
        """Remove what is at a path; that it is gone already is no error."""
        try:
            self._repeated("DELETE", path, None, None)
        except UnknownOnServer:
            return

    def text(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        """Return the text at a path; asked once, except where nothing was reached."""
        answer = self._sent("GET", path, query, None, {})
        if answer.status != 200:
            raise error_of("GET", path, answer, self.access)
        return str(answer.data.decode(errors="replace"))

    def lines(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[str]:
        """Yield pieces of the text at a path as they come, until the server ends it.

        Raises:
            NotReachable: If it breaks off.
        """
        import urllib3

        answer = self._sent("GET", path, query, None, {}, stream=True)
        if answer.status != 200:
            answer.read()
            raise error_of("GET", path, answer, self.access)
        try:
            for piece in answer.stream(decode_content=True):
                yield piece.decode(errors="replace")
        except urllib3.exceptions.HTTPError as error:
            raise NotReachable(f"{self.access.shown} broke off: {_reason(error)}") from None
        finally:
            answer.release_conn()

    def _repeated(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        data: bytes | None,
        kind: str = "application/json",
    ) -> Any:
        headers = {} if data is None else {"Content-Type": kind}
        until = time.monotonic() + self.patience
        wait = _FIRST_WAIT
        renewed = False
        while True:
            asked: float | None = None
            try:
                answer = self._sent(method, path, query, data, headers)
                if answer.status < 300:
                    return value_of(answer, self.access)
                error = error_of(method, path, answer, self.access)
                if answer.status == 401 and not renewed and self.access.renew():
                    renewed = True  # the token had run out
                    continue
                if answer.status not in _PASSING or isinstance(error, Refused):
                    raise error
                asked = _asked_wait(answer.headers.get("Retry-After"))
            except Unanswered as unanswered:
                error = unanswered
            wait = _next_wait(wait, asked)
            if time.monotonic() + wait > until:
                raise error
            self.sleep(wait)

    def _once(
        self,
        path: str,
        query: Mapping[str, Any] | None,
        data: bytes | None,
        headers: Mapping[str, str],
    ) -> Any:
        """Send what must not be done twice; repeat it only where the server did not begin with it."""
        until = time.monotonic() + self.patience
        wait = _FIRST_WAIT
        renewed = False
        while True:
            answer = self._sent("POST", path, query, data, headers)
            if answer.status < 300:
                return value_of(answer, self.access)
            error = error_of("POST", path, answer, self.access)
            if answer.status == 401 and not renewed and self.access.renew():
                renewed = True
                continue
            if answer.status in (500, 502, 503, 504):
                raise Unanswered(str(error)) from error
            if answer.status != 429:
                raise error
            wait = _next_wait(wait, _asked_wait(answer.headers.get("Retry-After")))
            if time.monotonic() + wait > until:
                raise error
            self.sleep(wait)

    def _sent(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        data: bytes | None,
        headers: Mapping[str, str],
        *,
        stream: bool = False,
    ) -> Any:
        """Return the response to one request; a connection that is refused is tried for a while."""
        import urllib3

        given = {name: each for name, each in (query or {}).items() if each is not None}
        url = f"{self.access.url}{path}{f'?{urlencode(given)}' if given else ''}"
        until = time.monotonic() + min(self.patience, _CONNECT_SECONDS)
        wait = _FIRST_WAIT
        while True:
            try:
                return self._pool.request(
                    method,
                    url,
                    body=data,
                    headers={**self.access.headers(), **headers},
                    preload_content=not stream,
                    redirect=False,
                )
            except (
                urllib3.exceptions.NewConnectionError,
                urllib3.exceptions.ConnectTimeoutError,
            ) as error:
                # Nothing was sent.
                if time.monotonic() + wait > until:
                    raise NotReachable(
                        f"Kubeflow is not reachable at {self.access.shown} ({_reason(error)}). "
                        f"{self.access.advice}"
                    ) from None
                self.sleep(wait)
                wait = _next_wait(wait, None)
            except urllib3.exceptions.SSLError as error:
                raise NotReachable(
                    f"TLS with {self.access.shown} failed ({_reason(error)}). If the server's certificate "
                    "is signed by an authority of your own, name its file: --ca-file, or SSL_CERT_FILE."
                ) from None
            except urllib3.exceptions.HTTPError as error:
                raise Unanswered(
                    f"{self.access.shown} did not answer {method} {path}: {_reason(error)}"
                ) from None


def _reason(error: Exception) -> str:
    """Return an error of urllib3 without its object's address."""
    inner: BaseException = getattr(error, "reason", None) or error
    if not isinstance(inner, BaseException):
        return str(inner)
    text = str(inner)
    return text.rpartition(">: ")[2] or text or type(inner).__name__


def _proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for an address (`HTTPS_PROXY`, `NO_PROXY`)."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    return None if proxy is None or proxy_bypass(parts.hostname or "") else proxy


def _asked_wait(text: str | None) -> float | None:
    """Return the seconds that a server asks to wait; a date is not read."""
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:
        return None


def _next_wait(before: float, asked: float | None) -> float:
    if asked is not None:
        return asked
    return min(_LONGEST_WAIT, before * 2) * random.uniform(0.7, 1.0)
