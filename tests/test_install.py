"""The set-up that a new machine goes through: pins, the install script, the text check."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts import check_text

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCK = "constraints.txt"
PIN_FILES = [LOCK, "requirements.txt", "requirements/base.txt", "requirements/lock.txt"]
PARTS = {"requirements/base.txt": [], "requirements.txt": ["claude"]}


def entries(name: str) -> list[str]:
    """The pins of one file, each with its hashes on one line."""
    text = (ROOT / name).read_text("utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line[:1].isalnum()]


def pins(name: str) -> dict[str, Requirement]:
    found = [Requirement(entry.split("--hash")[0].strip()) for entry in entries(name)]
    return {canonicalize_name(pin.name): pin for pin in found}


def wanted(extras: list[str]) -> list[Requirement]:
    project = PROJECT["project"]
    optional = [line for extra in extras for line in project["optional-dependencies"][extra]]
    lines = [*PROJECT["build-system"]["requires"], *project["dependencies"], *optional]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("name", PIN_FILES)
def test_every_pin_is_exact_and_has_hashes_and_names_no_host(name: str) -> None:
    assert entries(name)
    for entry in entries(name):
        assert re.match(r"[A-Za-z0-9_.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry), entry
    assert "://" not in (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize("name", PIN_FILES)
def test_pins_are_installed_from_wheels_only(name: str) -> None:
    assert "--only-binary :all:" in (ROOT / name).read_text("utf-8").splitlines()


@pytest.mark.parametrize("part", PARTS)
def test_each_part_of_the_lock_has_the_versions_and_hashes_of_the_lock(part: str) -> None:
    # Markers may differ: they say on which platforms this part needs the package.
    def without_markers(name: str) -> set[str]:
        return {re.sub(r" ;.*?(?= --hash)", "", " ".join(e.split())) for e in entries(name)}

    assert without_markers(part) <= without_markers(LOCK)


@pytest.mark.parametrize(
    ("name", "extras"),
    [*PARTS.items(), (LOCK, ["claude", "models", "local", "postgres", "test", "check"])],
)
def test_what_the_project_asks_for_is_pinned(name: str, extras: list[str]) -> None:
    pinned = pins(name)
    for requirement in wanted(extras):
        (version,) = pinned[canonicalize_name(requirement.name)].specifier
        assert requirement.specifier.contains(version.version), requirement


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone that holds nothing but the install script and a file of no pins."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/install.sh").write_bytes((ROOT / "scripts/install.sh").read_bytes())
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "pins.txt").touch()
    return tmp_path


def python(clone: Path, script: str) -> str:
    """A Python that does what ``script`` says, with ``$1`` as its first argument."""
    path = clone / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def install(clone: Path, python: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", clone / "scripts/install.sh", "pins.txt"],
        env={"PATH": "/usr/bin:/bin", "PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_old_python_is_refused_in_one_line_that_says_what_to_type(clone: Path) -> None:
    done = install(clone, python(clone, '[ "$1" = -V ] && echo Python 3.9.2 || exit 1'))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "Python 3.9.2" in line
    assert "PYTHON=" in line
    assert not (clone / ".venv").exists()


def test_a_python_that_is_not_there_is_told_in_one_line(clone: Path) -> None:
    done = install(clone, "no-such-python")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "no-such-python" in line


def test_a_python_without_venv_is_told_and_leaves_no_half_environment(clone: Path) -> None:
    bare = python(
        clone, 'case "$1$2" in -V) echo Python 3.11.2;; -mvenv) mkdir .venv; exit 1;; esac'
    )
    done = install(clone, bare)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "python3-venv" in done.stderr
    assert not (clone / ".venv").exists()


INSTALLS = """
case "$1$2" in
    -mvenv) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    -mpip) [ ! -e offline ] || exit 1 ;;
esac
"""


def test_what_is_installed_needs_no_network_until_its_pins_change(clone: Path) -> None:
    whole = python(clone, INSTALLS)
    assert install(clone, whole).returncode == 0
    (clone / "offline").touch()
    again = install(clone, whole)
    assert (again.returncode, again.stderr) == (0, "")
    (clone / "pins.txt").write_text("# other pins\n")
    refused = install(clone, whole)
    assert refused.returncode == 1
    assert "could not install pins.txt" in refused.stderr


def test_an_interrupted_installation_is_taken_up_again(clone: Path) -> None:
    whole = python(clone, INSTALLS)
    (clone / "offline").touch()
    assert install(clone, whole).returncode == 1
    (clone / "offline").unlink()
    assert "installing pins.txt" in install(clone, whole).stderr


def test_an_environment_that_was_moved_is_made_anew(clone: Path) -> None:
    whole = python(clone, INSTALLS)
    install(clone, whole)
    (clone / ".venv/made").write_text("/somewhere/else\n")
    (clone / ".venv/left-over").touch()
    (clone / "pins.txt").write_text("# other pins\n")
    assert install(clone, whole).returncode == 0
    assert not (clone / ".venv/left-over").exists()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("docs/x.md", "see " + "/ro" + "ot/llmos"),
        ("docs/x.md", "cd /ho" + "me/carol/llmos"),
        ("README.md", "pip install --index" + "-url X"),
        ("Makefile", "https://mirror.example/" + "simple"),
        ("constraints.txt", "# from https://mirror.example"),
        ("llmos/x.py", "# TO" + "DO: later"),
        ("llmos/x.py", "    raise " + "NotImplementedError"),
    ],
)
def test_forbidden_text_is_found(name: str, line: str) -> None:
    (found,) = check_text.findings(name, f"fine\n{line}\n")
    assert found.startswith(f"{name}:2: ")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("docs/x.md", "/home/alice/project"),
        ("docs/x.md", "a simple page: https://example.org/simpler"),
        ("docs/x.md", "TODO lists are a goal that recurs"),
        ("llmos/x.py", "except NotImplementedError:"),
    ],
)
def test_innocent_text_is_let_through(name: str, line: str) -> None:
    assert list(check_text.findings(name, line)) == []
