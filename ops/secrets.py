"""The passwords in `.secrets/`: made once, one line a file, readable by their owner alone, never written again.

Of those that somebody else gives, an empty file is made.
"""

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Collection
from pathlib import Path

from ops.console import OpsError
from ops.shell import ROOT

DIRECTORY = ROOT / ".secrets"

NAMES = (
    "elastic",
    "elasticsearch_shipper",
    "elasticsearch_jaeger",
    "elasticsearch_monitor",
    "elasticsearch_reader",
    "elasticsearch_retention",
    "kibana_system",
    "kibana_encryption_key",
    "postgres",
    "postgres_exporter",
    "redis",
    "grafana",
    "token_key",
    "faults",
    "webhook",
    "edge",
)
"""docs/conventions.md says who reads which."""

GIVEN = ("smtp_password",)
"""Secrets of services that are not ours: empty until a person writes what they were given."""

FIXED_BY_DATA = {"postgres": "postgres", "postgres_exporter": "postgres", "grafana": "grafana"}
"""Secrets that their product stores in a volume at its first start: with another one it refuses everybody after."""

FILE_REALM_USERS = ("shipper", "jaeger", "monitor", "reader", "retention")
_ITERATIONS = 10_000  # Elasticsearch's default; the passwords have 192 random bits


def ensure(volumes: Collection[str] = (), directory: Path = DIRECTORY) -> list[str]:
    """Make what is missing and return its names.

    `volumes` are the short names of the volumes that hold data already. Raises OpsError, before anything is written,
    when such data was made under a password that is gone.
    """
    missing = [name for name in NAMES if not _is_there(directory / name)]
    for name in missing:
        if (volume := FIXED_BY_DATA.get(name)) in volumes:
            raise OpsError(
                f"{directory.name}/{name} is missing, and the data in the volume {volume} was made with it",
                f"put {directory.name}/{name} back, or remove the data of the whole stack: make clean",
            )
    directory.mkdir(mode=0o700, exist_ok=True)
    directory.chmod(0o700)
    for name in missing:
        # letters, digits, - and _ alone: fit for a URL, a shell, an SQL string and a configuration file
        _write(directory / name, secrets.token_urlsafe(24) + "\n")
    for name in GIVEN:
        if not (directory / name).exists():
            _write(directory / name, "")
    _write_file_realm(directory)
    return missing


def read(name: str, directory: Path = DIRECTORY) -> str:
    """Give one secret."""
    return (directory / name).read_text(encoding="utf-8").strip()


def changed(directory: Path = DIRECTORY) -> str:
    """Give a mark that is another one after any secret has changed; it tells nothing of them but when that was."""
    return str(max(path.stat().st_mtime_ns for path in directory.iterdir()))


def file_realm_hash(password: str, salt: bytes) -> str:
    """Hash as Elasticsearch's file realm stores it: `{PBKDF2}iterations$salt$hash`, HMAC-SHA-512, 256 bits, Base64."""
    derived = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS, dklen=32)
    return f"{{PBKDF2}}{_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(derived).decode()}"


def _is_there(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def _write(path: Path, text: str) -> None:
    """Write by rename, so that a kill leaves no half secret, and never readable by others, not even for a moment."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    new.rename(path)


def _write_file_realm(directory: Path) -> None:
    """Derive Elasticsearch's `users` and `users_roles` from the passwords; the same passwords keep the same lines."""
    users = directory / "elasticsearch_users"
    before = (
        dict(line.split(":", 1) for line in users.read_text().splitlines() if ":" in line) if users.exists() else {}
    )
    lines = [
        f"{user}:{_hash_of(read(f'elasticsearch_{user}', directory), before.get(user, ''))}\n"
        for user in FILE_REALM_USERS
    ]
    roles = [f"ecommerce_{user}:{user}\n" for user in FILE_REALM_USERS]
    for path, text in ((users, "".join(lines)), (directory / "elasticsearch_users_roles", "".join(roles))):
        if not path.exists() or path.read_text() != text:
            _write(path, text)


def _hash_of(password: str, before: str) -> str:
    """Keep the hash of before while it fits the password: a changed file would make Elasticsearch read it again."""
    parts = before.split("$")
    if len(parts) == 3:  # noqa: PLR2004 - {PBKDF2}iterations, salt, hash
        try:
            same = file_realm_hash(password, base64.b64decode(parts[1], validate=True))
        except ValueError:
            same = ""
        if hmac.compare_digest(same, before):
            return before
    return file_realm_hash(password, secrets.token_bytes(32))
