"""Which of the errors that the engine has met meanwhile make an INSERT fail that was told as written."""

import pytest

from streams.devstack.front.answer import _look_for_errors
from streams.devstack.front.engine import QueryFailed

NO_SPACE, TYPE_MISMATCH = 243, 53


@pytest.mark.parametrize("code", [NO_SPACE, TYPE_MISMATCH])
def test_an_insert_that_met_an_error_itself_fails_with_it(code: int) -> None:
    with pytest.raises(QueryFailed, match=f"Code: {code}. DB::Exception: text. \\(NAME\\)"):
        _look_for_errors({code: (6, False, "NAME", "before")}, {code: (7, True, "NAME", "text")})


def test_an_insert_that_may_have_met_one_before_anothers_is_of_unknown_status() -> None:
    with pytest.raises(QueryFailed, match="UNKNOWN_STATUS_OF_INSERT"):
        _look_for_errors({}, {NO_SPACE: (2, False, "NO_SPACE", "of another")})


@pytest.mark.parametrize("after", [{NO_SPACE: (1, False, "NO_SPACE", "")}, {TYPE_MISMATCH: (2, False, "MISMATCH", "")}])
def test_what_only_others_can_have_met_does_not_fail_it(after: dict[int, tuple[int, bool, str, str]]) -> None:
    _look_for_errors({}, after)
