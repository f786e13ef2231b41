"""The socket of the page, and the thread that computes."""

import sys
from threading import Thread

import pytest

from ganctl.errors import ConfigError, Stopped
from ganctl.page.server import Worker, listen, require


def test_it_listens_on_this_machine_alone() -> None:
    with listen(0) as one:
        address, port = one.getsockname()
        assert address == "127.0.0.1"
        assert port > 0
        with pytest.raises(ConfigError, match=rf"^port: {port} cannot be had \(.*\); take another, or 0$"):
            listen(port)


def test_work_is_done_in_its_order_by_the_thread_that_works() -> None:
    worker, done = Worker(), []

    def fail() -> None:
        raise ConfigError("wrong")

    def end() -> None:
        raise Stopped(2)

    pieces = [worker.submit(done.append, number) for number in range(3)]
    unwanted = worker.submit(done.append, 3)
    assert unwanted.cancel()
    failing, ending, never = worker.submit(fail), worker.submit(end), worker.submit(done.append, 4)
    with pytest.raises(Stopped):
        worker.work()
    assert done == [0, 1, 2]
    assert all(piece.done() for piece in pieces)
    assert str(failing.exception(0)) == "wrong"
    for left in (ending, never):
        assert "the demo has ended" in str(left.exception(0))


def test_work_is_taken_on_from_other_threads() -> None:
    worker = Worker()
    Thread(target=worker.work, daemon=True).start()
    assert worker.submit(lambda one, *, other: one + other, 1, other=2).result(10) == 3


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_without_the_web_server_is_told_what_to_install(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    require()
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigError, match=r"^demo: the page needs starlette and uvicorn .*'ganctl\[demo\]'$"):
        require()
