from __future__ import annotations

import json

import pytest

from penstock.cli import main


def said(capsys, *words: str, code: int = 0) -> str:
    assert main(list(words)) == code
    told = capsys.readouterr()
    return told.out if code == 0 else told.err


def test_schedules_are_made_listed_paused_and_removed(project, capsys):
    make = ("schedule", "pipelines/words.py", "--cron", "0 3 * * mon-fri", "--param", "epochs=3")
    out = said(capsys, *make)
    assert out.startswith("scheduled pipelines/words.py as words\nnext: 20")
    assert "start what does: penstock scheduler" in out
    assert said(capsys, *make).startswith("is scheduled already: pipelines/words.py as words")
    said(
        capsys,
        "schedule",
        "pipelines/words.py",
        "--after",
        "words",
        "--if",
        "Report",
        "--name",
        "b",
    )
    out = said(capsys, "schedules")
    assert "b         enabled  after words if Report  -" in out
    assert "words     enabled  0 3 * * mon-fri        20" in out
    assert said(capsys, "schedules", "--pause", "words") == "schedule words is paused\n"
    listed = json.loads(said(capsys, "schedules", "--json"))
    assert [(each["name"], each["enabled"]) for each in listed] == [("b", True), ("words", False)]
    assert listed[1]["parameters"] == {"epochs": "3"}
    assert said(capsys, "unschedule", "b") == "schedule b is removed\n"
    assert "Did you mean 'words'" in said(capsys, "unschedule", "word", code=3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "a cron expression, an interval, or a pipeline"),
        (("--cron", "0 25 * * *"), "hour is 0 to 23"),
        (("--every", "1h", "--param", "epohcs=3"), "Did you mean 'epochs'"),
        (("--every", "1h", "--param", "epochs=three"), "epochs"),
        (("--every", "soon"), "a time is a number with s, m, h, d or w"),
        (("--after", "words"), "runs after itself never ends"),
        (("--after", "x", "--if", "=drift"), "takes NODE=VERDICT"),
    ],
)
def test_what_cannot_be_scheduled_is_refused_when_it_is_typed(project, capsys, words, message):
    assert message in said(capsys, "schedule", "pipelines/words.py", *words, code=2)
    assert said(capsys, "schedules") == "no schedule in this project yet\n"


def test_a_scheduler_reads_its_notifications_first(project, capsys):
    (project / "notifications.toml").write_text("[targets.x]\nkind = 'sms'\n")
    assert "Received: 'sms'" in said(capsys, "scheduler", "--until-idle", code=2)


def test_a_run_by_hand_tells_people_if_it_is_asked_to(project, capsys, webhook):
    words = ("run", "pipelines/words.py", "--in-process", "--progress", "none", "--notify")
    assert "names nobody" in said(capsys, *words, code=2)
    (project / "notifications.toml").write_text(
        f"[targets.ops]\nkind = 'webhook'\nurl = '{webhook.url}'\non = ['failure', 'success']\n"
    )
    said(capsys, *words, "--run-id", "first")
    (project / "data/words.txt").write_bytes(b"\xff")
    assert main([*words, "--run-id", "second"]) == 1
    (project / "data/words.txt").write_text("one two")
    resume = ("resume", "second", "--in-process", "--progress", "none", "--notify")
    webhook.codes = [500] * 3
    assert main(list(resume)) == 0
    assert "warning: ops was not told: it answered 500" in capsys.readouterr().err
    events = [(each["run_id"], each["state"]) for each in webhook.taken[:3]]
    assert events[:2] == [("first", "COMPLETE"), ("second", "FAILED")]
    assert "ReadText: UnicodeDecodeError" in webhook.taken[1]["error"]
    assert webhook.taken[1]["resume_command"] == "penstock resume second"
