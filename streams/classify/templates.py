"""From a message as it came to its template: unwrapped, clipped and masked.

Messages that differ in numbers, quoted values and addresses have the same template; all rules but those of numbers see
nothing else.
"""

from streams.classify.mask import blur, clip, sharp, template
from streams.classify.unwrap import unwrap


def template_of(message: str) -> str:
    """The masked text that the rules see, equal for messages that differ in numbers, quoted values and addresses."""
    return template_from(message, sharp(blur(message)))


def template_from(message: str, blurred: str) -> str:
    """The same, where the blurred message is at hand."""
    return template(clip(sharp(blur(unwrapped(message))) if hides_characters(blurred) else unwrapped(blurred)))


def hides_characters(text: str) -> bool:
    """Whether a number in the text stands for a character: blurred, it would stand for another."""
    return "\\u" in text or "&#" in text


def unwrapped(message: str) -> str:
    """The text inside; most messages have no wrapping at all."""
    return unwrap(message) if "{" in message or "<" in message or message[:1] in "\"'[" else message
