"""What one HTTP request asks and what it is answered: plain values between the transport and the engine."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from streams.devstack.front.compression import Decoder
from streams.devstack.front.engine import QueryFailed
from streams.devstack.front.statement import MAX_HEAD, InsertHead, first_word, insert_head

MAX_STATEMENT = 64 * 1024 * 1024

# Parameters of ClickHouse's HTTP interface that are no settings. Sessions are accepted and mean nothing here.
_NO_SETTING = frozenset(
    {"query", "database", "query_id", "user", "password", "quota_key", "role", "session_id", "session_timeout"}
    | {"session_check", "close_session", "compress", "decompress", "enable_http_compression", "default_format"}
    | {"wait_end_of_query", "buffer_size", "client_protocol_version", "send_progress_in_http_headers"}
    | {"http_headers_progress_interval_ms", "add_http_cors_header", "stacktrace"}
)
_BOUND = "param_"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body; `chunks` may have a `close`, which must be called when nobody reads on."""

    status: int
    headers: dict[str, str]
    chunks: Iterator[bytes] = field(default_factory=lambda: iter(()))


@dataclass(frozen=True, slots=True)
class Request:
    """Parameters of the address, header names in lower case, and the body as it came, piece by piece."""

    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: Iterator[bytes]
    readonly: bool = False

    @property
    def settings(self) -> dict[str, str]:
        return {k: v for k, v in self.params.items() if k not in _NO_SETTING and not k.startswith(_BOUND)}

    @property
    def bound(self) -> dict[str, str]:
        """The values for the statement's `{name:Type}` places."""
        return {k[len(_BOUND) :]: v for k, v in self.params.items() if k.startswith(_BOUND)}

    def default_format(self) -> str:
        """The answer's format where the statement names none."""
        return self.params.get("default_format") or self.headers.get("x-clickhouse-format") or "TabSeparated"

    def plain_body(self) -> Iterator[bytes]:
        """The decoded body; raises BadEncoding, also at the end of a body that stops inside a frame."""
        decoder = Decoder(self.headers.get("content-encoding"))
        for piece in self.body:
            if plain := decoder.feed(piece):
                yield plain
        decoder.finish()


def read_statement(url_query: bytes, pieces: Iterator[bytes]) -> tuple[bytes, InsertHead | None]:
    """The statement's text as far as it was read, and its head where it is an INSERT with data behind it.

    For an INSERT with data, `pieces` is left at the data; any other statement is read to its end. Raises QueryFailed.
    """
    text = url_query + b"\n" if url_query else b""
    if first_word(text) == "INSERT" and (head := insert_head(text)):
        return text, head
    for piece in pieces:
        text += piece
        start = text[:MAX_HEAD]
        # The head counts only with data behind it: a line end cut in two by the pieces would be taken for data.
        if (
            first_word(start) == "INSERT"
            and (head := insert_head(start))
            and text[head.data_start :] not in (b"", b"\r")
        ):
            return text, head
        if len(text) > MAX_STATEMENT:
            limit = MAX_STATEMENT // 1024 // 1024
            raise QueryFailed(62, f"Code: 62. DB::Exception: statement longer than {limit} MiB. (SYNTAX_ERROR)")
    if not text.strip():
        raise QueryFailed(62, "Code: 62. DB::Exception: Syntax error: empty query. (SYNTAX_ERROR)")
    text += b"\n"
    return text, insert_head(text) if first_word(text) == "INSERT" else None
