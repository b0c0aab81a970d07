"""The settings: a wrong value is named with what is allowed, a secret is never shown, and the README knows them all."""

import pytest
from pydantic import SecretStr

from streams import config
from streams.errors import SettingsError
from tests.settings_table import README, readme_with, table


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("KAFKA", "", "host:port"),
        ("KAFKA", "localhost", "host:port"),
        ("KAFKA", "localhost:kafka", "host:port"),
        ("KAFKA", "one:9092, two:9092", "host:port"),
        ("CLICKHOUSE", "127.0.0.1:8123", "http://host:port"),
        ("CLICKHOUSE", "http://127.0.0.1:web", "http://host:port"),
        ("CLICKHOUSE", "http://127.0.0.1:8123/database", "without user, path or options"),
        ("DATABASE", "sync-logs", "letters, digits and _"),
        ("DATABASE", "a; DROP DATABASE b", "letters, digits and _"),
        ("RECORDS_TOPIC", "sync records", "letters, digits, . _ and -"),
        ("STORE_GROUP", "", "letters, digits, . _ and -"),
        ("COMPRESS_INSERTS", "perhaps", "boolean"),
        ("PARTITIONS", "0", "greater than or equal to 1"),
        ("PARTITIONS", "four", "integer"),
        ("REPLICATION", "10", "less than or equal to 9"),
        ("SESSION_SECONDS", "5.9", "greater than or equal to 6"),
        ("COUNT_FLUSH_SECONDS", "0", "greater than 0"),
        ("DRAIN_SECONDS", "inf", "finite"),
        ("PUBLISH_WAIT_SECONDS", "nan", "finite"),
        ("STORE_BYTES", "1000", "greater than or equal to 1048576"),
        ("WEB_PORT", "65536", "less than or equal to 65535"),
        ("WEB_HOST", "", "at least 1 character"),
        ("LOG_LEVEL", "verbose", "'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(f"SYNCLOGS_{name}", value)
    with pytest.raises(SettingsError) as raised:
        config.load()
    assert str(raised.value).startswith(f"SYNCLOGS_{name} is {value!r}: ")
    assert allowed in str(raised.value)
    assert "\n" not in str(raised.value)


def test_every_wrong_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCLOGS_WEB_PORT", "high")
    monkeypatch.setenv("SYNCLOGS_PARTITIONS", "-1")
    with pytest.raises(SettingsError, match=r"(?s)SYNCLOGS_PARTITIONS is '-1'.*\nSYNCLOGS_WEB_PORT is 'high'"):
        config.load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kafka", "one.example:9092,two:9093"),
        ("kafka", "[::1]:9092"),
        ("clickhouse", "https://clickhouse.example:8443"),
        ("clickhouse", "http://[::1]:8123/"),
        ("database", "_test_1"),
    ],
)
def test_addresses_and_names_as_they_are_in_use_are_taken(name: str, value: str) -> None:
    assert getattr(config.load(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("one", "other"), [("records_topic", "dead_letters_topic"), ("count_group", "store_group")]
)  # fmt: skip
def test_parts_that_would_take_each_others_messages_or_offsets_are_refused(one: str, other: str) -> None:
    with pytest.raises(SettingsError) as raised:
        config.load(**{one: "same", other: "same"})
    wanted = f"SYNCLOGS_{one.upper()} and SYNCLOGS_{other.upper()} are both 'same': give each its own"
    assert str(raised.value) == wanted


def test_a_secret_is_shown_in_no_error_and_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCLOGS_SECRET", "moonlight")
    monkeypatch.setenv("SYNCLOGS_CLICKHOUSE_PASSWORD", "sunlight")
    settings = config.load()
    assert settings.secret.get_secret_value() == "moonlight"
    for text in (str(settings), repr(settings)):
        assert "moonlight" not in text and "sunlight" not in text
    with pytest.raises(SettingsError, match=r"SYNCLOGS_SECRET is \*\*\*: ") as raised:
        config.load(secret=["moonlight"])
    assert "moonlight" not in str(raised.value)


def test_a_password_within_the_address_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCLOGS_CLICKHOUSE", "http://me:sunlight@127.0.0.1:8123")
    with pytest.raises(SettingsError, match="without user") as raised:
        config.load()
    assert "sunlight" not in str(raised.value)


def test_a_misspelt_variable_is_told_with_the_one_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCLOGS_KAFKKA", "127.0.0.1:1")
    monkeypatch.setenv("SYNCLOGS_KAFKA", "127.0.0.1:2")
    assert config.unknown() == ["SYNCLOGS_KAFKKA is set, but no setting has that name; SYNCLOGS_KAFKA is meant?"]


def test_settings_are_fixed_once_made() -> None:
    with pytest.raises(ValueError, match="frozen"):
        config.load().partitions = 5


def test_every_setting_has_a_help_text_and_every_secret_hides_itself() -> None:
    for name, field in config.Settings.model_fields.items():
        assert field.description, name
        assert "password" not in name and "secret" not in name or field.annotation is SecretStr


def test_the_readme_has_the_table_of_all_settings() -> None:
    text = README.read_text()
    assert text == readme_with(text, table()), "write it with `python -m tests.settings_table`"
