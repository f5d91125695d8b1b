"""What an API server's answer says: its value, or the error that it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from penstock.kubeflow.errors import (
    Busy,
    KubeflowError,
    NameTaken,
    NotAllowed,
    NotAuthenticated,
    Refused,
    ServerFault,
    UnknownOnServer,
)

if TYPE_CHECKING:
    from penstock.kubeflow.connection import Access

_SHOWN = 400
"""Characters of an answer that are told."""

_NOT_OF_ITS_SCHEMA = "failed to create typed patch object"
"""What Kubernetes says, with the status 500, of an applied object that has an unknown field."""

_KINDS: Mapping[int, type[KubeflowError]] = {
    401: NotAuthenticated,
    403: NotAllowed,
    404: UnknownOnServer,
    409: NameTaken,
    429: Busy,
    503: Busy,
}


def value_of(answer: Any, access: Access) -> Any:
    """Return the JSON value of an answer; an empty object for none.

    Raises:
        NotAuthenticated: If it is a login page.
        ServerFault: If it is something else.
    """
    text = answer.data.decode(errors="replace")
    if not text.strip():
        return {}
    try:
        return json.loads(text)
    except ValueError:
        if "<html" in text[:1000].lower():
            raise NotAuthenticated(_login(access)) from None
        raise ServerFault(
            f"{access.shown} answered with something else than JSON: {text[:_SHOWN]}"
        ) from None


def error_of(method: str, path: str, answer: Any, access: Access) -> KubeflowError:
    """Return the error that an answer is, in words that say what to do."""
    status = answer.status
    said = _message(answer.data)
    if status in (301, 302, 303, 307, 308):
        return NotAuthenticated(_login(access))
    what = f"{method} {urlsplit(path).path} at {access.shown}"
    if status == 401:
        return NotAuthenticated(
            f"{access.shown} does not accept who is asking (401{said}). {access.login}"
        )
    if status == 403:
        return NotAllowed(
            f"{what} is not allowed (403{said}). Ask for the right, or name another namespace with "
            "--namespace."
        )
    if _NOT_OF_ITS_SCHEMA in said:
        return Refused(f"{what}: {said.removeprefix(', ')}")
    kind = _KINDS.get(status, ServerFault if status >= 500 else Refused)
    return kind(f"{what}: {status}{said}")


def _login(access: Access) -> str:
    return f"{access.shown} answered with a login page instead of data. {access.login}"


def _message(data: bytes) -> str:
    """Return what an answer says of an error, in one line beginning with a comma, or nothing."""
    text = data.decode(errors="replace").strip()
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, dict):
        text = str(value.get("error_message") or value.get("message") or value.get("error") or "")
    elif "<html" in text[:1000].lower():
        text = ""
    text = " ".join(text.split())
    return f", {text[:_SHOWN]}" if text else ""
