"""A task that is told to stop: every wait ends at once, no request outlives it, what was done is noted."""

from __future__ import annotations

import asyncio
import errno
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from airflow_provider_retreaver.core.errors import ConnectionFailed, RetreaverError, Stopped
from airflow_provider_retreaver.core.operations import Outcome, ServerTime, Together, Wait
from airflow_provider_retreaver.core.settings import Settings
from airflow_provider_retreaver.resources.targets import delete_target, get_target, list_targets, reset_cap
from airflow_provider_retreaver.sandbox.local_server import run_sandbox
from airflow_provider_retreaver.transport.aio import AiohttpTransport
from airflow_provider_retreaver.transport.background import BackgroundClient
from airflow_provider_retreaver.transport.blocking import RequestsTransport
from airflow_provider_retreaver.transport.client import AsyncRetreaverClient, RetreaverClient
from airflow_provider_retreaver.transport.connections import Running, WatchedAdapter
from airflow_provider_retreaver.transport.limiter import Limiter
from airflow_provider_retreaver.transport.lookup import look_up
from tests.contract.harness import KEY, options
from tests.stopping import TimeIsUp, own_threads, threads_left
from tests.transport.raw_server import answer, raw_server

# Seconds after which the signal comes, and within which the busiest machine has ended the work: a wait that nothing
# ends takes half a minute or more.
SIGNAL, ENDED = 0.4, 20.0


@contextmanager
def told_to_stop(*, alarm: bool = True, ready: Callable[[], bool] | None = None) -> Generator[None]:
    """Raise `TimeIsUp` in this thread soon, as Airflow does, and expect that the block ends in time.

    :param alarm: whether it is raised here; the block ends itself otherwise.
    :param ready: returns whether it is time; by default after some tenths of a second.
    """

    def handle(*_: object) -> None:
        raise TimeIsUp

    def watch() -> None:
        while not (over.wait(0.01) or (ready is not None and ready())):
            pass
        if not over.is_set():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    before, over = signal.signal(signal.SIGALRM, handle), threading.Event()
    watcher = threading.Thread(target=watch)
    if alarm and ready is not None:
        watcher.start()
    signal.setitimer(signal.ITIMER_REAL, SIGNAL if alarm and ready is None else 0)
    started = time.monotonic()
    try:
        with pytest.raises((TimeIsUp, asyncio.CancelledError)):
            yield
        assert (0 if ready else SIGNAL * 0.9) <= time.monotonic() - started < ENDED
    finally:
        over.set()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if watcher.ident:
            watcher.join()


class Account:
    """A sandbox over TCP with a hundred targets, and clients for it that do not fake their waits."""

    def __init__(self, served) -> None:
        self.served = served
        self.limiter = Limiter(4)
        for number in range(60):
            self.control("POST", "/targets.json", b'{"target": {"number": "+191955501%02d"}}' % number)

    def control(self, method: str, path: str, body: bytes = b"") -> None:
        """Send a request as another client."""
        query = [("api_key", KEY), ("company_id", "1")]
        answer = self.served.sandbox.handle(method, path, query, {"content-type": "application/json"}, body)
        assert answer.status < 300, answer

    def fault(self, text: bytes) -> None:
        """Script a fault."""
        self.control("POST", "/__sandbox__/faults", text)

    @property
    def settings(self) -> Settings:
        """The settings of the connection."""
        return Settings.parse("stopping", password=KEY, login="1", host=self.served.url)

    def requests(self, method: str, path: str) -> int:
        """Return how many requests of a method, with this part of a path, were sent."""
        log = json.loads(self.served.sandbox.handle("GET", "/__sandbox__/requests", [], {}, b"").body)
        return sum(entry["method"] == method and path in entry["path"] for entry in log)

    def run(self, kind: str, procedure, requests: int = 0, method: str = "GET", path: str = "/targets") -> None:
        """Run a procedure with a client of this kind, until it is told to stop.

        :param requests: number of such requests, after which it is told.
        """
        ready = (lambda: self.requests(method, path) >= requests) if requests else None
        if kind == "sync":
            with told_to_stop(ready=ready), RetreaverClient(self.settings, limiter=self.limiter) as client:
                client.run(procedure)
        else:
            with told_to_stop(alarm=False, ready=ready):
                asyncio.run(self._cancelled(procedure, ready))
        assert threads_left() == []
        assert self.limiter.taken == 0

    async def _cancelled(self, procedure, ready) -> None:
        async with AsyncRetreaverClient(self.settings, limiter=self.limiter) as client:
            task = asyncio.ensure_future(client.run(procedure))
            await asyncio.sleep(SIGNAL if ready is None else 0)
            while not (ready is None or ready()):  # noqa: ASYNC110 - the sandbox sets no event
                await asyncio.sleep(0.01)
            task.cancel()
            try:
                await task
            finally:
                assert len(asyncio.all_tasks()) == 1


