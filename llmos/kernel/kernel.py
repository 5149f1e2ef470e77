"""The somatic layer as one object: everything below cognition, opened for one home."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from llmos.config import LLMOSConfig
from llmos.kernel.admission import Hooks
from llmos.kernel.bus import Bus
from llmos.kernel.economy import Economy
from llmos.kernel.intents import Intents
from llmos.kernel.journal import Journal
from llmos.kernel.observe import Observer
from llmos.kernel.permissions import Approver, Permissions, for_reads
from llmos.kernel.places import Places
from llmos.kernel.quotas import Quotas, parse_quotas
from llmos.kernel.runs import Runs
from llmos.kernel.scheduler import Scheduler
from llmos.kernel.snapshot import Cap, Snapshots
from llmos.kernel.syscalls import Machine, RunCalls, RunInfo
from llmos.kernel.undo import Undo
from llmos.kernel.watchdog import Bounds, Watchdog
from llmos.plugins import Registry, default_registry
from llmos.plugins.folder import PluginFolder
from llmos.plugins.mcp import Servers, parse_servers
from llmos.plugins.packages import load_packages
from llmos.store import EventRow, Store
from llmos.values import Clock


@dataclass(frozen=True)
class Kernel:
    """The parts of the kernel. Made by `open`."""

    store: Store
    config: LLMOSConfig
    registry: Registry
    observer: Observer
    economy: Economy
    intents: Intents
    runs: Runs
    undo: Undo
    quotas: Quotas
    scheduler: Scheduler
    bus: Bus[EventRow]
    machine: Machine
    plugins: PluginFolder
    """The plugin files of the home."""
    mcp: Servers
    """The servers whose tools are offered beside our own."""
    _stop_listening: Callable[[], None]

    @classmethod
    def open(
        cls,
        home: Path,
        config: LLMOSConfig,
        *,
        plugins: Sequence[Callable[..., Any]] = (),
        clock: Clock,
        approver: Approver,
        hooks: Hooks,
        scheduler: Scheduler | None = None,
    ) -> Kernel:
        """Open the home, close what dead processes left open, and wire the parts.

        Raises:
            StoreError: The home cannot be used now.
            ConfigError: The home was made by a newer version, or a rule is malformed.
            UserError: Two plugins share a name.
        """
        servers = parse_servers(config.mcp_servers)
        parse_quotas(config.quotas)  # before anything is opened that would have to be closed
        registry = default_registry(plugins, sandbox=config.sandbox)
        for source in load_packages() if config.package_plugins else ():
            registry.put(source)
        folder = PluginFolder(home / "plugins", registry)
        folder.refresh()
        store = Store.open(home, url=config.database_url or None, clock=clock)
        snapshots = Snapshots(store.blobs, Cap(config.snapshot_files, config.snapshot_mb << 20))
        journal = Journal(store, snapshots)
        intents = Intents(store)
        economy = Economy(store, clock)
        quotas = Quotas(store, config.quotas, clock)
        runs = Runs(store, journal, intents, economy, quotas)
        runs.recover()
        observer = Observer(snapshots, store.blobs, str(store.home.resolve()))
        bus: Bus[EventRow] = Bus()
        return cls(
            store=store,
            config=config,
            registry=registry,
            observer=observer,
            economy=economy,
            intents=intents,
            runs=runs,
            undo=Undo(store, registry, journal),
            quotas=quotas,
            scheduler=scheduler or Scheduler(config.parallel_runs, quotas.most),
            bus=bus,
            machine=Machine(store, registry, journal, observer, intents, config, hooks, approver),
            plugins=folder,
            mcp=Servers(store.home, servers, registry, clock),
            _stop_listening=store.on_events(bus.publish),
        )

    def refresh(self) -> None:
        """See what has changed of the tools since; for a run that is about to begin."""
        self.plugins.refresh()
        self.mcp.refresh()

    def watchdog(self) -> Watchdog:
        """A watchdog for one run, with the configured bounds."""
        config = self.config
        return Watchdog(Bounds(config.run_wall_s, config.max_calls, config.max_repeats))

    def calls(
        self,
        run_id: str,
        cwd: Path,
        now: datetime,
        watchdog: Watchdog,
        max_cost_usd: float,
        *,
        looking: bool = False,
        ask_external: str = "",
        only: frozenset[str] | None = None,
    ) -> RunCalls:
        """The system calls of one run in ``cwd``.

        Args:
            run_id: The run.
            cwd: Its working directory, resolved.
            now: Its clock.
            watchdog: Its own.
            max_cost_usd: What it may cost.
            looking: Nothing is written in it, so that nobody is asked about writes.
            ask_external: Why every external write asks, also where a rule allows it; "" for no.
            only: Names of the tools that the run is narrowed to; None for all that there are.
        """
        config = self.config
        permissions = Permissions(
            allow=config.allow,
            ask=config.ask,
            deny=config.deny,
            cwd=cwd,
            home=self.store.home,
            ask_external=ask_external,
        )
        info = RunInfo(
            run_id,
            cwd,
            now,
            Places.of(cwd),
            watchdog,
            permissions,
            max_cost_usd=max_cost_usd,
            only=only,
        )
        approver = self.machine.approver
        machine = replace(
            self.machine,
            # Tools that are loaded again meanwhile are for the runs after this one.
            registry=self.registry.pinned(),
            approver=for_reads(approver) if looking else approver,
        )
        return RunCalls(machine, info)

    def close(self) -> None:
        """Release the home. Idempotent."""
        self.mcp.close()
        self._stop_listening()
        self.store.close()
