"""Signals that end the process."""

import os
import signal
import threading

import pytest

from ganctl.errors import Stopped
from ganctl.runtime.signals import Signals


def test_a_signal_ends_at_once_while_nothing_is_at_stake() -> None:
    with pytest.raises(Stopped) as stopped, Signals():
        os.kill(os.getpid(), signal.SIGTERM)
    assert stopped.value.exit_code == 143


def test_a_deferred_signal_is_noted_and_the_second_one_ends_at_once() -> None:
    with Signals() as signals:
        signals.deferred = True
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.received == signal.SIGINT
        with pytest.raises(Stopped) as stopped:
            os.kill(os.getpid(), signal.SIGINT)
        assert stopped.value.exit_code == 130


def test_a_signal_during_an_import_is_raised_after_it_where_nothing_swallows_it() -> None:
    done = []

    def ended_within() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("imported")

    with Signals() as signals:
        with signals.held():
            done.append("nothing came")
        with pytest.raises(Stopped) as stopped, signals.held():
            ended_within()
        assert stopped.value.exit_code == 143
        with pytest.raises(Stopped):
            os.kill(os.getpid(), signal.SIGTERM)
    assert done == ["nothing came", "imported"]


def test_a_program_that_queues_itself_again_once_the_state_is_saved_heeds_what_follows() -> None:
    heard: list[int] = []

    def queue_again(number: int, _: object) -> None:
        heard.append(number)
        os.kill(os.getpid(), signal.SIGTERM)  # as SLURM does
        raise SystemExit(1)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR2)}
    signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    signal.signal(signal.SIGUSR2, queue_again)
    try:
        with Signals(then=True) as signals:
            os.kill(os.getpid(), signal.SIGUSR2)
            assert signals.save_wanted == signal.SIGUSR2
            assert heard == []
            with pytest.raises(SystemExit):
                signals.saved()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert heard == [signal.SIGUSR2, signal.SIGTERM]


def test_after_a_handler_of_the_program_signals_end_the_run_as_before() -> None:
    before = signal.signal(signal.SIGUSR2, lambda *_: None)
    try:
        with Signals(then=True) as signals:
            os.kill(os.getpid(), signal.SIGUSR2)
            signals.saved()
            with pytest.raises(Stopped):
                os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_the_handlers_before_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with Signals():
        assert signal.getsignal(signal.SIGTERM) != before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_outside_the_main_thread_it_stays_out_of_the_way() -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with Signals() as signals:
                assert signals.received is None
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failures == []


def test_a_signal_that_the_system_repeats_does_not_interrupt_the_save() -> None:
    with Signals() as signals:
        signals.deferred = True
        for _ in range(3):
            signal.raise_signal(signal.SIGXCPU)
        assert signals.received == signal.SIGXCPU
    with Signals(), pytest.raises(Stopped):
        signal.raise_signal(signal.SIGXCPU)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_warning_keeps_the_meaning_that_the_process_has_given_it(number: signal.Signals) -> None:
    heard: list[int] = []
    before = signal.signal(number, lambda received, _: heard.append(received))
    try:
        with Signals() as signals:
            signal.raise_signal(number)
        assert (heard, signals.save_wanted) == ([number], None)
    finally:
        signal.signal(number, before)
