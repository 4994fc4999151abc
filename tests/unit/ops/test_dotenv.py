"""`.env` is the person's; `make up` has a block in it."""

from pathlib import Path

import pytest

from ops import dotenv


@pytest.fixture
def env(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def test_a_new_file_has_the_block_alone(env: Path) -> None:
    dotenv.write_ours({"REGISTRY": "packages/", "COMPOSE_PROFILES": "rsyslog"}, env)
    assert dotenv.read_ours(env) == {"REGISTRY": "packages/", "COMPOSE_PROFILES": "rsyslog"}
    assert dotenv.read_own(env) == {}


@pytest.mark.parametrize(
    "own",
    ["APP_PORT=3005\n", "APP_PORT=3005", "# mine\r\nAPP_PORT=3005\r\n\r\n", "A='x # y'\n\n\n", "\ufeffA=1\n"],
)
def test_the_persons_lines_stay_byte_for_byte(env: Path, own: str) -> None:
    env.write_text(own, newline="")
    for registry in ("packages/", "", "packages/"):
        dotenv.write_ours({"REGISTRY": registry}, env)
    assert env.read_bytes().startswith(own.encode())
    assert env.read_text().count("REGISTRY=") == 1


def test_lines_after_the_block_stay_too_and_the_block_moves_last(env: Path) -> None:
    dotenv.write_ours({"REGISTRY": ""}, env)
    with env.open("a") as file:
        file.write("GRAFANA_PORT=4000\n")
    dotenv.write_ours({"REGISTRY": "packages/"}, env)
    assert dotenv.read_own(env) == {"GRAFANA_PORT": "4000"}
    assert env.read_text().index("GRAFANA_PORT") < env.read_text().index("REGISTRY")


def test_the_mode_stays(env: Path) -> None:
    env.write_text("SECRET=1\n")
    env.chmod(0o600)
    dotenv.write_ours({"REGISTRY": ""}, env)
    assert env.stat().st_mode & 0o777 == 0o600


def test_a_link_stays_a_link(env: Path, tmp_path: Path) -> None:
    (tmp_path / "shared").write_text("A=1\n")
    env.symlink_to(tmp_path / "shared")
    dotenv.write_ours({"REGISTRY": ""}, env)
    assert env.is_symlink()
    assert (tmp_path / "shared").read_text().startswith("A=1\n")


def test_the_same_block_writes_nothing(env: Path) -> None:
    dotenv.write_ours({"REGISTRY": ""}, env)
    before = env.stat().st_ino
    dotenv.write_ours({"REGISTRY": ""}, env)
    assert env.stat().st_ino == before


def test_the_environment_wins_over_the_file_and_empty_is_a_value(env: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    env.write_text('export REGISTRY = "mirror/" \nLIGHT=1 # a laptop\n#APP_PORT=1\n')
    monkeypatch.delenv("REGISTRY", raising=False)
    assert dotenv.setting("REGISTRY", env) == "mirror/"
    assert dotenv.setting("LIGHT", env) == "1"
    assert dotenv.setting("APP_PORT", env) is None
    monkeypatch.setenv("REGISTRY", "")
    assert dotenv.setting("REGISTRY", env) == ""
