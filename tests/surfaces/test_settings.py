"""Settings are edited without losing what a person wrote around them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from llmos.config import LLMOSConfig, config_path
from llmos.errors import ConfigError, StoreError
from llmos.surfaces.settings import abouts, add_allow_rule, set_setting, shown_settings


def test_comments_and_order_survive_an_edit(home: Path) -> None:
    home.mkdir()
    path = config_path(home)
    path.write_text('# mine\nmodel = "x:y"  # the good one\n\nrun_wall_s = 60.0\n')
    set_setting(home, "model", "a:b")
    set_setting(home, "max_calls", "7")
    assert path.read_text() == (
        '# mine\nmodel = "a:b"  # the good one\n\nrun_wall_s = 60.0\nmax_calls = 7\n'
    )
    assert LLMOSConfig.load(home, {}).max_calls == 7


def test_a_new_file_can_be_read_by_its_owner_alone(home: Path) -> None:
    set_setting(home, "sandbox", "no")
    assert config_path(home).stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700
    assert list(home.iterdir()) == [config_path(home)], "no draft is left behind"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("colour", "red", "no setting 'colour'"),
        ("max_calls", "many", "must be a number"),
        ("max_calls", "0", "at least 1"),
        ("budget_usd", "-1", "negative"),
        ("sandbox", "perhaps", "true or false"),
        ("allow", "Bash(git *),Bash(", "cannot be used"),
        ("deny", "Read()", "cannot be used"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(
    home: Path, name: str, value: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        set_setting(home, name, value)
    assert not home.exists()


def test_a_file_that_is_not_toml_is_not_overwritten(home: Path) -> None:
    home.mkdir()
    config_path(home).write_text("model = \n")
    with pytest.raises(ConfigError, match="not a TOML file"):
        set_setting(home, "model", "a:b")
    assert config_path(home).read_text() == "model = \n"


def test_a_folder_that_cannot_be_written_is_an_error_of_the_store(home: Path) -> None:
    home.write_text("a file")
    with pytest.raises(StoreError, match="cannot write"):
        set_setting(home, "model", "a:b")


def test_an_allow_rule_is_added_once(home: Path) -> None:
    add_allow_rule(home, "Bash(git *)")
    add_allow_rule(home, "mail.send")
    add_allow_rule(home, "Bash(git *)")
    assert LLMOSConfig.load(home, {}).allow == ("Bash(git *)", "mail.send")


def test_every_setting_is_shown_with_its_source_and_meaning(home: Path) -> None:
    set_setting(home, "max_calls", "7")
    set_setting(home, "model", "a:b")
    shown = {s.name: s for s in shown_settings(home, {"LLMOS_MODEL": "c:d"})}
    assert list(shown) == [f.name for f in fields(LLMOSConfig)]
    assert (shown["max_calls"].value, shown["max_calls"].source) == (7, str(config_path(home)))
    assert (shown["model"].value, shown["model"].source) == ("c:d", "LLMOS_MODEL")
    assert shown["sandbox"].source == "default"
    assert all(s.about.endswith(".") for s in shown.values())


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("postgresql://db/x", "postgresql://db/x"),
        ("postgresql://alice@db:5433/x", "postgresql://alice@db:5433/x"),
        ("postgresql://alice:secret@db/x", "postgresql://alice:***@db/x"),
        ("postgresql://alice:se/c@r:et@db/x", "postgresql://alice:***@db/x"),
        ("postgresql://:secret@db/x", "postgresql://:***@db/x"),
        ("postgresql://db/x?user=a&password=secret", "postgresql://db/x?user=a&password=***"),
        ("postgresql://db/x?sslpassword=secret&a=b", "postgresql://db/x?sslpassword=***&a=b"),
        ("host=db password=secret", "***"),
    ],
)
def test_the_password_of_a_database_is_never_shown(home: Path, url: str, shown: str) -> None:
    (one,) = [s for s in shown_settings(home, {"LLMOS_DATABASE_URL": url}) if "_url" in s.name]
    assert (one.name, one.value, one.source) == ("database_url", shown, "LLMOS_DATABASE_URL")
    assert "secret" not in repr(LLMOSConfig(database_url=url))
    home.mkdir()
    config_path(home).write_text(f'database_url = ["{url}"]')
    with pytest.raises(ConfigError) as caught:
        LLMOSConfig.load(home, {})
    assert "secret" not in caught.value.message


def test_every_setting_has_its_docstring() -> None:
    assert abouts().keys() == {f.name for f in fields(LLMOSConfig)}
