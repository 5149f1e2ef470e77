"""Settings: defaults, then ``<home>/config.toml``, then ``LLMOS_*`` variables, then arguments.

Each setting has its docstring beside it; ``llmos config show`` prints them with their source.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self, get_args, get_origin, get_type_hints

from llmos.errors import ConfigError


@dataclass(frozen=True)
class LLMOSConfig:
    """All settings of one home."""

    processor: str = ""
    """``claude``, ``pydantic_ai``, ``local`` or ``""``: the first usable one in that order."""
    model: str = ""
    """Model of the processor: ``provider:name`` for pydantic_ai, a name for claude."""
    local_model: str = ""
    """Path of a GGUF file for the local processor."""
    database_url: str = field(default="", repr=False)
    """Where the database is, if not in the home: ``postgresql://USER@HOST/NAME``. It is shown
    without its password, which is better kept in ``~/.pgpass`` or a service file."""
    budget_usd: float = 10.0
    """What all runs of this home together may cost until it is raised."""
    max_cost_usd: float = 5.0
    """What one run may cost."""
    run_wall_s: float = 600.0
    """Wall clock of one run, in seconds."""
    tool_timeout_s: float = 120.0
    """Wall clock of one tool call, in seconds."""
    max_calls: int = 200
    """System calls one run may make."""
    max_turns: int = 100
    """Times one run may ask the model."""
    max_repeats: int = 4
    """Equal calls with equal results in a row that end a run as a loop."""
    parallel_runs: int = 4
    """Goals that run at once."""
    quotas: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What users and teams may use at most, by scope; edited by `llmos budget quota`."""
    allow: tuple[str, ...] = ()
    """Permission rules that allow a call without asking, such as ``Bash(git *)``."""
    ask: tuple[str, ...] = ()
    """Permission rules that ask a person each time."""
    deny: tuple[str, ...] = ()
    """Permission rules that deny a call; deny wins over ask and allow."""
    mcp_servers: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)
    """MCP servers whose tools may be used, by name; edited by `llmos mcp`. Only their names are
    shown: what they are started with is nobody else's to see."""
    package_plugins: bool = True
    """Use the tools that installed packages offer by the entry point ``llmos.plugins``."""
    sandbox: bool = True
    """Run ``Bash`` under bubblewrap where it is installed."""
    snapshot_files: int = 5000
    """Largest number of files in a working directory that is snapshotted around ``Bash``."""
    snapshot_mb: int = 64
    """Largest size of a working directory, in MiB, that is snapshotted around ``Bash``."""
    error_budget: float = 0.01
    """Chance of being wrong up to which a learned tool runs without a model."""
    audit_rate: float = 0.02
    """Share of runs without a model that a model makes instead, to be compared; 0 for none."""
    audit_rate_external: float = 0.05
    """The same where something is written outside this machine."""
    note_facts: bool = True
    """Note what a goal or feedback says that holds beyond it, such as "Remember that …"."""
    fact_embeddings: bool = False
    """Recall facts by their meaning too, not only by words; needs ``llmos[embeddings]``. What is
    told without need costs free runs."""
    memory_tokens: int = 1000
    """Tokens that facts, and what hooks add, may take of what a model is shown."""
    hook_seconds: float = 5.0
    """How long a hook of the embedding program may take, in seconds; 0 for no limit."""
    context_tokens: int = 32_000
    """Tokens of all that a model is shown beside tools; what is needed may exceed it."""
    learn_seconds: float = 10.0
    """How long the search for one tool may take, in seconds."""
    leave_open: bool = True
    """Learned tools may leave a value to a model, which is asked for it and for nothing else."""
    tool_search: int = 40
    """Tools up to which a model is given all; of more, those that fit its goal, and a search."""
    tools_given: int = 15
    """How many it is given then, beside the built-in ones."""
    tool_examples: bool = True
    """Show a model, for each tool, one or two examples of arguments from good runs."""
    run_program: bool = True
    """Let a model send a small program of tool calls, which runs in a sandbox."""
    program_seconds: float = 5.0
    """How long such a program may work, in seconds; its tool calls do not count."""
    cron_runs: int = 2000
    """Runs that one cycle of a cron looks at; the rest is left to the next."""
    cron_wording: bool = False
    """Let a model word what crons find. It costs tokens; facts and decisions stay with the code."""
    cron_tokens: int = 6000
    """Tokens that the wording of one cycle may use."""
    cron_max_cost_usd: float = 0.05
    """What the wording of one cycle may cost."""
    cron_rewriting: bool = False
    """Let a model try new texts for agents that often go wrong, as suggestions; needs
    ``llmos[gepa]``. It costs tokens: each try asks the agent again what it was asked before."""
    cron_rewriting_tokens: int = 200_000
    """Tokens that the new texts of one cycle may use."""
    cron_rewriting_max_cost_usd: float = 0.5
    """What the new texts of one cycle may cost."""
    promotion: str = "auto"
    """``auto``: a tool is shared when all gates are green; ``review``: a person approves each."""
    team_uses: int = 5
    """Uses from which on a user's tool may be shared with the team."""
    team_success: float = 0.95
    """Share of good uses above which it may."""
    system_uses: int = 5
    """Uses from which on a team's tool may be shared with everybody."""
    system_users: int = 3
    """Different users who must have used it."""
    system_success: float = 0.95
    """Share of good uses above which it may."""
    trust_users: bool = False
    """Users of this home are who they say they are; else a person looks at what needs several."""
    unused_days: int = 90
    """Days after which what nobody used is archived."""
    mirror: bool = True
    """Show what volumes hold as files, in ``workspace/volumes`` of the home, after every cron."""
    enable_sentience: bool = True
    """Go by the internal state: what went wrong of late makes free runs rarer and audits more."""
    show_state_to_model: bool = False
    """Tell the model the internal state too. It costs tokens in every run that a model makes."""
    telemetry: bool = False
    """Send every finished run to an OpenTelemetry collector; needs ``llmos[otel]``. It is also on
    where ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set."""
    telemetry_endpoint: str = ""
    """Base URL of the collector; by default what the ``OTEL_EXPORTER_OTLP_*`` variables say."""
    telemetry_content: bool = False
    """Send goals, arguments, results and answers too, without passwords and keys in them."""
    answer_cache: bool = False
    """Give a recorded answer again even where nothing guards it, labelled with its date."""
    enable_crons: bool = True
    """Crons may run; false keeps them off whoever starts them."""
    user_cron_interval: float = 1800.0
    """Time between two cycles of a user's cron, in seconds."""
    team_cron_interval: float = 3600.0
    """Time between two cycles of a team's cron, in seconds."""
    system_cron_interval: float = 7200.0
    """Time between two cycles of the system's cron, in seconds."""

    @classmethod
    def development(cls) -> Self:
        """Small budget, short limits: for trying things out."""
        return cls(budget_usd=1.0, max_cost_usd=0.25, run_wall_s=120.0)

    @classmethod
    def production(cls) -> Self:
        """The defaults, with the sandbox insisted on: without bubblewrap ``Bash`` is denied."""
        return cls(budget_usd=100.0, deny=("Bash(unsandboxed)",))

    @classmethod
    def load(cls, home: Path, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings of ``home``.

        Raises:
            ConfigError: The file is not TOML, or a setting is unknown or of the wrong type.
        """
        values = read_file(config_path(home))
        for name in field_types():
            text = (os.environ if environ is None else environ).get(f"LLMOS_{name.upper()}")
            if text is not None:
                values[name] = parse_setting(name, text)
        return replace(cls(), **values)


_SHORTEST_INTERVAL_S = 1.0
_SHARES = ("audit_rate", "audit_rate_external", "team_success", "system_success")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting with where its value came from."""

    name: str
    value: Any
    source: str = field(default="default")


def default_home() -> Path:
    """``$LLMOS_HOME``, else the platform's data folder for this user."""
    named = os.environ.get("LLMOS_HOME")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_data_path

    return user_data_path("llmos", appauthor=False)


def config_path(home: Path) -> Path:
    """Where the settings file of ``home`` lies."""
    return home / "config.toml"


def field_types() -> dict[str, type]:
    """Type of every setting, by name."""
    hints = get_type_hints(LLMOSConfig)
    return {f.name: hints[f.name] for f in fields(LLMOSConfig)}


def read_file(path: Path) -> dict[str, Any]:
    """The settings that a file names, checked.

    Raises:
        ConfigError: The file cannot be read, is not TOML, or names an unknown setting.
    """
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path} is not a TOML file: {e}", "mend or delete it") from e
    except OSError as e:
        raise ConfigError(f"cannot read {path}: {e.strerror}") from e
    return {name: check_setting(name, value) for name, value in raw.items()}