@pytest.fixture(scope="module")
def served():
    """Serve a sandbox."""
    with run_sandbox(options()) as running:
        yield running


@pytest.fixture
def account(served):
    """Return an account without faults."""
    served.sandbox.handle("POST", "/__sandbox__/reset", [], {}, b'{"load": "empty"}')
    return Account(served)


@pytest.fixture(params=["sync", "async"])
def kind(request):
    """Return the kind of client."""
    return request.param


FIRST_PAGE = b'{"path": "targets.json", "headers": {"X-Page": "first"}}'
SLOW = {
    "429": b'{"method": "%s", "status": 429, "times": null, "headers": {"Retry-After": "100"}}',
    "held": b'{"method": "%s", "delay": 100, "times": null}',
}


@pytest.mark.parametrize("fault", SLOW)
def test_pages_that_are_read_ahead(account, kind, fault):
    """Later pages that are refused, or held, for minutes end with the task."""
    noted = []

    def procedure():
        account.fault(FIRST_PAGE)
        account.fault(SLOW[fault] % b"GET")
        try:
            yield list_targets()
        except Stopped as error:
            noted.append(str(error))

    account.run(kind, procedure(), 2)
    assert noted == ["GET /targets.json was not completed: the task was told to stop."]


@pytest.mark.parametrize("fault", SLOW)
def test_reads_at_once(account, kind, fault):
    """Reads that wait are broken off; the procedure gets what became of each of them."""
    outcomes = []

    def procedure():
        account.fault(SLOW[fault] % b"GET")
        outcomes.extend((yield Together([get_target(id=number) for number in range(1, 20)])))

    account.run(kind, procedure(), 1)
    assert [type(outcome.error) for outcome in outcomes] == [Stopped] * 19


def test_writes_that_were_sent_are_noted(account, kind):
    """A write gets a second for its response, and is noted as done; what was not sent is noted as stopped."""
    outcomes: list[Outcome[object]] = []
    later: list[object] = []

    def procedure():
        account.fault(b'{"method": "POST", "delay": 0.6, "times": null}')
        outcomes.extend((yield Together([reset_cap(number) for number in range(1, 13)])))
        later.append((yield ServerTime()).offset)
        later.extend((yield Together([get_target(id=1)])))
        yield delete_target(id=1)

    account.run(kind, procedure(), 4, "POST", "reset_cap")
    errors = [type(outcome.error) for outcome in outcomes]
    assert errors == [type(None)] * 4 + [Stopped] * 8
    assert type(later[1].error) is Stopped
    assert (account.requests("POST", "reset_cap"), account.requests("DELETE", "")) == (4, 0)


def test_writes_that_wait_are_not_sent(account, kind):
    """Writes that were refused and wait for the next attempt end at once, also while others are being submitted."""
    outcomes = []

    def procedure():
        account.fault(SLOW["429"] % b"POST")
        outcomes.extend((yield Together([reset_cap(number) for number in range(1, 13)])))

    account.run(kind, procedure(), 1, "POST", "reset_cap")
    assert [type(outcome.error) for outcome in outcomes] == [Stopped] * 12


def test_a_wait_of_a_procedure(account, kind):
    """It ends, and the procedure may note what was done, but not wait again."""
    noted = []

    def procedure():
        for _ in range(3):
            try:
                yield Wait(300)
            except Stopped as error:
                noted.append(str(error))

    account.run(kind, procedure())
    assert noted == ["The wait was ended: the task was told to stop."] * 3


def test_a_procedure_that_does_not_end(account, kind):
    """One that goes on after every error is ended after a second."""

    def procedure():
        while True:
            try:
                yield Wait(300)
            except RetreaverError:
                continue

    account.run(kind, procedure())


def test_a_place_that_does_not_come_free(account):
    """A thread that waits for its turn, since another client has all places, ends with the task."""
    limiter = Limiter(1)
    assert limiter.take(lambda: True)
    with told_to_stop(), RetreaverClient(account.settings, limiter=limiter) as client:
        client.run(two_reads())
    limiter.release()
    assert limiter.taken == 0
    assert threads_left() == []


def two_reads():
    """Read two targets at once."""
    yield Together([get_target(id=1), get_target(id=2)])


