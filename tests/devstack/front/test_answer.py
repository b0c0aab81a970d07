"""Which of the errors that the engine has met meanwhile make an INSERT fail that was told as written."""

import pytest

from streams.devstack.front.answer import _CAUGHT_BY_THE_ENGINE, _look_for_errors
from streams.devstack.front.engine import QueryFailed

NO_SPACE = 243


@pytest.mark.parametrize("code", [NO_SPACE, *_CAUGHT_BY_THE_ENGINE])
def test_an_insert_that_met_an_error_itself_fails_with_it(code: int) -> None:
    with pytest.raises(QueryFailed, match=f"Code: {code}. DB::Exception: text. \\(NAME\\)"):
        _look_for_errors({code: (6, False, "NAME", "before")}, {code: (7, True, "NAME", "text")})


def test_an_insert_that_may_have_met_one_before_anothers_is_of_unknown_status() -> None:
    with pytest.raises(QueryFailed, match="UNKNOWN_STATUS_OF_INSERT"):
        _look_for_errors({}, {NO_SPACE: (2, False, "NO_SPACE", "of another")})


@pytest.mark.parametrize(("code", "met"), [(NO_SPACE, 1), *((code, 9) for code in _CAUGHT_BY_THE_ENGINE)])
def test_what_only_others_can_have_met_does_not_fail_it(code: int, met: int) -> None:
    _look_for_errors({code: (5, False, "NAME", "")}, {code: (5 + met, False, "NAME", "of another")})
