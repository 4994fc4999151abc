"""Passwords are made once, for their owner's eyes."""

import base64
from pathlib import Path

import pytest

from ops import secrets
from ops.console import OpsError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".secrets"


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_all_are_made_once_and_readable_by_their_owner_alone(folder: Path) -> None:
    assert secrets.ensure((), folder) == list(secrets.NAMES)
    first = contents(folder)
    assert set(first) == {*secrets.NAMES, *secrets.GIVEN, "elasticsearch_users", "elasticsearch_users_roles"}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert len({first[name] for name in secrets.NAMES}) == len(secrets.NAMES)
    assert all(len(first[name].strip()) == 32 and first[name].count("\n") == 1 for name in secrets.NAMES)
    assert secrets.ensure(("postgres", "grafana"), folder) == []
    assert contents(folder) == first


def test_a_password_of_the_persons_own_stays_and_new_names_are_added(folder: Path) -> None:
    secrets.ensure((), folder)
    (folder / "elastic").write_text("mine\n")
    (folder / "webhook").unlink()
    (folder / "redis").write_text("")  # a disk that was full
    assert secrets.ensure((), folder) == ["redis", "webhook"]
    assert secrets.read("elastic", folder) == "mine"


def test_what_somebody_else_gives_is_empty_until_it_is_written_and_then_stays(folder: Path) -> None:
    secrets.ensure((), folder)
    assert secrets.read("smtp_password", folder) == ""
    before = secrets.changed(folder)
    (folder / "smtp_password").write_text("mine\n")
    assert secrets.ensure((), folder) == []
    assert secrets.read("smtp_password", folder) == "mine"
    assert secrets.changed(folder) != before, "or the notifier would not be made anew"


def test_data_made_under_a_lost_password_is_said_before_anything_is_written(folder: Path) -> None:
    secrets.ensure((), folder)
    (folder / "postgres").unlink()
    (folder / "redis").unlink()
    with pytest.raises(OpsError, match=r"missing.*volume postgres.*\n.*put .secrets/postgres back.*make clean"):
        secrets.ensure(("postgres", "redis"), folder)
    assert not (folder / "redis").exists()


# Made by a real Elasticsearch 9.2.8: elasticsearch-users useradd shipper -p 'correct horse' with
# xpack.security.authc.password_hashing.algorithm=pbkdf2.
MADE_BY_ELASTICSEARCH = (
    "{PBKDF2}10000$o51A8noLHP8udQC4Z6oYe2taiQOtss8fVIG86u9juiA=$i2Q7Z5iFkvBDK07akQsnGxnB7lhDsPzYWiric+R9jxM="
)


def test_the_hash_is_elasticsearchs_own() -> None:
    salt = base64.b64decode(MADE_BY_ELASTICSEARCH.split("$")[1])
    assert secrets.file_realm_hash("correct horse", salt) == MADE_BY_ELASTICSEARCH


def test_a_changed_password_changes_its_line_alone(folder: Path) -> None:
    secrets.ensure((), folder)
    before = (folder / "elasticsearch_users").read_text().splitlines()
    (folder / "elasticsearch_jaeger").write_text("another\n")
    secrets.ensure((), folder)
    after = (folder / "elasticsearch_users").read_text().splitlines()
    assert [line.split(":")[0] for line in after] == ["shipper", "jaeger", "monitor", "reader", "retention"]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True, True, True]


def test_the_mark_changes_with_any_secret_and_with_nothing_else(folder: Path) -> None:
    secrets.ensure((), folder)
    before = secrets.changed(folder)
    secrets.ensure((), folder)
    assert secrets.changed(folder) == before
    (folder / "elasticsearch_reader").write_text("another\n")
    secrets.ensure((), folder)
    assert secrets.changed(folder) != before


def test_a_spoilt_users_file_is_made_again(folder: Path) -> None:
    secrets.ensure((), folder)
    (folder / "elasticsearch_users").write_text("shipper:{PBKDF2}10000$not base64$x\nnonsense\n")
    secrets.ensure((), folder)
    assert len((folder / "elasticsearch_users").read_text().splitlines()) == 5


def test_each_user_has_its_own_role(folder: Path) -> None:
    secrets.ensure((), folder)
    assert (folder / "elasticsearch_users_roles").read_text().splitlines() == [
        "ecommerce_shipper:shipper",
        "ecommerce_jaeger:jaeger",
        "ecommerce_monitor:monitor",
        "ecommerce_reader:reader",
        "ecommerce_retention:retention",
    ]
