"""Whom notifications go to, what they say, and that they arrive."""

from __future__ import annotations

import base64
import email
import email.policy

import pytest

from penstock.artifacts import Verdict
from penstock.notifications import (
    ConfigError,
    Delivery,
    Mail,
    RunEvent,
    Slack,
    VerdictFilter,
    Webhook,
    deliver,
    read_targets,
)

FAILED = RunEvent(
    pipeline="penguin", run_id="r1", state="FAILED", error="Trainer: a < b & c", project="/srv/p",
    started=0.0, seconds=12.5, resume_command="penstock resume r1", schedule="nightly",
)  # fmt: skip
DRIFT = RunEvent(
    pipeline="monitor",
    run_id="r2",
    state="COMPLETE",
    verdicts={"Drift": Verdict("drift in sex: 0.3 above 0.1", False), "Pusher": Verdict("pushed")},
    words={"Drift": "drift"},
)
FINE = RunEvent(
    pipeline="monitor", run_id="r3", state="COMPLETE", verdicts={"Drift": Verdict("none")}
)


def write(tmp_path, text):
    path = tmp_path / "notifications.toml"
    path.write_text(text)
    return path


def test_what_happened_is_the_first_thing_that_is_said():
    assert FAILED.subject == "penguin failed: Trainer: a < b & c"
    assert DRIFT.subject == "monitor: Drift: drift in sex: 0.3 above 0.1"
    assert FINE.subject == "monitor is complete"
    good = RunEvent(
        pipeline="p",
        run_id="r",
        state="COMPLETE",
        verdicts={"Gate": Verdict("candidate: better"), "Pusher": Verdict("pushed")},
        words={"Gate": "candidate"},
    )
    assert good.subject == "p: Gate: candidate: better"
    assert "run r1 of penguin by the schedule nightly: failed" in FAILED.text
    assert "took 12.5 s" in FAILED.text
    assert "penstock resume r1" in FAILED.text


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, ["r1", "r2"]),
        ({"on": ["failure"]}, ["r1"]),
        ({"on": ["success"]}, ["r2", "r3"]),
        ({"on": ["verdict"]}, ["r2"]),
        ({"on": ["failure", "verdict", "success"], "pipelines": ["monitor"]}, ["r2", "r3"]),
        ({"on": ["verdict"], "verdicts": [VerdictFilter("Pusher")]}, []),
        ({"on": ["verdict"], "verdicts": [VerdictFilter("Pusher", "pushed")]}, ["r2"]),
        ({"on": ["verdict"], "verdicts": [VerdictFilter("Drift", "drift")]}, ["r2"]),
        # A word counts as a whole; a sentence by its beginning.
        ({"on": ["verdict"], "verdicts": [VerdictFilter("Drift", "dri")]}, []),
        ({"on": ["verdict"], "verdicts": [VerdictFilter("Drift", "NONE")]}, ["r3"]),
    ],
)
def test_who_is_told_of_what(settings, told):
    target = Webhook(name="t", url="http://x", **settings)
    assert [each.run_id for each in (FAILED, DRIFT, FINE) if target.wants(each)] == told


def test_a_run_that_a_person_stopped_is_no_failure():
    stopped = RunEvent(pipeline="p", run_id="r", state="CANCELED")
    assert not Webhook(name="t", url="http://x").wants(stopped)


def test_a_webhook_gets_the_event(webhook, tmp_path, monkeypatch):
    monkeypatch.setenv("HOOK", webhook.url)
    monkeypatch.setenv("HOOK_TOKEN", "Bearer secret")
    file = write(
        tmp_path,
        "[targets.ops]\nkind = 'webhook'\nurl = '$HOOK'\nheaders = {Authorization = '$HOOK_TOKEN'}\n"
        "[targets.team]\nkind = 'slack'\nurl = '${HOOK}'\non = ['verdict']\n",
    )
    targets = read_targets(file)
    assert "secret" not in repr(targets)
    assert webhook.url not in repr(targets)
    assert deliver(DRIFT, targets) == [Delivery("ops"), Delivery("team")]
    event, message = webhook.taken
    assert event["state"] == "COMPLETE"
    assert event["verdicts"]["Drift"] == {"ok": False, "text": "drift in sex: 0.3 above 0.1"}
    assert event["words"] == {"Drift": "drift"}
    assert webhook.headers[0]["Authorization"] == "Bearer secret"
    assert message["text"] == "monitor: Drift: drift in sex: 0.3 above 0.1"
    assert message["blocks"][0]["text"]["text"].startswith(":large_yellow_circle: *monitor")


