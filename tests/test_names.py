"""What the package calls its things, seen from outside."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import llmos

PACKAGE = Path(llmos.__file__).parent

# `python llmos/boot.py` puts llmos/ first on the search path, where `import X` finds these.
TOP_LEVEL = sorted(
    path.stem
    for path in PACKAGE.iterdir()
    if path.suffix == ".py" or (path.is_dir() and path.name.isidentifier())
)


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_no_room_shadows_a_module_of_the_standard_library(name: str) -> None:
    assert name.startswith("__") or name not in sys.stdlib_module_names


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_no_room_shadows_an_installed_package(name: str) -> None:
    assert name not in packages_distributions()


@pytest.mark.parametrize("name", llmos.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(llmos, name) is not None
    assert name in dir(llmos)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        _ = llmos.nothing_of_this_name  # type: ignore[attr-defined]


def test_rooms_can_be_imported_from_the_package_beside_its_lazy_names() -> None:
    from llmos import values

    assert values.__name__ == "llmos.values"


def test_importing_the_package_loads_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules); import llmos; "
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert set(loaded) <= {"llmos", "typing", "collections", "collections.abc"} | {
        name for name in loaded if name.split(".")[0] in sys.stdlib_module_names
    }