def check_setting(name: str, value: Any) -> Any:
    """Return ``value`` as the type of setting ``name``.

    Raises:
        ConfigError: Unknown name, or a value of another type.
    """
    types = field_types()
    if name not in types:
        raise ConfigError(f"there is no setting {name!r}", f"settings: {', '.join(types)}")
    expected = types[name]
    if get_origin(expected) is Mapping:
        if isinstance(value, Mapping) and all(isinstance(v, Mapping) for v in value.values()):
            return {str(key): dict(v) for key, v in value.items()}
        raise ConfigError(f"setting {name!r} must be tables, each under its own name")
    if get_origin(expected) is tuple:
        item = get_args(expected)[0]
        if isinstance(value, (list, tuple)) and all(isinstance(v, item) for v in value):
            return tuple(value)
    elif expected is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if name in _SHARES and value > 1:
            raise ConfigError(f"setting {name!r} is a share, from 0 to 1: {value!r}")
        if name.endswith("_cron_interval") and not value >= _SHORTEST_INTERVAL_S:
            raise ConfigError(f"setting {name!r} must be at least 1 second: {value!r}")
        if value == value and value >= 0:
            return float(value)
        raise ConfigError(f"setting {name!r} must not be negative: {value!r}")
    elif isinstance(value, expected) and (expected is bool or not isinstance(value, bool)):
        if isinstance(value, int) and expected is int and value < 1:
            raise ConfigError(f"setting {name!r} must be at least 1: {value!r}")
        return value
    kind = "a list of texts" if get_origin(expected) is tuple else expected.__name__
    raise ConfigError(f"setting {name!r} must be {kind}, not {masked(name, value)!r}")


