"""The JSON Schema of an event, made from the structs of `schemas.event`, so that the two can't say different things.

`python -m schemas.json_schema` writes `event.schema.json`, for people who write events in any language. What a schema
can't say (times beside the message's arrival, the size of a message) is said in its descriptions.
"""

import json
from pathlib import Path
from typing import Any

import msgspec

from schemas.directions import CODES
from schemas.event import (
    MAX_DEPTH,
    MAX_ERROR_CODE,
    MAX_ERROR_FIELD,
    MAX_ERROR_MESSAGE,
    MAX_ERRORS,
    MAX_MESSAGE,
    MAX_NAME,
    MAX_PAYLOAD,
    UUID_PATTERN,
    Error,
    MarkEvent,
    RecordEvent,
)

FILE = Path(__file__).with_name("event.schema.json")
Schema = dict[str, Any]

_SPECIAL: dict[str, Schema] = {
    "event_id": {"type": "string", "pattern": f"^{UUID_PATTERN}$"},
    "direction": {"enum": sorted(CODES)},
    "errors": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/error"}}, {"type": "null"}]},
    "payload": {"type": ["object", "null"]},
}
"""Fields whose check is code and not a type, and so is said here once more. Tests hold both against the examples."""
_DESCRIPTIONS = {
    "event_id": "The identity: the same id in the same sync is the same event, however often it arrives.",
    "tenant_id": "Whose record it is. The gateway sets it from the token.",
    "occurred_at": "With a zone; at most 26 weeks before and one day after the message reaches Kafka.",
    "record_name": f"Cut after {MAX_NAME} characters.",
    "target_id": f"The record's id on the other side, where known. Cut after {MAX_NAME} characters.",
    "errors": f"All of the record's, as the other side gave them; of a skipped one the cause. {MAX_ERRORS} are kept.",
    "attempt": "Which attempt this result is of. It only informs.",
    "payload": f"The source record, for a CSV to correct and load again. Dropped over {MAX_PAYLOAD} bytes.",
    "records_total": "What the sync carried; required of sync_finished.",
    "code": f"Cut after {MAX_ERROR_CODE} characters.",
    "message": f"Cut after {MAX_ERROR_MESSAGE} bytes.",
    "field": f"Cut after {MAX_ERROR_FIELD} characters.",
}


def event_schema() -> Schema:
    """The whole schema."""
    mark = _struct(MarkEvent)
    mark["if"] = {"properties": {"type": {"const": "sync_finished"}}}
    mark["then"] = {"required": ["records_total"], "properties": {"records_total": {"type": "integer"}}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Sync event, version 1",
        "description": f"One message of the records topic, of at most {MAX_MESSAGE} bytes and {MAX_DEPTH} levels. "
        "Fields that are not named here are allowed and ignored.",
        "anyOf": [{"$ref": "#/$defs/record"}, {"$ref": "#/$defs/mark"}],
        "$defs": {"record": _struct(RecordEvent), "mark": mark, "error": _struct(Error)},
    }


def text() -> str:
    """What stands in `event.schema.json`."""
    return json.dumps(event_schema(), indent=2) + "\n"


def _struct(struct: type[msgspec.Struct]) -> Schema:
    fields = msgspec.structs.fields(struct)
    return {
        "type": "object",
        "description": " ".join((struct.__doc__ or "").split()),
        "properties": {field.name: _field(field.name, field.type) for field in fields},
        "required": [field.name for field in fields if field.required],
    }


def _field(name: str, kind: Any) -> Schema:
    schema = dict(_SPECIAL.get(name) or msgspec.json.schema(kind))
    if name in _DESCRIPTIONS:
        schema["description"] = _DESCRIPTIONS[name]
    return schema


if __name__ == "__main__":
    FILE.write_text(text())
