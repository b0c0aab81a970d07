"""Forgets all that classifying keeps, so that the next text is the first of its kind."""

from streams.classify import decide
from streams.classify.match import MATCHER


def forget() -> None:
    """Of texts, templates and words; not what patterns have read so far, which is no text's own."""
    learned = decide.likeness()
    kept = decide._exact, decide._blurred, decide._templates, MATCHER.automaton._known, learned._places
    for cache in kept:
        cache.clear()
