from __future__ import annotations

from pathlib import Path

import pytest

from notifier.database import claimed
from notifier.settings import NotifierSettings
from observability.settings import read_settings

ROBOT = "https://robots.example.com/send?key=very-secret"


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({"WEBHOOK_TOKEN": ""}, "WEBHOOK_TOKEN: not set; set it (or WEBHOOK_TOKEN_FILE)"),
        ({"WEBHOOK_TOKEN": "short"}, "WEBHOOK_TOKEN: Value should have at least 16 items"),
        ({"WECOM_WEBHOOK_URL": "http://robots.example.com/?key=very-secret"}, "WECOM_WEBHOOK_URL: is http"),
        ({"WECOM_WEBHOOK_URL": "file:///etc/very-secret"}, "WECOM_WEBHOOK_URL: is not an https URL"),
        ({"DINGTALK_WEBHOOK_URL": "https://u:very-secret@example.com/"}, "DINGTALK_WEBHOOK_URL: has a user"),
        ({"DINGTALK_WEBHOOK_URL": "https://example.com:99999/very-secret"}, "DINGTALK_WEBHOOK_URL: is not a URL"),
        ({"DINGTALK_WEBHOOK_URL": "https://example.com/a b"}, "DINGTALK_WEBHOOK_URL: has white space"),
        ({"DINGTALK_SECRET": "very-secret"}, "DINGTALK_SECRET: set without DINGTALK_WEBHOOK_URL"),
        ({"DEADMAN_URL": "ftp://very-secret"}, "DEADMAN_URL: is not an https URL"),
        ({"SMTP_HOST": "mail"}, "SMTP_HOST: set without SMTP_FROM and SMTP_TO"),
        ({"SMTP_USERNAME": "me"}, "SMTP_USERNAME: goes with SMTP_PASSWORD"),
        (
            {"SMTP_USERNAME": "me", "SMTP_PASSWORD": "very-secret", "SMTP_SECURITY": "off"},
            "SMTP_SECURITY: off would send SMTP_PASSWORD in the clear",
        ),
        ({"TZ": "Mars/Olympus"}, "TZ: is no zone of the tz database"),
        ({"TZ": "../../etc/passwd"}, "TZ: is no zone of the tz database"),
        ({"WECOM_WEBHOOK_URL_FILE": "/nowhere"}, "WECOM_WEBHOOK_URL_FILE: cannot read /nowhere"),
    ],
)
def test_a_wrong_setting_is_one_line(
    environment: dict[str, str], line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WEBHOOK_TOKEN", "a-token-for-tests-only")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        read_settings(NotifierSettings)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith(line)
    assert said.count("\n") == 1
    assert "very-secret" not in said


@pytest.mark.parametrize("trouble", ["is no outbox", "cannot write"])
def test_a_useless_outbox_is_one_line(trouble: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "notifier.db"
    path.write_text("this is no database, but it is long enough to be looked at as one")
    with pytest.raises(SystemExit) as ended, claimed(str(path if trouble == "is no outbox" else path / "below.db")):
        pass
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith("NOTIFIER_DATABASE: ")
    assert trouble in said
    assert said.count("\n") == 1


def test_secrets_come_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"WEBHOOK_TOKEN": "0123456789abcdef\n", "WECOM_WEBHOOK_URL": ROBOT, "DEADMAN_URL": ""}.items():
        (tmp_path / name).write_text(value)
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
    monkeypatch.setenv("DINGTALK_WEBHOOK_URL", "")
    read = read_settings(NotifierSettings)
    assert read.webhook_token.get_secret_value() == "0123456789abcdef"
    assert read.wecom_webhook_url
    assert read.wecom_webhook_url.get_secret_value() == ROBOT
    assert read.dingtalk_webhook_url is None  # compose passes what is unset on as empty
    assert read.deadman_url is None
