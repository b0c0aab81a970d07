"""Everything that one error says, for people to look at: reason, what decided, fields, the record in the way, template.

In come a direction and an error; out goes an Outcome. Store and count never come here: they need the reason alone.
"""

import re
from dataclasses import dataclass

from streams.classify.decide import Error, explained
from streams.classify.templates import template_of
from streams.classify.unwrap import unwrap

_MOST_FIELDS = 10
_NAMED = re.compile(
    r"\b(?:api_name|field_?name|fieldlabel|property_?name|field|property|attribute|column|parameter|param)"
    r"(?:\(s\)|s)?[\"' ]{0,3}(?:name[\"' ]{0,3})?[:=]?[ ]{0,2}[\"'\[(]([A-Za-z_][\w. $-]{0,60})[\"'\])]",
    re.IGNORECASE,
)
_DETAILED = re.compile(r"\bdetails (?:api_name|field|param(?:eter)?|property|fieldName): ([A-Za-z_][\w. -]{0,60})")
_LISTED = re.compile(
    r"(?:left empty|are missing|is missing|missing|required fields?(?: are missing)?|values?\(s\) for|fields: ?)"
    r"\s{0,2}:\s{0,2}\[?(?=([A-Za-z_][\w ,.-]{0,200}))",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"[\"']?\b([A-Za-z_][\w.]{0,60}(?: [A-Z][\w.]{0,40}){0,3})[\"']? (?:field )?(?:is (?:a |an )?"
    r"(?:required|mandatory|missing|empty|invalid|not valid)|can(?:'t|not| not) be (?:blank|empty|null)|must be\b"
    r"|is too long)"
)
_CONFLICTING = re.compile(
    r"(?:existing|conflicting|duplicate|matching|other)(?: record| contact| customer| company| object| entity)?"
    r"(?:'s)? ?(?:\(?id\)?s?|record id|uuid|key)[\"']?\s{0,2}[:=#]?\s{0,2}[\"']?([\w-]{1,64})"
    r"|(?:record|contact|customer|company|item|account|object) with (?:the )?id\s{0,2}[:=]?\s{0,2}[\"']?([\w-]{1,64})"
    r"|duplicate_record[^\w]{1,6}(?:details )?id[^\w]{1,4}([\w-]{1,64})",
    re.IGNORECASE,
)
_WORDS = frozenset(
    ("it", "this", "that", "value", "field", "record", "the", "which", "there", "a", "an", "is", "are", "was")
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`by` is what spoke for the reason, a rule or words, '' if nothing did; `conflicting_id` is the record in the way,
    '' if none is named."""

    reason: str
    by: str
    fields: tuple[str, ...]
    conflicting_id: str
    template: str


def explain(direction: str, error: Error) -> Outcome:
    """What one error says. The same in every direction, as its reason is."""
    code, message, field = error
    verdict = explained(code, message)
    text = unwrap(message)
    clashes = verdict.reason == "duplicate_record"
    return Outcome(
        reason=verdict.reason,
        by=verdict.by,
        fields=_fields(field, message, text),
        conflicting_id=_conflicting(f"{text} | {message}") if clashes else "",
        template=template_of(message),
    )


def _fields(field: str, message: str, text: str) -> tuple[str, ...]:
    """The fields that the error names, the one that came apart first."""
    found = [field] if field else []
    found += [match[1] for source in (message, text) for match in _NAMED.finditer(source)]
    found += [match[1] for match in _DETAILED.finditer(text)]
    for match in _LISTED.finditer(text):
        found += match[1].split(".")[0].split(",")
    found += [match[1] for match in _SUBJECT.finditer(text)]
    named = dict.fromkeys(one.strip(" .'\"") for one in found)
    return tuple(one for one in named if len(one) > 1 and not _WORDS & set(one.lower().split()))[:_MOST_FIELDS]


def _conflicting(text: str) -> str:
    for match in _CONFLICTING.finditer(text):
        found = match[1] or match[2] or match[3]
        if any(character.isdigit() for character in found):
            return found
    return ""
