"""Branches whose gateway reads what the test writes, and workers that die of marked batches and are
started again, as by a supervisor."""

import contextlib
import os
import re
import shutil
import signal
import sqlite3

from cluster import DEADLINE_S, Case, Failure, until, write_yaml

GATEWAY, COUNTER, START_MS = "log", "c-1", 1_732_525_200_000
WORKERS = ("w1", "w2")
POISON_BODY, POISON_ENCOUNTER = "crash-the-decoder", "crash-the-engine"  # as poison.c has them
POISON_HELD = POISON_BODY + "-held"  # its worker stands still until it is killed


def encounter(name, number):
    """Two lines: it begins, it ends. Each minute has one."""
    began = START_MS + number * 60_000
    facts = '{"fact": "encounter", "id": "%s", "counter": "%s", "started": %d%s}\n'
    return (facts % (name, COUNTER, began, "")
            + facts % (name, COUNTER, began, f', "ended": {began + 30_000}, "outcome": "normal"'))


class Branch:
    """One gateway that reads what the test writes, when it writes it."""

    def __init__(self, cluster, name, *brokers):
        self.cluster, self.name, self.brokers = cluster, name, brokers or ("broker",)
        write_yaml(cluster.config / "branches" / f"{name}.yaml", {
            "branch": name, "name": name, "region": "north", "country": "DE",
            "zone": "Europe/Berlin", "counters": [COUNTER],
            "gateways": [{"gateway": GATEWAY, "opens": True}]})
        self.path = cluster.folder / f"{name}.fifo"
        os.mkfifo(self.path)
        self.written = []

    def start(self):
        self.cluster.start_gateway(
            self.name, GATEWAY, batch_linger_ms=20,
            brokers=[self.cluster.gateways_endpoint_of(broker) for broker in self.brokers],
            drivers=[{"driver": "jsonl", "command": f"exec cat {self.path}"}])
        self.pipe = open(self.path, "w")

    def write(self, text):
        self.pipe.write(text)
        self.pipe.flush()

    def add(self, name):
        """One more encounter, in the next minute."""
        self.written.append(name)
        self.write(encounter(name, len(self.written)))

    def add_alone(self, name):
        """One more encounter, in a batch in which nothing else is."""
        if self.written:
            until(lambda: self.spooled(self.written[-1]), f"{self.written[-1]} is in the spool")
        self.add(name)
        until(lambda: self.spooled(name), f"{name} is in the spool")

    def spooled(self, text):
        """The numbers of the batches in the spool in which it stands."""
        rows, = until(self._spool_rows, "the spool can be read")
        return [number for number, body in rows if text.encode() in bytes(body)]

    def _spool_rows(self):
        copy = self.cluster.folder / "copy.spool"  # its gateway lets nobody else in
        for more in ("", "-wal"):
            shutil.copy(self.cluster.folder / f"gateway.{self.name}.{GATEWAY}.spool{more}",
                        f"{copy}{more}")
        with contextlib.closing(sqlite3.connect(copy)) as spool:
            try:
                return spool.execute("SELECT number, body FROM batch").fetchall(),
            except sqlite3.DatabaseError:  # written meanwhile
                return None

    def redis(self, command, key, *words):
        return self.cluster.redis(command, f"t:{{{self.name}}}:{key}", *words)

    def knows(self, name):
        return self.redis("EXISTS", f"e:{name}")

    def judged(self):
        """Encounters by id, once all have been judged for good."""
        return {one["encounter"]: one for one in self.cluster.json("explain", self.name)}


class Poisoned(Case):
    workers = WORKERS

    def new_cluster(self, **worker_settings):
        self.cluster = self.own_cluster()
        self.deaths, self.settings = 0, worker_settings

    def start_all(self, branches):
        self.cluster.start_redis()
        brokers = sorted({broker for branch in branches for broker in branch.brokers})
        for broker in brokers:
            self.cluster.start_broker(broker)
        self.settings["brokers"] = list(map(self.cluster.workers_endpoint_of, brokers))
        for name in self.workers:
            self.start_worker(name, wait=True)
        for branch in branches:
            branch.start()
            self.addCleanup(branch.pipe.close)

    def start_worker(self, name, wait=False):
        self.cluster.start_worker(name, wait=wait, program="tests/tresen-worker-poisonable",
                                  **self.settings)

    def supervise(self):
        for name in self.workers:
            if not self.cluster.processes[f"worker-{name}"].running():
                self.deaths += 1
                self.start_worker(name)

    def until(self, condition, what, seconds=3 * DEADLINE_S):
        """With a supervisor that starts dead workers again."""
        def look():
            self.supervise()
            return condition()
        return until(look, what, seconds=seconds)

    @contextlib.contextmanager
    def frozen(self, broker):
        process = self.cluster.processes[broker].popen
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def wait(self, *branches, broker="broker"):
        def finished():
            try:
                self.cluster.wait(*branches, seconds=0.3, broker=broker)
            except Failure:
                return False
            return True
        self.until(finished, "all is final")

    def killed_by(self, mark):
        """Which worker each time that a batch with this mark was read, one after the other."""
        return [name for name in self.workers for found in re.findall(
            r"^poison: (\S+)$", self.cluster.processes[f"worker-{name}"].text(), re.MULTILINE)
            if found == mark]