def test_slack_s_own_characters_are_escaped():
    message = Slack(name="s", url="http://x").body(FAILED)
    assert message["text"] == "penguin failed: Trainer: a &lt; b &amp; c"


def test_it_is_tried_again_and_one_that_fails_stops_no_other(webhook):
    pauses: list[float] = []
    first = Webhook(name="first", url=webhook.url)
    second = Webhook(name="second", url=webhook.url)
    webhook.codes = [500, 200]
    assert deliver(FAILED, [first], sleep=pauses.append) == [Delivery("first")]
    assert pauses == [1.0]
    webhook.codes = [404, 302, 503, 200]
    done = deliver(FAILED, [first, second], sleep=pauses.append)
    assert done[0].error.startswith("it answered 503 Service Unavailable: no such hook")
    assert done[1] == Delivery("second")
    assert len(webhook.taken) == 6, "a redirect is no delivery, and is not followed"


def test_a_server_that_is_not_there_is_told():
    unreachable = Webhook(name="t", url="http://127.0.0.1:9/")
    (done,) = deliver(FAILED, [unreachable], sleep=lambda seconds: None)
    assert "cannot be reached" in done.error
    assert "127.0.0.1" not in done.error, "the URL of a webhook is a secret"


def mail(server, **settings) -> Mail:
    fields = {"sender": "penstock@example.org", "to": ["ann@example.org", "bob@example.org"]}
    security = {"security": "none", "host": "127.0.0.1", "port": server.port}
    return Mail(name="mail", **{**fields, **security, **settings})


def test_an_e_mail_arrives(mail_server):
    target = mail(mail_server, user="penstock", password="secret")
    assert "secret" not in repr(target)
    assert deliver(FAILED, [target]) == [Delivery("mail")]
    (text,) = mail_server.mails
    message = email.message_from_string(text, policy=email.policy.default)
    assert message["Subject"] == "[penstock] penguin failed: Trainer: a < b & c"
    assert message["To"] == "ann@example.org, bob@example.org"
    assert "penstock resume r1" in message.get_content()
    assert mail_server.recipients == ["ann@example.org", "bob@example.org"]
    assert base64.b64decode(mail_server.logins[0]) == b"\0penstock\0secret"


def test_an_e_mail_that_is_refused_is_told(mail_server):
    mail_server.refused = {"bob"}
    quiet = {"sleep": lambda seconds: None}
    (done,) = deliver(FAILED, [mail(mail_server)], **quiet)
    assert done.error == f"127.0.0.1:{mail_server.port} refused bob@example.org"
    (done,) = deliver(FAILED, [mail(mail_server, security="starttls")], **quiet)
    assert "STARTTLS extension not supported" in done.error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[target.x]", "it has tables .targets.NAME.. Received: 'target'"),
        ("[targets.x]\nkind = 'sms'", "kind is webhook, slack, email. Received: 'sms'"),
        ("[targets.x]\nkind = 'slack'", r"\[targets.x\] slack needs url"),
        ("[targets.x]\nkind = 'slack'\nulr = 'http://x'", "no field 'ulr'. Did you mean 'url'"),
        ("[targets.x]\nkind = 'slack'\nurl = 'slack.com'", "url begins with https"),
        ("[targets.x]\nkind = 'slack'\nurl = '$NOT_SET_1'", "variable NOT_SET_1 is not set"),
        ("[targets.x]\nkind = 'slack'\nurl = 'http://x'\non = ['fail']", "is of failure, verdict"),
        ("[targets.x]\nkind = 'slack'\nurl = 'http://x'\non = 'failure'", "on is a list of texts"),
        (
            "[targets.x]\nkind = 'slack'\nurl = 'http://x'\non = ['failure']\nverdicts = ['A']",
            "has verdicts, but 'verdict' is not in its on",
        ),
        (
            "[targets.x]\nkind = 'email'\nhost = 'h'\nsender = 's'\nto = ['t']\nsecurity = 'ssl'",
            "security is starttls, tls, none. Received: 'ssl'",
        ),
        ("[targets", "is not valid TOML"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_place(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        read_targets(write(tmp_path, text))


def test_without_a_file_nobody_is_told(tmp_path):
    assert read_targets(tmp_path / "notifications.toml") == []
