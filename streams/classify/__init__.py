"""Why did it fail: from the errors of a record to reasons of the catalogue.

Pure: no I/O, and the same errors give the same reasons at any time, whatever was classified before. In come (code,
message, field) as the other side gave them; out go reason codes.
"""

from streams.classify.decide import Classified, classify, prepare, reason_of
from streams.classify.outcome import Outcome, explain

__all__ = ["Classified", "Outcome", "classify", "explain", "prepare", "reason_of"]
