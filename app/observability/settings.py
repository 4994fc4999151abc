"""Settings from the environment, typed, read once; a wrong value is one clear line and exit code 2."""

import os
import sys
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar, get_args

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

S = TypeVar("S", bound=BaseSettings)

WRONG_SETTING = 2
"""Exit code of a process whose settings are wrong (BSD's EX_USAGE is 64; 2 is what argparse and most tools use)."""


class _SecretFiles(PydanticBaseSettingsSource):
    """Reads the secret field `x` from the file named by the environment variable `X_FILE`."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{field_name.upper()}_FILE")
        if not path or not (field.annotation is SecretStr or SecretStr in get_args(field.annotation)):
            return None, field_name, False
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n"), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {}
        for name, field in self.settings_cls.model_fields.items():
            value, key, _ = self.get_field_value(field, name)
            if value is not None:
                values[key] = value
        return values


class Settings(BaseSettings):
    """Base of every settings class: field names are environment variables; `X_FILE` names a file that holds `X`."""

    # Compose passes an unset variable on as an empty one.
    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then `X_FILE`."""
        del dotenv_settings, file_secret_settings  # .env belongs to compose, and X_FILE stands for a secrets folder
        return init_settings, env_settings, _SecretFiles(settings_cls)


class LogSettings(Settings):
    """How this process logs."""

    log_level: Literal["ERROR", "WARN", "INFO", "DEBUG"] = "INFO"
    log_path: str = Field("logs", description="Folder of combined.log and error.log.")
    log_console: Literal["auto", "text", "json", "off"] = Field(
        "auto", description="auto: coloured text on a terminal, JSON elsewhere."
    )
    log_max_bytes: int = Field(5_000_000, ge=1000, description="A file is renamed before it grows over this.")
    log_backup_count: int = Field(5, ge=1, description="Renamed files kept of each kind and slot.")
    log_baggage: str = Field(
        "", description="Names of the W3C baggage entries that a line repeats in meta.baggage; clients may send any."
    )
    log_queue_size: int = Field(10_000, ge=10, description="Lines waiting for the writer; more are dropped, counted.")


def fail(*lines: str) -> NoReturn:
    """Print each line to stderr and end the process with code 2."""
    for line in lines:
        sys.stderr.write(line + "\n")
    raise SystemExit(WRONG_SETTING)


def read_settings(cls: type[S]) -> S:
    """Read `cls` from the environment; on wrong values print one line per field to stderr and exit 2.

    A field `X` of type SecretStr is read from the file that `X_FILE` names, when that is set (and `X` is not).
    """
    try:
        return cls()
    except ValidationError as error:
        lines = [_line(cls, dict(problem)) for problem in error.errors()]
    except OSError as error:
        name = _variable_naming(str(error.filename))
        lines = [f"{name}: cannot read {error.filename}: {error.strerror}; name a readable file"]
    fail(*lines)


def _line(cls: type[BaseSettings], problem: dict[str, Any]) -> str:
    if not problem["loc"]:  # a validator over several fields names them itself
        return str(problem["msg"]).removeprefix("Value error, ")
    name = str(problem["loc"][0])
    field = cls.model_fields.get(name)
    if problem["type"] == "missing":
        file = f" (or {name.upper()}_FILE)" if field and field.annotation is SecretStr else ""
        return f"{name.upper()}: not set; set it{file}"
    secret = field is not None and "SecretStr" in str(field.annotation)
    given = "" if secret else f", but it is {str(problem['input'])[:100]!r}"
    return f"{name.upper()}: {str(problem['msg']).removeprefix('Value error, ')}{given}"


def _variable_naming(path: str) -> str:
    return next((name for name, value in os.environ.items() if name.endswith("_FILE") and value == path), "a secret")
