"""Faults in the middle of the play: whatever is killed, the scorecard is the undisturbed one."""

import pathlib
import shutil
import signal
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import PATIENCE, Cluster, made_up_day, main, until  # noqa: E402

BRANCH, DAY = "musterstadt", "2024-11-25"
GATEWAYS = ("desk", "floor")
# Small batches and a narrow window: many round trips, so that there is a middle to hit. A gateway
# reads on only while few batches are unapplied, so reading is in its middle, too.
PLAY = ("batch_observations=24", "held_max=64", "batch_linger_ms=50")


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="tresen-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.day = made_up_day(cls.folder / "day")
        cls.pseudonym_key = cls.folder / f"pseudonym.{BRANCH}.key"
        with Cluster() as cluster:
            cls.start(cluster)
            cluster.wait(BRANCH)
            # The others use the same, so that even pseudonyms can be compared.
            shutil.copy2(cluster.folder / cls.pseudonym_key.name, cls.folder)
            cls.total = cluster.gateway_status(BRANCH, "floor")["position"]
            cls.results = cls.read_results(cluster)
            assert cluster.json("scorecard", BRANCH)["encounters"] > 50

    @classmethod
    def start(cls, cluster):
        cluster.only_gateways(BRANCH, GATEWAYS)
        cluster.start_redis()
        cluster.start_broker(window=4)
        for name in ("w1", "w2"):
            cluster.start_worker(name)
        for gateway in GATEWAYS:
            cls.start_gateway(cluster, gateway)

    @classmethod
    def start_gateway(cls, cluster, gateway):
        cluster.start_shipped_gateway(BRANCH, gateway, cls.day, DAY, *PLAY)

    @staticmethod
    def read_results(cluster):
        cluster.ctl("audit", BRANCH)
        return (cluster.ctl("--json", "scorecard", BRANCH),
                cluster.ctl("--json", "explain", BRANCH))

    def position(self, cluster):
        entry = cluster.gateway_status(BRANCH, "floor")
        return entry["position"] if entry else 0

    def middle(self, cluster):
        """Wait until a good tenth is acknowledged; it must be the middle then."""
        at = until(lambda: self.position(cluster) * 100 // self.total >= 15
                   and self.position(cluster), "the play is in its middle", every=0)
        self.assertLess(at * 100, 90 * self.total, "too late for the middle")

    def play(self, fault):
        with Cluster() as cluster:
            shutil.copy2(self.pseudonym_key, cluster.folder)
            self.start(cluster)
            self.middle(cluster)
            fault(cluster)
            cluster.wait(BRANCH)
            card, explained = self.read_results(cluster)
            self.assertEqual(card, self.results[0])
            self.assertEqual(explained, self.results[1])
            return cluster

    def test_a_worker_is_killed(self):
        def fault(cluster):
            busy = next((one["worker"] for one in cluster.status()["workers"]
                         if one["assigned"] > 0), "w1")
            cluster.processes[f"worker-{busy}"].kill()
        self.play(fault)

    def test_both_workers_are_killed_and_started_again(self):
        def fault(cluster):
            for name in ("w1", "w2"):
                cluster.processes[f"worker-{name}"].kill()
            for name in ("w1", "w2"):
                cluster.start_worker(name, wait=False)
        self.play(fault)

    def test_a_worker_is_frozen_and_wakes_up_late(self):
        def fault(cluster):
            process = cluster.processes["worker-w1"]
            process.popen.send_signal(signal.SIGSTOP)
            try:
                until(lambda: self.position(cluster) * 100 >= 95 * self.total,
                      "the other worker goes on alone")
            finally:
                process.popen.send_signal(signal.SIGCONT)
        self.play(fault)

    def test_a_worker_is_told_to_stop(self):
        def fault(cluster):
            began = time.monotonic()
            self.assertEqual(cluster.processes["worker-w1"].stop(seconds=10 * PATIENCE), 0)
            self.assertLess(time.monotonic() - began, 5 * PATIENCE)
        self.play(fault)

    def test_the_broker_is_killed(self):
        def fault(cluster):
            cluster.processes["broker"].kill()
            cluster.start_broker(window=4)
        self.play(fault)

    def test_a_gateway_is_killed(self):
        def fault(cluster):
            cluster.processes[f"gateway.{BRANCH}.floor"].kill()
            self.start_gateway(cluster, "floor")
        self.play(fault)

    def test_redis_is_killed_and_comes_back_from_its_log(self):
        def fault(cluster):
            cluster.processes["redis"].kill()
            cluster.start_redis()
        self.play(fault)

    def test_redis_is_emptied(self):
        def fault(cluster):
            cluster.redis("FLUSHALL")
        self.play(fault)

    def test_everything_at_once(self):
        def fault(cluster):
            for name in ("worker-w1", "worker-w2", "broker", f"gateway.{BRANCH}.floor",
                         f"gateway.{BRANCH}.desk", "redis"):
                cluster.processes[name].kill()
            self.start(cluster)
        self.play(fault)


if __name__ == "__main__":
    main()
