"""Settings from the environment, typed, read once; a wrong value is one clear line and exit code 2."""

from typing import TypeVar

from pydantic_settings import BaseSettings

S = TypeVar("S", bound=BaseSettings)


class Settings(BaseSettings):
    """Base of every settings class: field names are environment variables; `X_FILE` names a file that holds `X`."""


class LogSettings(Settings):
    """How this process logs."""

    log_level: str = "INFO"
    log_path: str = "logs"


def read_settings(cls: type[S]) -> S:
    """Read `cls` from the environment; on wrong values print one line per field to stderr and exit 2.

    A field `X` of type SecretStr is read from the file that `X_FILE` names, when that is set (and `X` is not).
    """
    raise NotImplementedError(cls)
