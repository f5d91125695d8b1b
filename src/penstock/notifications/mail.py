"""Notifications by e-mail."""

from __future__ import annotations

import dataclasses
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from penstock.notifications.event import RunEvent
from penstock.notifications.target import DeliveryError, Target

_SECONDS = 20.0
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
SECURITY = tuple(_PORTS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mail(Target):
    """People who get an e-mail, through a server that speaks SMTP.

    Args:
        host: The server.
        sender: Who it is from.
        to: Whom it goes to.
        port: By default what is usual for `security`: 587, 465 or 25.
        security: `starttls`, `tls`, or `none` for a server on this machine.
        user: Name to log in with; none if the server does not ask.
        password: Its password.
    """

    host: str
    sender: str
    to: Sequence[str]
    port: int = 0
    security: str = "starttls"
    user: str = ""
    password: str = dataclasses.field(default="", repr=False)

    def message(self, event: RunEvent) -> EmailMessage:
        """Return the e-mail."""
        message = EmailMessage()
        # A header has one line.
        message["Subject"] = " ".join(f"[penstock] {event.subject}".split())[:200]
        message["From"] = self.sender
        message["To"] = ", ".join(self.to)
        message["Date"] = formatdate(localtime=True)
        message["Message-ID"] = make_msgid(domain="penstock")
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(event.text + "\n")
        return message

    def send(self, event: RunEvent) -> None:
        """Hand it to the server."""
        port = self.port or _PORTS[self.security]
        context = ssl.create_default_context()
        try:
            if self.security == "tls":
                server: smtplib.SMTP = smtplib.SMTP_SSL(
                    self.host, port, timeout=_SECONDS, context=context
                )
            else:
                server = smtplib.SMTP(self.host, port, timeout=_SECONDS)
            with server:
                if self.security == "starttls":
                    server.starttls(context=context)
                if self.user:
                    server.login(self.user, self.password)
                refused = server.send_message(self.message(event))
        except (OSError, smtplib.SMTPException) as error:
            raise DeliveryError(f"{self.host}:{port}: {error}") from None
        if refused:
            raise DeliveryError(f"{self.host}:{port} refused {', '.join(refused)}")