def test_a_connection_that_is_not_accepted(kind):
    """A host that accepts no connection is given up at once."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        # The queue of connections is full with these.
        queued = [socket.socket() for _ in range(4)]
        for one in queued:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        run_against(kind, port)
        for one in queued:
            one.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_says_nothing(kind, scheme):
    """A TLS handshake, or a response, that does not come ends with the task."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        run_against(kind, listener.getsockname()[1], scheme)


# Instead of the question to the system: a process that says that it runs, and never answers.
HANGING = "import time; open({!r}, 'w').close(); time.sleep(600)"


def waiting(mark):
    """Return the processes that resolve a name and have its mark in their command."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(mark).encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def is_listed(process):
    """Return whether the system lists a process, a zombie included."""
    return Path(f"/proc/{process}").exists()


def test_a_name_that_is_not_resolved():
    """A resolver that hangs does not keep the task: what remains is a daemon that only waits for it."""
    hanging = threading.Event()

    def resolver(host, port):
        hanging.wait(120)
        raise OSError

    try:
        run_against("sync", 80, host="hangs.test", resolver=resolver)
    finally:
        hanging.set()


def test_one_thread_resolves_a_name():
    """However often a name that hangs is asked for, one thread waits for it, and each request ends with its limit."""
    hanging, asked = threading.Event(), []

    def resolver(host, port):
        asked.append(host)
        hanging.wait(120)
        return []

    settings = hanging_settings()
    started = time.monotonic()
    try:
        with RetreaverClient(settings, transport=RequestsTransport(settings, resolver=resolver)) as client:
            for _ in range(3):
                with pytest.raises(RetreaverError):
                    client.run(get_target(id=1))
        assert time.monotonic() - started < 60
        assert asked == ["hangs.test"]
        assert own_threads() == ["retreaver-resolver"]
    finally:
        hanging.set()
    assert threads_left() == []


def hanging_settings():
    """Return settings of a connection whose name nobody resolves."""
    extra = {"allow_http": True, "timeout": 0.2, "max_attempts": 1}
    return Settings.parse("odd", password=KEY, host="http://hangs.test:80", extra=extra)


def all_threads():
    """Return the threads of this process, of whoever they are."""
    return {one.name for one in threading.enumerate()}


def test_a_trigger_that_is_cancelled_while_a_name_is_resolved_leaves_nothing(tmp_path):
    """A triggerer lives on: neither a thread nor a process that waits for the system's resolver may be left in it."""
    mark = tmp_path / "started"

    async def resolver(host, port):
        return await look_up("localhost", port, HANGING.format(str(mark)))

    async def has_begun():
        while not mark.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)

    async def run():
        before = all_threads()
        settings = Settings.parse("odd", password=KEY, host="http://hangs.test:80", extra={"allow_http": True})
        client = AsyncRetreaverClient(settings, transport=AiohttpTransport(settings, resolver=resolver))
        task = asyncio.ensure_future(client.run(two_reads()))
        await has_begun()
        (process,) = waiting(mark)
        assert all_threads() == before
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await client.close()
        assert time.monotonic() - started < ENDED
        assert waiting(mark) == []
        assert not is_listed(process), "it is not left as a zombie either"
        assert all_threads() == before

    asyncio.run(run())


def test_a_name_that_is_not_resolved_in_time(tmp_path):
    """Each request ends with its limit, and its process with it."""
    mark = tmp_path / "started"

    async def resolver(host, port):
        return await look_up("localhost", port, HANGING.format(str(mark)))

    async def run():
        settings = hanging_settings()
        async with AsyncRetreaverClient(settings, transport=AiohttpTransport(settings, resolver=resolver)) as client:
            for _ in range(2):
                with pytest.raises(ConnectionFailed) as raised:
                    await client.run(get_target(id=1))
                assert not raised.value.sent
                assert waiting(mark) == []

    asyncio.run(run())
    assert mark.exists()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_names_are_resolved_as_the_system_does(host):
    """The addresses, and their order, are those that `getaddrinfo` of this process has."""

    async def run():
        return list(await look_up(host, 8080))

    assert asyncio.run(run()) == socket.getaddrinfo(host, 8080, type=socket.SOCK_STREAM)