def masked(name: str, value: Any) -> Any:
    """The value of setting ``name`` as it may be shown: a URL without its password."""
    if name == "mcp_servers":
        return sorted(value) if isinstance(value, Mapping) else "***"
    if name != "database_url" or not value:
        return value
    if not isinstance(value, str) or "://" not in value:
        return "***"  # whatever this is, it may hold a password
    named = re.sub(r"(?<=://)([^:@/?]*):.*@", r"\1:***@", value)
    return re.sub(r"(?i)([?&][^=&]*password[^=&]*=)[^&]*", r"\1***", named)


def parse_setting(name: str, text: str) -> Any:
    """Read a setting from one line of text, as variables and ``llmos config set`` give it.

    Raises:
        ConfigError: Unknown name, or text that does not fit the type.
    """
    types = field_types()
    if name not in types:
        raise ConfigError(f"there is no setting {name!r}", f"settings: {', '.join(types)}")
    expected = types[name]
    if get_origin(expected) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if get_origin(expected) is Mapping:
        try:
            return check_setting(name, json.loads(text))
        except ValueError as e:
            raise ConfigError(f"setting {name!r} must be a JSON object", "see its commands") from e
    if expected is bool:
        if text.lower() in ("1", "true", "yes", "on"):
            return True
        if text.lower() in ("0", "false", "no", "off"):
            return False
        raise ConfigError(f"setting {name!r} must be true or false, not {text!r}")
    if expected in (int, float):
        try:
            return check_setting(name, expected(text))
        except ValueError as e:
            raise ConfigError(f"setting {name!r} must be a number, not {text!r}") from e
    return text
