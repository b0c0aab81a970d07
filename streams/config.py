"""The settings: one frozen `Settings`, built once at start from the environment and handed on as an argument.

No other module reads the environment. Each setting is SYNCLOGS_ and its name in capitals; the README's table is made
from the help texts here.
"""

import difflib
import os
import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas import topics
from streams import failpoints
from streams.errors import SettingsError

PREFIX = "SYNCLOGS_"
Port = Annotated[int, Field(ge=0, le=65_535)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)"
_PORT = "(?:6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
_NAME = "letters, digits, . _ and -"
Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,140}$")]
Group = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,90}$")]  # Kafka's limit is for the changelog: group and topic


def _readable(text: str) -> str:
    failpoints.read(text)
    return text


class Settings(BaseSettings):
    """Every setting of every process. A wrong value is a `SettingsError` naming it (see `load`)."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    kafka: str = Field(
        "127.0.0.1:9092", pattern=rf"^{_HOST}:{_PORT}(,{_HOST}:{_PORT})*$",
        description="Kafka's bootstrap servers, host:port[,host:port]",
    )  # fmt: skip
    clickhouse: str = Field(
        "http://127.0.0.1:8123", pattern=rf"^https?://{_HOST}(:{_PORT})?/?$",
        description="ClickHouse's HTTP address, http://host:port or https://host:port without user, path or options",
    )  # fmt: skip
    clickhouse_user: str = Field("default", description="who signs in to ClickHouse")
    clickhouse_password: SecretStr = Field(SecretStr(""), description="that user's password")
    database: str = Field(
        "synclogs", pattern="^[A-Za-z_][A-Za-z0-9_]{0,62}$",
        description="the ClickHouse database: letters, digits and _",
    )  # fmt: skip
    compress_inserts: bool = Field(False, description="lz4 towards ClickHouse: pays over a network, costs on loopback")

    records_topic: Topic = Field(topics.RECORDS, description=f"the topic of events: {_NAME}")
    dead_letters_topic: Topic = Field(
        topics.DEAD_LETTERS, description=f"the topic of messages that are no events: {_NAME}"
    )
    partitions: int = Field(4, ge=1, le=1000, description="partitions of the topics when they are created")
    replication: int = Field(1, ge=1, le=9, description="replicas of the topics when they are created; 3 in production")
    count_group: Group = Field("synclogs-count", description=f"the consumer group of the count workers: {_NAME}")
    store_group: Group = Field("synclogs-store", description=f"the consumer group of the store workers: {_NAME}")
    session_seconds: float = Field(45, ge=6, le=300, description="silence after which a worker loses its partitions")

    count_flush_seconds: Positive = Field(0.5, description="how often counts and positions are committed")
    live_upsert_seconds: Positive = Field(2, description="how often live_counts follows what is committed")
    store_rows: int = Field(10_000, ge=1, le=200_000, description="most records in one exact batch")
    store_bytes: int = Field(8 << 20, ge=1 << 20, description="most bytes of messages in one exact batch")
    store_seconds: Positive = Field(1.0, description="longest wait for a batch to fill")
    drain_seconds: Positive = Field(4, description="how long a worker that stops or loses a partition may finish")
    dead_letters_in_a_row: int = Field(
        10_000, ge=1, description="bad messages in a row on a partition that stop store: a bad deployment, not data"
    )

    publish_wait_seconds: Positive = Field(1800, description="wait for store before the alert, for count at most")
    publish_poll_seconds: Positive = Field(60, description="how often `publish --serve` looks whether a week has ended")

    web_host: str = Field("127.0.0.1", min_length=1, description="where the page listens")
    web_port: Port = Field(8080, description="the page's port; 0 takes a free one")
    metrics_host: str = Field(
        "127.0.0.1", min_length=1, description="where /metrics, /healthz and /readyz of workers listen"
    )
    metrics_port: Port = Field(0, description="their port; 0 takes a free one")
    secret: SecretStr = Field(
        SecretStr(""), description="signs tokens, sessions and cursors: at least 32 characters, the same for every web"
    )
    cache: str = Field(
        "~/.cache/synclogs", min_length=1, description="where `make setup` keeps Kafka for `synclogs dev`"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least that is logged")
    failpoints: Annotated[str, AfterValidator(_readable)] = Field(
        "", description="for tests of faults only: steps at which a process dies, freezes, fails or waits"
    )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        """What two parts must never share, or one would take the other's messages or offsets for its own."""
        for one, other in (("records_topic", "dead_letters_topic"), ("count_group", "store_group")):
            if (value := getattr(self, one)) == getattr(self, other):
                raise ValueError(f"{variable(one)} and {variable(other)} are both {value!r}: give each its own")
        return self


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{field.upper()}"


def load(**values: object) -> Settings:
    """The settings of the environment, with `values` above them. SettingsError names each bad setting and its value."""
    try:
        return Settings(**values)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(problem) for problem in error.errors())) from None


def unknown() -> list[str]:
    """A sentence for each variable of the environment that looks like a setting and is none: often a misspelt one."""
    names = [variable(field) for field in Settings.model_fields]
    found = []
    for name in sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in names):
        close = difflib.get_close_matches(name.upper(), names, 1)
        found.append(f"{name} is set, but no setting has that name" + f"; {close[0]} is meant?" * bool(close))
    return found


def _sentence(problem: Any) -> str:
    if not problem["loc"]:  # a combination: the validator has named both
        return str(problem["ctx"]["error"])
    name = str(problem["loc"][0])
    field = Settings.model_fields[name]
    value = re.sub(r"//.*@", "//***@", str(problem["input"]))  # an address with a password in it
    shown = "***" if field.annotation is SecretStr else repr(value)
    why = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "string_pattern_mismatch":
        why = "that does not fit"
    return f"{variable(name)} is {shown}: {why} ({field.description})"
