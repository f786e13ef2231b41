"""The server of the page: one address of this machine alone, and one thread that computes."""

import socket
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, ParamSpec, TypeVar

from ganctl.errors import ConfigError

T = TypeVar("T")
P = ParamSpec("P")

ADDRESS = "127.0.0.1"

MOST_CONNECTIONS = 32
"""At once; more are told to come later, so that what waits to be computed is bounded."""

SECONDS = 3.0
"""That an answer may take to be sent when the server ends."""


def require() -> None:
    """Raise `ConfigError` where the web server is not installed."""
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"demo: the page needs starlette and uvicorn ({error}); pip install 'ganctl[demo]'"
        ) from error


def listen(port: int) -> socket.socket:
    """Return a socket that listens on a port of this machine alone, a free one for 0.

    Raises `ConfigError` for a port that is taken or reserved.
    """
    try:
        return socket.create_server((ADDRESS, port))
    except OSError as error:
        raise ConfigError(f"port: {port} cannot be had ({error.strerror}); take another, or 0") from error


class Worker(Executor):
    """Computes in the thread that calls `work`, one piece after the other, in the order of their coming."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()

    def submit(self, function: Callable[P, T], /, *arguments: P.args, **words: P.kwargs) -> Future[T]:
        """Take on a piece of work; may be called from any thread."""
        future: Future[T] = Future()
        self._waiting.put((future, partial(function, *arguments, **words)))
        return future

    def work(self) -> None:
        """Compute until a signal raises; who then waits is told so."""
        future: Future[Any] = Future()
        try:
            while True:
                future, piece = self._waiting.get()
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    future.set_result(piece())
                except Exception as error:
                    future.set_exception(error)
        finally:
            ended = ConfigError("the demo has ended; start `ganctl demo` again")
            left = [future]
            while not self._waiting.empty():
                left.append(self._waiting.get()[0])
            for each in left:
                if not each.done():
                    each.set_exception(ended)


def serve(application: Any, listening: socket.socket, worker: Worker) -> None:
    """Answer requests by an ASGI application, and compute in this thread what it asks for.

    Never returns, but raises what a signal raises; it answers in a second thread, in which uvicorn leaves signals
    alone.
    """
    import uvicorn

    config = uvicorn.Config(
        application,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        worker.work()
    finally:
        server.should_exit = True
        thread.join(SECONDS)
