"""What is shown while services start, and when one does not."""

from typing import Any

import pytest

from ops import compose, diagnose, start, urls
from ops.compose import Container

RESOLVED: dict[str, Any] = {
    "name": "shop",
    "services": {
        "setup": {"restart": "on-failure"},
        "app": {
            "depends_on": {"setup": {"condition": "service_completed_successfully"}},
            "ports": [{"host_ip": "127.0.0.1", "published": "3000", "target": 3000}],
        },
    },
}


def container(service: str, state: str, health: str = "", exit_code: int = 0) -> Container:
    return Container(f"shop-{service}-1", service, state, health, exit_code)


def test_ready_is_healthy_or_for_a_one_shot_finished(capsys: pytest.CaptureFixture[str]) -> None:
    board = start._Board(RESOLVED)
    board.already([])
    board.show([container("setup", "running"), container("app", "running", "starting")], started=False)
    assert board.waiting == ["app", "setup"]
    board.show([container("setup", "exited"), container("app", "running", "healthy")], started=False)
    assert board.waiting == []
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [["✓", "app", "healthy"], ["✓", "setup", "done"]]


def test_a_service_that_stopped_is_not_ready_though_it_ended_well() -> None:
    board = start._Board(RESOLVED)
    board.show([container("setup", "exited"), container("app", "exited")], started=True)
    assert board.waiting == ["app"]


def test_what_ran_before_must_be_well_in_the_end_too(capsys: pytest.CaptureFixture[str]) -> None:
    board = start._Board(RESOLVED)
    board.already([container("setup", "exited"), container("app", "running", "healthy")])
    assert "running already: app" in capsys.readouterr().out
    board.show([container("setup", "exited"), container("app", "running", "healthy")], started=False)
    assert board.waiting == ["setup"]  # that end is of the last time
    board.show([container("setup", "exited"), container("app", "running", "unhealthy")], started=True)
    assert board.waiting == ["app"]


def test_a_health_check_that_has_not_been_asked_yet_is_not_health() -> None:
    checked = {"services": {"app": {"healthcheck": {"test": ["CMD", "true"]}}, "plain": {}}}
    both = [container("app", "running"), container("plain", "running")]
    assert compose.unready(checked, both) == ["app"]
    assert compose.unready(checked, []) == ["app", "plain"]


def test_what_compose_names_is_shown_whatever_it_is_by_now() -> None:
    found = [container("app", "running", "starting"), container("setup", "exited")]
    said = "dependency failed to start: container shop-app-1 is unhealthy"
    assert compose.named_in(said, found) == found[:1]
    said = 'service "setup" didn\'t complete successfully: exit 1\ncontainer shop-setup-1 exited (1)'
    assert compose.named_in(said, found) == found[1:]


def test_every_replica_counts() -> None:
    board = start._Board(RESOLVED)
    twice = [container("app", "running", "healthy"), container("app", "running", "starting")]
    board.show([container("setup", "exited"), *twice], started=True)
    assert board.waiting == ["app"]


def test_a_service_that_dies_again_and_again_is_given_up() -> None:
    board = start._Board(RESOLVED)
    dying = [container("setup", "exited"), container("app", "restarting", exit_code=1)]
    for _ in range(start._RESTARTING_LOOKS - 1):
        board.show(dying, started=False)
    assert board.hopeless(dying) == []
    board.show(dying, started=False)
    assert [one.service for one in board.hopeless(dying)] == ["app"]


def test_the_lines_that_matter() -> None:
    log = "starting\nERROR: cannot open /data\nERROR: cannot open /data\n\nbye\n"
    assert diagnose.telling_lines(log) == ["ERROR: cannot open /data"]
    assert diagnose.telling_lines("one\ntwo\n") == ["one", "two"]


def test_a_failure_without_a_service_is_in_composes_own_words() -> None:
    error = diagnose.failure([], "Network shop Error\nError response from daemon: No space left on device\n")
    assert "No space left on device" in str(error)
    assert "docker system prune" in str(error)


def test_addresses_are_those_that_compose_publishes() -> None:
    resolved = {"services": {"portal": {"ports": RESOLVED["services"]["app"]["ports"]}}}
    assert urls.address(resolved, "portal", 3000) == "http://127.0.0.1:3000"
    assert urls.address(resolved, "grafana", 3000) is None
    (row,) = urls.table(resolved)
    assert "http://127.0.0.1:3000/docs" in row


def test_the_edge_is_shown_by_the_name_that_it_answers_to() -> None:
    published = {"host_ip": "127.0.0.1", "published": "9443", "target": 8443}
    edge = {"ports": [published], "environment": {"EDGE_DOMAIN": "shop.example"}}
    (row,) = urls.table({"services": {"edge": edge}})
    assert "https://portal.shop.example:9443" in row
