"""The sandbox holds: what cannot be reached from inside."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from llmos.errors import SandboxError
from llmos.plugins import ToolContext, sandbox
from tests.plugins.conftest import needs_sandbox

pytestmark = needs_sandbox

Inside = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def inside(context: ToolContext) -> Inside:
    def run(command: str, ctx: ToolContext = context) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            sandbox.command(["/bin/sh", "-c", command], ctx),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )

    return run


def test_working_directory_can_be_written(inside: Inside, cwd: Path) -> None:
    assert inside("pwd; echo x > a; mkdir d; mv a d/a").stdout == f"{cwd}\n"
    assert (cwd / "d" / "a").read_text() == "x\n"


@pytest.fixture
def mark() -> Iterator[str]:
    """A file name that nobody else uses, cleaned up should a sandbox not hold."""
    name = f"llmos-test-{os.getpid()}"
    yield name
    for folder in ("/etc", "/usr/bin", "/", "/var", "/tmp"):
        Path(folder, name).unlink(missing_ok=True)


def test_nothing_else_can_be_written(inside: Inside, cwd: Path, person: Path, mark: str) -> None:
    for folder in (cwd.parent, person, Path("/etc"), Path("/usr/bin"), Path("/"), Path("/var")):
        inside(f"touch {folder}/{mark}")
        assert not (folder / mark).exists()


def test_link_out_of_the_working_directory_cannot_be_written_through(
    inside: Inside, cwd: Path, person: Path
) -> None:
    (person / "notes.txt").write_text("mine")
    (cwd / "out").symlink_to(person)
    inside("echo stolen > out/notes.txt; rm -rf out/; rm -f out/notes.txt")
    assert (person / "notes.txt").read_text() == "mine"


def test_there_is_no_network(inside: Inside) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    accepted: list[bool] = []

    def accept() -> None:
        try:
            server.accept()
            accepted.append(True)
        except OSError:
            pass

    waiting = threading.Thread(target=accept, daemon=True)
    waiting.start()
    program = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
    ran = inside(f'{sys.executable} -c "{program}"')
    assert ran.returncode != 0
    assert "refused" in ran.stdout
    # The server does answer, from outside.
    socket.create_connection(("127.0.0.1", port), 2).close()
    waiting.join(5)
    server.close()
    assert accepted == [True]


def test_home_of_llm_os_is_empty_and_read_only(inside: Inside, home: Path) -> None:
    ran = inside(f"ls -A {home} | wc -l; cat {home}/llmos.db; echo x > {home}/llmos.db")
    assert ran.stdout.startswith("0\n")
    assert "the one database" not in ran.stdout
    assert ran.returncode != 0
    assert (home / "llmos.db").read_text() == "the one database"
    assert [p.name for p in home.iterdir()] == ["llmos.db"]


def test_home_inside_the_working_directory_is_hidden_too(
    inside: Inside, context: ToolContext, cwd: Path
) -> None:
    inner = cwd / ".llmos"
    inner.mkdir()
    (inner / "llmos.db").write_text("the one database")
    (cwd / "link").symlink_to(".llmos")
    ctx = replace(context, home=inner)
    ran = inside("ls -A .llmos link/; rm -rf .llmos; mv .llmos x; echo y > .llmos/z; ls -A", ctx)
    assert "llmos.db" not in ran.stdout
    assert (inner / "llmos.db").read_text() == "the one database"


def test_home_that_is_a_link_is_hidden_where_it_leads(
    inside: Inside, context: ToolContext, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "alias").symlink_to(home)
    ran = inside(
        f"cat {home}/llmos.db {tmp_path}/alias/llmos.db", replace(context, home=tmp_path / "alias")
    )
    assert "the one database" not in ran.stdout


def test_keys_and_tokens_of_the_person_are_hidden(
    inside: Inside, context: ToolContext, person: Path
) -> None:
    ran = inside(f"cat {person}/.ssh/id_ed25519 {person}/.netrc; ls -A {person}/.ssh")
    assert "PRIVATE" not in ran.stdout
    assert "hunter2" not in ran.stdout
    # Also when the person's own home is the working directory.
    ran = inside("cat .ssh/id_ed25519 .netrc; echo x > .netrc", replace(context, cwd=person))
    assert "PRIVATE" not in ran.stdout
    assert "hunter2" not in ran.stdout
    assert (person / ".netrc").read_text() == "password hunter2"


def test_secret_folder_chosen_as_working_directory_can_be_used(
    inside: Inside, context: ToolContext, person: Path
) -> None:
    chosen, other = person / ".config" / "editor", person / ".config" / "gh"
    for folder in (chosen, other):
        folder.mkdir(parents=True)
        (folder / "file").write_text(folder.name)
    ran = inside(f"cat file; echo x > made; cat {other}/file", replace(context, cwd=chosen))
    assert ran.stdout.startswith("editor")
    assert "gh" not in ran.stdout.replace(str(other), "")
    assert (chosen / "made").exists()


def test_temporary_folder_is_private(inside: Inside, mark: str) -> None:
    outer = Path("/tmp") / mark
    outer.write_text("of somebody else")
    ran = inside("echo mine > /tmp/own && cat /tmp/own; ls -A /tmp /var/tmp /run")
    assert ran.stdout.startswith("mine\n")
    assert mark not in ran.stdout
    assert "docker.sock" not in ran.stdout
    assert not Path("/tmp/own").exists()


def test_other_processes_cannot_be_seen(inside: Inside) -> None:
    ran = inside(f"kill -0 {os.getpid()} && echo seen; ls /proc | grep -c '^[0-9]'")
    assert "seen" not in ran.stdout
    assert int(ran.stdout.split()[-1]) < 10


def test_sandbox_cannot_be_taken_apart_from_inside(inside: Inside, home: Path, mark: str) -> None:
    ran = inside(
        f"umount {home}; mount -o remount,rw /; mount --bind /etc /mnt; "
        f"unshare -Urm sh -c 'umount {home}; cat {home}/llmos.db'; touch /etc/{mark}; "
        "grep CapEff /proc/self/status"
    )
    assert "the one database" not in ran.stdout
    assert not Path("/etc", mark).exists()
    assert "CapEff:\t0000000000000000" in ran.stdout


def test_interpreter_can_be_run_though_its_folder_is_hidden(inside: Inside) -> None:
    ran = inside(f"{sys.executable} -c 'import sys, json, ssl; print(sys.prefix)'")
    assert ran.stdout == f"{sys.prefix}\n"


@pytest.mark.parametrize("where", ["home", "below", "root", "gone"])
def test_unusable_working_directory_is_a_clear_error(
    context: ToolContext, home: Path, where: str
) -> None:
    (home / "below").mkdir()
    cwd = {"home": home, "below": home / "below", "root": Path("/"), "gone": home.parent / "no"}
    with pytest.raises(SandboxError):
        sandbox.command(["true"], replace(context, cwd=cwd[where]))


def test_exit_code_comes_through(inside: Inside) -> None:
    assert inside("exit 7").returncode == 7


def test_without_bubblewrap_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert shutil.which("bwrap") is None
    assert sandbox.available.__wrapped__() == "bubblewrap (bwrap) is not installed"


def test_bubblewrap_that_does_not_work_tells_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert sandbox.available.__wrapped__() == (
        "bubblewrap does not run here: bwrap: No permissions to create namespace"
    )
