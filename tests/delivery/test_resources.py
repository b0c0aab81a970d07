"""What is told of memory and file handles that grow in a life: more than a bound and a share, however it came."""

import pytest

from tests.delivery.resources import Look, Resources, slopes


def life(*megabytes: float) -> Resources:
    """A process that was looked at every three seconds, with twenty looks for each of these."""
    resources = Resources({})
    values = [megabytes[0]] * 7 + [one for one in megabytes for _ in range(20)]  # 21 s of warm-up
    resources.lives["count 3", 1] = [
        Look(3.0 * number, value, 20 + number // 10, 4) for number, value in enumerate(values)
    ]
    return resources


@pytest.mark.parametrize(
    ("megabytes", "told"),
    [
        ((100, 120, 140), True),
        ((100, 108, 116, 124, 132, 140), True),
        ((100, 110, 140), True),
        ((100, 100, 140), True),
        ((100, 140, 140), True),
        ((100, 108, 116), False),
        ((140, 120, 100), False),
        ((400, 435, 470), False),
    ],
    ids=["steady", "in small steps", "faster later", "a late step", "an early step", "too little", "less", "a share"],
)
def test_memory_that_grew_is_told(megabytes: tuple[float, ...], told: bool) -> None:
    found = [problem for problem in slopes(life(*megabytes).growths()) if " MB " in problem]
    assert len(found) == told and all(problem.startswith("count 3 grew from 10") for problem in found)


def test_its_course_is_told_from_the_first_look_to_the_last() -> None:
    (found,) = (problem for problem in slopes(life(100, 150).growths()) if " MB " in problem)
    assert found.endswith(" s: " + " ".join(["100"] * 6 + ["150"] * 6))


def test_file_handles_that_stay_open_are_told() -> None:
    (found,) = slopes(life(*[100.0] * 9).growths())
    assert found.startswith("count 3 went from 23 to ") and "file handles" in found
