"""A PostgreSQL of the benchmark's own: the stack's image, in a container that ends with the benchmark."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from benchmarks.runs import HERE

ITEMS = 1_000
_START_SECONDS = 60


@contextmanager
def database() -> Iterator[str]:
    """Start it, fill a table, and give SQLAlchemy's URL."""
    name = f"benchmark-postgres-{os.getpid()}"
    _docker(
        *("run", "--rm", "--detach", "--name", name, "--publish", "127.0.0.1::5432"),
        *("--tmpfs", "/var/lib/postgresql/data", "--env", "POSTGRES_PASSWORD=benchmark", _image()),
    )
    try:
        address = _docker("port", name, "5432/tcp").split()[0]
        url = f"//postgres:benchmark@{address}/postgres"
        asyncio.run(_fill(f"postgresql:{url}"))
        yield f"postgresql+asyncpg:{url}"
    finally:
        _docker("rm", "--force", "--volumes", name)


async def _fill(url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            connection = await asyncpg.connect(url)
            break
        except (OSError, asyncpg.PostgresError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.5)
    try:
        await connection.execute("CREATE TABLE items (id integer PRIMARY KEY, name text NOT NULL, price_cents integer)")
        rows = [(number, f"item {number}", 100 * number) for number in range(ITEMS)]
        await connection.copy_records_to_table("items", records=rows)
        await connection.execute("ANALYZE items")
    finally:
        await connection.close()


def _image() -> str:
    config = json.loads(_docker("compose", "config", "--format", "json"))
    image: str = config["services"]["postgres"]["image"]
    return image


def _docker(*args: str) -> str:
    done = subprocess.run(["docker", *args], cwd=HERE.parent, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"docker {' '.join(args)}: {done.stderr.strip()}; `make images` gets the stack's images")
    return done.stdout.strip()