@pytest.mark.parametrize(
    ("program", "number"),
    [
        ("import os; os.write(1, b'(-2, \\'Name or service not known\\')')", -2),
        ("raise SystemExit", None),
        ("import os; os.write(1, b'[(2, 1, 6')", None),
        ("import os; os.write(1, bytes([255]))", None),
    ],
)
def test_a_name_that_does_not_exist(program, number):
    """It is the system's error; a process that says nothing, or only a part, is one, too."""

    async def run():
        await look_up("localhost", 80, program)

    with pytest.raises(socket.gaierror) as raised:
        asyncio.run(run())
    assert raised.value.errno == number


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE])
def test_a_process_that_cannot_be_started(number, monkeypatch):
    """The name was not resolved, so nothing was sent: it is tried again, writes too."""
    started, waits = [], []

    def refuse(*_, **__):
        started.append(True)
        raise OSError(number, os.strerror(number))

    async def wait(seconds):
        waits.append(seconds)

    async def run():
        settings = Settings.parse("odd", password=KEY, host="http://localhost:80", extra={"max_attempts": 3})
        async with AsyncRetreaverClient(settings, sleep=wait) as client:
            await client.run(delete_target(id=1))

    monkeypatch.setattr("airflow_provider_retreaver.transport.lookup.subprocess.Popen", refuse)
    with pytest.raises(ConnectionFailed) as raised:
        asyncio.run(run())
    assert not raised.value.sent
    assert (len(started), len(waits)) == (3, 2)


def test_many_connections_at_once_ask_for_a_name_once():
    """One process resolves it for all of them, and for those that follow within seconds."""
    asked = []

    async def resolver(host, port):
        asked.append(host)
        await asyncio.sleep(0.05)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def run(port):
        extra = {"allow_http": True, "max_concurrency": 8}
        settings = Settings.parse("odd", password=KEY, host=f"http://many.test:{port}", extra=extra)
        transport = AiohttpTransport(settings, resolver=resolver)
        async with AsyncRetreaverClient(settings, transport=transport, limiter=Limiter(8)) as client:
            for _ in range(3):
                await client.run(together(8))

    def together(count):
        outcomes = yield Together([get_target(id=1)] * count)
        assert [one.value["id"] for one in outcomes] == [1] * count

    with raw_server(answer(body=b'{"target": {"id": 1}}')) as server:
        asyncio.run(run(server.port))
    assert len(server.requests) == 24
    assert asked == ["many.test"]


def test_a_name_that_is_being_resolved_keeps_no_process(project):
    """A process ends although the system's resolver has not returned."""
    program = (
        "import threading\n"
        "from airflow_provider_retreaver.transport.addresses import start_resolving\n"
        "start_resolving(lambda host, port: threading.Event().wait(600), 'hangs.test', 80)\n"
        "print('END')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=project, stdout=subprocess.PIPE, timeout=300, check=True
    )
    assert ended.stdout == b"END\n"


def run_against(kind, port, scheme="http", host="127.0.0.1", **options):
    """Run two reads at once against a server, until told to stop."""
    limiter = Limiter(4)
    settings = Settings.parse("odd", password=KEY, host=f"{scheme}://{host}:{port}", extra={"allow_http": True})
    if kind == "sync":
        client = RetreaverClient(settings, transport=RequestsTransport(settings, **options), limiter=limiter)
        with told_to_stop(), client:
            client.run(two_reads())
    else:

        async def run():
            transport = AiohttpTransport(settings, **options)
            async with AsyncRetreaverClient(settings, transport=transport, limiter=limiter) as client:
                task = asyncio.ensure_future(client.run(two_reads()))
                asyncio.get_running_loop().call_later(SIGNAL, task.cancel)
                await task

        with told_to_stop(alarm=False):
            asyncio.run(run())
    assert threads_left("retreaver-resolver") == []
    assert limiter.taken == 0


@pytest.mark.parametrize("fault", SLOW)
def test_the_client_on_its_own_thread(account, fault):
    """Exports, which read by it, end with the task too."""
    account.fault(SLOW[fault] % b"GET")
    with told_to_stop(), BackgroundClient(AsyncRetreaverClient(account.settings, limiter=account.limiter)) as client:
        list(client.ahead(lambda: get_target(id=1)))
    assert threads_left() == []
    assert account.limiter.taken == 0


def test_a_connection_that_is_broken_off_while_it_is_made(served):
    """A request that is broken off between the connection and its first byte leaves no open socket."""
    running = Running()

    class Options(list):
        """Socket options that break the request off when they are set, as another thread may at that time."""

        def __iter__(self):
            running.current().interrupted = True
            return iter(())

    host, port = "127.0.0.1", int(served.url.rpartition(":")[2])
    adapter = WatchedAdapter(running, maxsize=1)
    pool = adapter.poolmanager.connection_from_host(host, port, "http")
    connection = pool.ConnectionCls(host, port, timeout=5, socket_options=Options([()]))
    with running.request(5, 1_000), pytest.raises(ConnectionAbortedError):
        connection.connect()
    # A socket that is left open is a warning, which fails the test.
    gc.collect()
