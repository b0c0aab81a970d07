"""The settings: one frozen `Settings`, built once at start from the environment and handed on as an argument.

No other module reads the environment. Each setting is SYNCLOGS_ and its name in capitals; the README's table is made
from the help texts here.
"""

from typing import Annotated

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas import topics
from streams.errors import SettingsError

PREFIX = "SYNCLOGS_"
Port = Annotated[int, Field(ge=0, le=65_535)]
Positive = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """Every setting of every process. A wrong value is a `SettingsError` naming it (see `load`)."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    kafka: str = Field("127.0.0.1:9092", min_length=3, description="Kafka's bootstrap servers, host:port[,host:port]")
    clickhouse: str = Field("http://127.0.0.1:8123", pattern=r"^https?://\S+$", description="ClickHouse's HTTP address")
    clickhouse_user: str = Field("default", description="who signs in to ClickHouse")
    clickhouse_password: SecretStr = Field(SecretStr(""), description="that user's password")
    database: str = Field("synclogs", pattern=r"^[A-Za-z_]\w{0,62}$", description="the ClickHouse database")
    compress_inserts: bool = Field(False, description="lz4 towards ClickHouse: pays over a network, costs on loopback")

    records_topic: str = Field(topics.RECORDS, pattern=r"^[\w.-]{1,200}$", description="the topic of events")
    dead_letters_topic: str = Field(
        topics.DEAD_LETTERS, pattern=r"^[\w.-]{1,200}$", description="where messages go that are no events"
    )
    partitions: int = Field(4, ge=1, le=1000, description="partitions of the topics when they are created")
    replication: int = Field(1, ge=1, le=9, description="replicas of the topics when they are created; 3 in production")
    count_group: str = Field("synclogs-count", min_length=1, description="the consumer group of the count workers")
    store_group: str = Field("synclogs-store", min_length=1, description="the consumer group of the store workers")
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

    web_host: str = Field("127.0.0.1", description="where the page listens")
    web_port: Port = Field(8080, description="the page's port; 0 takes a free one")
    metrics_host: str = Field("127.0.0.1", description="where /metrics, /healthz and /readyz of workers listen")
    metrics_port: Port = Field(0, description="their port; 0 takes a free one")
    secret: SecretStr = Field(
        SecretStr(""), description="signs tokens, sessions and cursors: at least 32 characters, the same for every web"
    )
    cache: str = Field(
        "~/.cache/synclogs", min_length=1, description="where `make setup` keeps Kafka for `synclogs dev`"
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="debug, info, warning or error")


def load(**values: object) -> Settings:
    """The settings of the environment, with `values` above them. SettingsError names each bad setting and its value."""
    try:
        return Settings(**values)  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError("\n".join(_sentence(problem) for problem in error.errors())) from None


def _sentence(problem: object) -> str:
    assert isinstance(problem, dict)
    name = str(problem["loc"][0])
    field = Settings.model_fields.get(name)
    shown = "***" if field and field.annotation is SecretStr else repr(problem.get("input"))
    return f"{PREFIX}{name.upper()} is {shown}: {problem['msg']} ({field.description if field else 'unknown setting'})"
