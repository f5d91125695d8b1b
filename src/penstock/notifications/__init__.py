"""Notifications about runs: to a webhook, to Slack, by e-mail."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.notifications.config import ConfigError, read_targets
    from penstock.notifications.delivery import Delivery, deliver
    from penstock.notifications.event import RunEvent
    from penstock.notifications.mail import Mail
    from penstock.notifications.target import Target
    from penstock.notifications.verdict_filter import VerdictFilter
    from penstock.notifications.webhook import Slack, Webhook

_MODULE_OF = {
    "ConfigError": "config",
    "Delivery": "delivery",
    "Mail": "mail",
    "RunEvent": "event",
    "Slack": "webhook",
    "Target": "target",
    "VerdictFilter": "verdict_filter",
    "Webhook": "webhook",
    "deliver": "delivery",
    "read_targets": "config",
}

__all__ = [
    "ConfigError",
    "Delivery",
    "Mail",
    "RunEvent",
    "Slack",
    "Target",
    "VerdictFilter",
    "Webhook",
    "deliver",
    "read_targets",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
