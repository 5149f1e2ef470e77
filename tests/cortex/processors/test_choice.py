from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmos.config import LLMOSConfig
from llmos.cortex.processors import PROCESSORS, make_processor, processor_status
from llmos.errors import ConfigError, NeedsProcessor


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [n for n in os.environ if n.startswith(("ANTHROPIC_", "CLAUDE_", "LLMOS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_without_any_way_to_a_model_the_hint_names_all_of_them() -> None:
    with pytest.raises(NeedsProcessor) as caught:
        make_processor(LLMOSConfig())
    assert "\n" not in caught.value.message + caught.value.hint
    for way in ("ANTHROPIC_API_KEY", "LLMOS_MODEL=provider:name", "LLMOS_LOCAL_MODEL="):
        assert way in caught.value.hint


def test_first_usable_one_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("claude_agent_sdk", reason="needs the extra llmos[claude]")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    assert make_processor(LLMOSConfig()).name == "claude"


def test_named_one_is_made_or_refused_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    with pytest.raises(NeedsProcessor, match="'local' cannot be used"):
        make_processor(LLMOSConfig(processor="local"))
    monkeypatch.setenv("LLMOS_PROCESSOR", "local")
    with pytest.raises(NeedsProcessor, match="'local' cannot be used"):
        make_processor(LLMOSConfig())


@pytest.mark.parametrize("name", ["gpt", "recorded", "__init__"])
def test_unknown_name_is_a_config_error(name: str) -> None:
    with pytest.raises(ConfigError, match="processor") as caught:
        make_processor(LLMOSConfig(processor=name))
    assert "claude" in caught.value.hint


def test_status_tells_of_every_processor_in_the_order_of_choice() -> None:
    status = processor_status(LLMOSConfig())
    assert tuple(name for name, _ in status) == PROCESSORS
    assert all(reason and "\n" not in reason for _, reason in status)


def test_importing_and_asking_for_the_status_loads_no_model_library() -> None:
    code = (
        "import sys; from llmos.config import LLMOSConfig; import llmos.cortex.processors as p;"
        "p.processor_status(LLMOSConfig());"
        "print({'claude_agent_sdk', 'pydantic_ai', 'xllamacpp', 'mcp'} & set(sys.modules))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
