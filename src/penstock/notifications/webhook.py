"""Notifications over HTTP: the event as JSON, or in the form that Slack's incoming webhooks take."""

from __future__ import annotations

import dataclasses
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from penstock.notifications.event import RunEvent
from penstock.notifications.target import DeliveryError, Target

_SECONDS = 10.0
_LONGEST = 3000
"""Characters that a section of a Slack message takes."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **settings: Any) -> None:
        """Follow none: urllib would repeat a POST as a GET."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Webhook(Target):
    """A URL that gets the event as JSON (`RunEvent.to_json`) by POST.

    Args:
        url: Where to.
        headers: Further headers, such as `Authorization`.
    """

    url: str = dataclasses.field(repr=False)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)

    def body(self, event: RunEvent) -> Any:
        """Return what is sent, as a JSON value."""
        return event.to_json()

    def send(self, event: RunEvent) -> None:
        """Send it; an answer of 2xx is a yes."""
        request = urllib.request.Request(
            self.url,
            json.dumps(self.body(event)).encode(),
            {"Content-Type": "application/json", "User-Agent": "penstock", **self.headers},
            method="POST",
        )
        try:
            opener = urllib.request.build_opener(_NoRedirects)
            with opener.open(request, timeout=_SECONDS) as answer:
                answer.read(1)
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(200).decode("utf-8", "replace").strip()
            raise DeliveryError(f"it answered {error.code} {error.reason}: {said}") from None
        except urllib.error.URLError as error:
            raise DeliveryError(f"it cannot be reached: {error.reason}") from None
        except (OSError, http.client.HTTPException) as error:
            raise DeliveryError(f"it cannot be reached: {error}") from None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Slack(Webhook):
    """An incoming webhook of Slack, or of what takes the same, such as Mattermost.

    Source of the format: https://api.slack.com/messaging/webhooks.
    """

    def body(self, event: RunEvent) -> Any:
        """Return the event as a message: a line for lists, and a block with everything."""
        mark = ":red_circle:" if event.failed else ":large_yellow_circle:"
        if not event.failed and all(each.ok for each in event.verdicts.values()):
            mark = ":large_green_circle:"
        subject, text = _escaped(event.subject), _escaped(event.text)
        section = f"{mark} *{subject}*\n{text}"[:_LONGEST]
        return {
            "text": subject,
            "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": section}}],
        }


def _escaped(text: str) -> str:
    """Return text with the three characters that Slack reads as its own replaced."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
