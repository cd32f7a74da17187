import json

import pytest

from mizzle_async.cli.jobs import Job, State
from mizzle_async.cli.progress import Display
from mizzle_async.errors import ResumeError, ThrottledError
from mizzle_async.flow.report import BatchReport, UndoneWrite
from mizzle_async.flow.work import BulkWork


@pytest.mark.parametrize(("written", "code"), [(0, 1), (7, 3)])
async def test_what_is_left_is_told(capsys, written, code):
    """Work that leaves something prints the error and the report, and its exit code says whether anything was done."""
    report = BatchReport(written=written)
    report.note(UndoneWrite("put", "t", {}, ThrottledError("too much"), 3))

    async def work() -> BatchReport:
        raise report.to_error("put_many")

    job = Job("load", Display("x", quiet=True), as_json=True, done="loaded")
    assert await job.run(BulkWork("load", report, work)) == code
    shown = capsys.readouterr()
    assert "BatchError: put_many" in shown.err
    assert "--concurrency 1, --write-units with fewer units, or --timeout" in shown.err
    told = json.loads(shown.out)
    assert (told["complete"], told["loaded"], told["failed"]) == (False, written, 1)


async def test_state_of_other_work_is_nothing_to_go_on_with(tmp_path, capsys):
    """Where the state file is refused, nobody is told to go on with it."""
    path = tmp_path / "state.json"
    path.write_text("{}")

    async def work() -> BatchReport:
        raise ResumeError("the state of other work")

    job = Job("load", Display("x", quiet=True), State(path, named=True))
    with pytest.raises(ResumeError):
        await job.run(BulkWork("load", BatchReport(), work))
    assert "--resume" not in capsys.readouterr().err
    assert path.exists()
