"""The portal's and the edge's configuration, by Caddy itself."""

import pytest
from tools import Tool

FLAGS = (
    "--env=EDGE_DOMAIN=localhost",
    "--env=EDGE_PASSWORD_HASH=$2a$10$GpkDx1ssM0F7cOIi1Z9p5OZbQwGBVBzMb1aYlLFtcfI4hI7nZpOjK",
)


@pytest.mark.parametrize("service", ["portal", "edge"])
def test_caddy_takes_its_file(tool: Tool, service: str) -> None:
    done = tool(service, "caddy", "validate", "--adapter=caddyfile", f"--config={service}/Caddyfile", flags=FLAGS)
    assert done.returncode == 0, done.stderr
    assert "Valid configuration" in done.stdout + done.stderr


@pytest.mark.parametrize("service", ["portal", "edge"])
def test_it_is_laid_out_as_caddy_would(tool: Tool, service: str) -> None:
    done = tool(service, "caddy", "fmt", "--diff", f"{service}/Caddyfile")
    assert not [line for line in done.stdout.splitlines() if line.startswith(("+", "-"))], done.stdout


def test_a_wrong_one_is_refused(tool: Tool) -> None:
    assert (
        tool("portal", "caddy", "validate", "--adapter=caddyfile", "--config=prometheus/blackbox.yml").returncode != 0
    )
