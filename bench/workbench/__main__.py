"""What LLM OS learns in an office, by the protocol of the benchmark.

    python -m bench.workbench PATH [--stream short] [--learner gpt4] [--seeds 5] [--workers 2]

PATH is the benchmark's folder. Prints Markdown; exits 1 when a target was missed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from bench.workbench.metrics import SeedResult
from bench.workbench.protocol import Plan, run_seed
from bench.workbench.report import as_json, report, target_rows
from llmos.errors import LLMOSError, UserError


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser("python -m bench.workbench", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    add = made.add_argument
    add("path", type=Path, metavar="PATH", help="the benchmark's folder")
    add("--stream", choices=("long", "short"), help="short has 10 goals a template; default long")
    add("--learner", choices=("expert", "gpt4"), default="expert", help="gpt4 has a short stream")
    add("--both-runs", action="store_true", help="learn from the other GPT-4 run of a goal too")
    add("--seeds", type=_count, default=5, metavar="N", help="seeds 0 … N-1; default 5")
    add("--workers", type=_count, default=2, metavar="N", help="seeds at once; default 2")
    add("--templates", default="", metavar="IDS", help="only these, such as calendar-02,crm-05")
    _add_arrangements(made)
    add("--drift", type=int, default=0, metavar="N", help="ask again in N drifted worlds")
    add("--near-misses", action="store_true", help="ask goals with one critical word changed")
    add("--sample", type=int, default=200, metavar="N", help="goals asked again; default 200")
    add("--no-learning", action="store_true", help="no background: what replay alone is worth")
    add("--home", type=Path, metavar="DIR", help="where homes are made, such as a RAM disk")
    add("--per-template", action="store_true", help="a row for each template")
    add("--json", type=Path, metavar="FILE", help="write every run there")
    return made


def _add_arrangements(made: argparse.ArgumentParser) -> None:
    how = made.add_mutually_exclusive_group()
    how.add_argument(
        "--leave-one-out",
        action="store_const",
        const="left-out",
        dest="arrangement",
        help="for each template: all others first, then its own goals, which alone are counted",
    )
    how.add_argument(
        "--alone",
        action="store_const",
        const="alone",
        dest="arrangement",
        help="each template in a home of its own, with nothing learned from others",
    )


def plan_of(given: argparse.Namespace) -> Plan:
    """What the command line asks for."""
    return Plan(
        data=given.path,
        stream=given.stream or ("short" if given.learner == "gpt4" else "long"),
        learner=given.learner,
        both_runs=given.both_runs,
        templates=tuple(name for name in given.templates.split(",") if name),
        arrangement=given.arrangement or "mixed",
        learning=not given.no_learning,
        home=given.home,
        sample=given.sample,
        drift=given.drift,
        near_misses=given.near_misses,
    )


def check(plan: Plan) -> None:
    """Refuse what would not be measured as it was asked.

    Raises:
        UserError: There are no such recordings, or no one home to put to the test.
    """
    if plan.learner == "gpt4" and plan.stream == "long":
        raise UserError("the GPT-4 runs are of the short stream", "leave --stream out")
    if plan.both_runs and plan.learner != "gpt4":
        raise UserError("there are two recorded runs of GPT-4 only", "add --learner gpt4")
    if plan.arrangement != "mixed" and (plan.drift or plan.near_misses):
        raise UserError(
            "drifted worlds and near misses need one stream of all templates",
            "leave --leave-one-out and --alone out",
        )


def run(plan: Plan, seeds: int, workers: int) -> list[SeedResult]:
    """All seeds, each in a process of its own, in order of the seeds."""
    return sorted(_finished(plan, seeds, workers), key=lambda result: result.seed)


def _finished(plan: Plan, seeds: int, workers: int) -> Iterator[SeedResult]:
    began = time.perf_counter()
    # Spawned, and used once: a seed's peak of memory is its own.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, seeds), fresh, max_tasks_per_child=1) as pool:
        working = [pool.submit(run_seed, plan, seed) for seed in range(seeds)]
        try:
            for done in as_completed(working):
                result = done.result()
                took = time.perf_counter() - began
                print(f"… seed {result.seed} done after {took:.0f} s", file=sys.stderr)
                yield result
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 0 when every target that could be measured was met."""
    given = parser().parse_args(arguments)
    plan = plan_of(given)
    try:
        check(plan)
        results = run(plan, given.seeds, given.workers)
    except LLMOSError as e:
        print(f"error: {e.message}. {e.hint}", file=sys.stderr)
        return e.exit_code
    if given.json:
        given.json.write_text(json.dumps(as_json(plan, results)), encoding="utf-8")
    print(report(plan, results, per_template=given.per_template))
    return 0 if all(row.met is not False for row in target_rows(plan, results)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
