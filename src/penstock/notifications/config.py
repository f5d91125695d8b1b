"""Reading whom notifications go to, from a project's `notifications.toml`.

[targets.team]
kind = "slack"
url = "$SLACK_URL"
on = ["failure", "verdict"]

[targets.owner]
kind = "email"
host = "mail.example.org"
sender = "penstock@example.org"
to = ["ann@example.org"]
user = "penstock"
password = "$SMTP_PASSWORD"
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.notifications.mail import SECURITY, Mail
from penstock.notifications.target import OCCASIONS, Target
from penstock.notifications.verdict_filter import VerdictFilter
from penstock.notifications.webhook import Slack, Webhook
from penstock.spelling import did_you_mean

FILE = "notifications.toml"
_KINDS: Mapping[str, type[Target]] = {"webhook": Webhook, "slack": Slack, "email": Mail}
_LISTS = ("on", "pipelines", "verdicts", "to")


class ConfigError(ValueError):
    """A file of notifications is wrong; the message says where."""


def read_targets(path: str | os.PathLike[str]) -> list[Target]:
    """Return the targets of a file; none if there is no such file.

    A text that begins with `$` is the name of an environment variable that holds the value, so that no
    secret is in the file; `$$` stands for a `$`.

    Raises:
        ConfigError: If the file is no TOML, a field is unknown, missing or wrong, or a variable is not
            set.

    Example:
        >>> [target.name for target in read_targets("notifications.toml")]
        ['team', 'owner']
    """
    try:
        config = tomllib.loads(Path(path).read_text("utf-8"))
    except FileNotFoundError:
        return []
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    for key in config:
        if key != "targets":
            raise ConfigError(f"{path}: it has tables [targets.NAME]. Received: {key!r}")
    tables = config.get("targets", {})
    if not isinstance(tables, dict) or not all(isinstance(each, dict) for each in tables.values()):
        raise ConfigError(f"{path}: it has tables [targets.NAME]. Received: targets={tables!r}")
    return [_target(f"{path}: [targets.{name}]", name, table) for name, table in tables.items()]


def _target(where: str, name: str, table: Mapping[str, Any]) -> Target:
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ConfigError(f"{where} kind is {', '.join(_KINDS)}. Received: {kind!r}")
    fields = {each.name: each for each in dataclasses.fields(_KINDS[kind]) if each.name != "name"}
    given: dict[str, Any] = {}
    for key, value in table.items():
        if key == "kind":
            continue
        if key not in fields:
            raise ConfigError(
                f"{where} {kind} has no field {key!r}.{did_you_mean(key, [*fields, 'kind'])}"
            )
        given[key] = _value(f"{where} {key}", key, value)
    missing = [
        each.name
        for each in fields.values()
        if each.default is dataclasses.MISSING
        and each.default_factory is dataclasses.MISSING
        and each.name not in given
    ]
    if missing:
        raise ConfigError(f"{where} {kind} needs {', '.join(missing)}")
    _check(where, given)
    return _KINDS[kind](name=name, **given)


def _value(where: str, key: str, value: Any) -> Any:
    """Return a field's value, checked and with environment variables filled in."""
    if key == "port":
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 65536:
            raise ConfigError(f"{where} is 1 to 65535. Received: {value!r}")
        return value
    if key == "headers":
        if not isinstance(value, dict):
            raise ConfigError(f"{where} is a table of headers. Received: {value!r}")
        return {name: _text(f"{where}.{name}", each) for name, each in value.items()}
    if key in _LISTS:
        if not isinstance(value, list) or not value:
            raise ConfigError(f"{where} is a list of texts. Received: {value!r}")
        texts = [_text(where, each) for each in value]
        if key != "verdicts":
            return texts
        try:
            return [VerdictFilter.parse(each) for each in texts]
        except ValueError as error:
            raise ConfigError(f"{where} {error}") from None
    return _text(where, value)


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where} is a text. Received: {value!r}")
    if value.startswith("$$"):
        return value[1:]
    if not value.startswith("$"):
        return value
    variable = value[1:].strip("{}")
    found = os.environ.get(variable)
    if not found:
        raise ConfigError(f"{where}: the environment variable {variable} is not set")
    return found


def _check(where: str, given: Mapping[str, Any]) -> None:
    for each in given.get("on", ()):
        if each not in OCCASIONS:
            raise ConfigError(f"{where} on is of {', '.join(OCCASIONS)}. Received: {each!r}")
    if given.get("security", SECURITY[0]) not in SECURITY:
        raise ConfigError(
            f"{where} security is {', '.join(SECURITY)}. Received: {given['security']!r}"
        )
    url = given.get("url")
    if url is not None and not url.startswith(("https://", "http://")):
        # The URL of a webhook is a secret.
        raise ConfigError(f"{where} url begins with https:// or http://")
    if given.get("verdicts") and "verdict" not in given.get("on", ("verdict",)):
        raise ConfigError(f"{where} has verdicts, but 'verdict' is not in its on")
    if given.get("password") and not given.get("user"):
        raise ConfigError(f"{where} has a password and no user")
