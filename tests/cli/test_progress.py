"""The progress bar."""

from gpucrust.cli.progress import Bar
from gpucrust.jobs.progress import Standing


def test_time_left_is_told_however_rarely_chunks_end():
    bar = Bar()
    with bar:
        for done in (100, 200):  # of a run that found 50 done, a chunk of 50 a minute
            bar.standing(Standing(done, 0, 400, done / 400, (done - 50) * 1.2, resumed=50))
    assert bar.bar.tasks[0].fields["left"] == "0:04:00"
