import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from services.storage.embedded import Embedded, EmbeddedError

pytestmark = pytest.mark.xdist_group("embedded")


@pytest.fixture
def directory() -> Iterator[Path]:
    """Not pytest's own, which another run closes to the server's account."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as path:
        data = Path(path) / "postgres"
        with Embedded(data, durable=False).running():
            yield data


def connect(embedded: Embedded) -> psycopg.Connection:
    return psycopg.connect(embedded.url().replace("+psycopg", ""), autocommit=True)


def server(data: Path) -> int:
    return int((data / "postmaster.pid").read_text().split()[0])


def test_a_killed_server_comes_back_with_its_data(data: Path) -> None:
    embedded = Embedded(data, durable=False)
    with connect(embedded) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        connection.execute("CHECKPOINT")
        os.kill(server(data), signal.SIGKILL)
    began = monotonic()
    with embedded.running(), connect(embedded) as connection:
        assert connection.execute("SELECT one FROM kept").fetchall() == [(1,)]
    assert monotonic() - began < 15


def test_the_server_runs_until_its_last_user_leaves(data: Path) -> None:
    first, second = Embedded(data, durable=False), Embedded(data, durable=False)
    with first.running(), second.running():
        first.stop()
        with connect(second) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    with connect(second) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_server_stops_with_its_only_user(directory: Path) -> None:
    embedded = Embedded(directory / "postgres")
    with embedded.running():
        assert server(embedded.data)
    assert not (embedded.data / "postmaster.pid").exists()
    with pytest.raises(psycopg.OperationalError):
        connect(embedded)


def test_a_server_for_tests_leaves_nothing(directory: Path) -> None:
    with Embedded(directory / "postgres", durable=False).running():
        pass
    assert {path.suffix for path in directory.iterdir()} == {".lock"}


def test_an_interrupted_first_start_is_begun_again(directory: Path) -> None:
    (directory / "postgres.new").mkdir()
    (directory / "postgres.new" / "half").touch()
    with Embedded(directory / "postgres", durable=False).running() as embedded, connect(embedded) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_directory_that_holds_something_else_is_left_alone(directory: Path) -> None:
    (directory / "letters").mkdir()
    (directory / "letters" / "letter").touch()
    with pytest.raises(EmbeddedError):
        Embedded(directory / "letters").start()
    assert (directory / "letters" / "letter").exists()


def test_a_lock_file_with_the_number_of_another_process_does_not_hinder(directory: Path) -> None:
    embedded = Embedded(directory / "postgres")
    with embedded.running():
        pass
    (embedded.data / "postmaster.pid").write_text(f"{os.getpid()}\n{embedded.data}\n")
    with embedded.running(), connect(embedded) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_database_is_created_once(data: Path) -> None:
    embedded = Embedded(data, durable=False)
    assert embedded.ensure_database("gateway") == embedded.ensure_database("gateway")


def test_a_directory_with_a_long_name_gets_its_socket_elsewhere(directory: Path) -> None:
    embedded = Embedded(directory / ("long" * 25) / "postgres")
    assert len(os.fsencode(embedded.sockets)) < 100
