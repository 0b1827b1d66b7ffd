"""`acknowledge: fsync` on a Redis that syncs once a second: WAITAOF tells when. Needs Redis 7.2 or
newer as the `redis-server` that is found first. On Valkey, whose WAITAOF answers too early, workers
refuse to begin."""

import pathlib
import re
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import BUILD, PATIENCE, Cluster, main, until  # noqa: E402
from faulted_day import BRANCH, GATEWAYS, FaultedDay  # noqa: E402

EX_CONFIG = 78
LASTS_S = 1.5
# An answer takes up to a second, so larger batches and more of them on their way.
WIDE, WINDOW = ("batch_observations=64", "held_max=64"), 32
POWER_CUTS = 3


def server():
    """Whether it has WAITAOF, and whether it is Valkey."""
    with Cluster() as cluster:
        cluster.start_redis()
        return (cluster.redis("COMMAND", "INFO", "WAITAOF") != [None],
                "valkey_version:" in cluster.redis("INFO", "server"))


def noting_syncs(cluster):
    cluster.redis_environment = {"LD_PRELOAD": str(BUILD / "tests" / "synced_size.so")}
    cluster.start_redis()


def cut_power(cluster):
    """Redis dies, and of its log only what it has synced is left. How many bytes are lost."""
    cluster.processes["redis"].kill()
    lost = 0
    for log in (cluster.folder / "redis" / "appendonlydir").glob("*.incr.aof"):
        noted = log.with_name(log.name + ".synced")
        synced = int(noted.read_text()) if noted.exists() else 0
        lost += log.stat().st_size - synced
        with open(log, "r+b") as file:
            file.truncate(synced)
    return lost


class Waitaof(FaultedDay):
    @classmethod
    def setUpClass(cls):
        has_waitaof, is_valkey = server()
        if not has_waitaof or is_valkey:
            raise unittest.SkipTest("redis-server is older than 7.2, or Valkey")
        super().setUpClass()

    def play_durably(self, fault, start_redis=Cluster.start_redis, outlives=True):
        with Cluster() as cluster:
            cluster.worker_settings["acknowledge"] = "fsync"
            self.bring_key(cluster)
            self.start(cluster, start_redis, *WIDE, window=WINDOW)
            until(lambda: self.position(cluster) > 0, "something is acknowledged")
            fault(cluster)
            if not outlives:
                return
            cluster.wait(BRANCH)
            self.assertEqual(self.read_results(cluster), self.results)
            self.assertGreater(self.waits(cluster), 0)

    @staticmethod
    def waits(cluster):
        told = re.search(r"cmdstat_waitaof:calls=(\d+)", cluster.redis("INFO", "commandstats"))
        return int(told[1]) if told else 0

    def acknowledged(self, cluster):
        status = {gateway: cluster.gateway_status(BRANCH, gateway) for gateway in GATEWAYS}
        return {gateway: entry["position"] for gateway, entry in status.items() if entry}

    def test_what_is_acknowledged_outlives_power_cuts(self):
        def fault(cluster):
            lost = 0
            for _ in range(POWER_CUTS):
                before = self.acknowledged(cluster)
                until(lambda: self.acknowledged(cluster) != before, "more is acknowledged")
                acknowledged = self.acknowledged(cluster)
                lost += cut_power(cluster)
                noting_syncs(cluster)
                stored = self.stored(cluster)
                for gateway, number in acknowledged.items():
                    self.assertGreaterEqual(stored[gateway], number, gateway)
            self.assertGreater(lost, 0, "the cuts took nothing away")
        self.play_durably(fault, noting_syncs)

    def test_what_is_not_synced_is_not_acknowledged(self):
        def fault(cluster):
            cluster.redis("CONFIG", "SET", "appendfsync", "no")
            until(lambda: any("not on Redis' disk" in (worker["trouble"] or "")
                              for worker in cluster.status()["workers"]), "status says so")
            before = self.acknowledged(cluster)
            until(lambda: any(self.stored(cluster)[gateway] > number
                              for gateway, number in before.items()), "more is applied")
            time.sleep(LASTS_S)
            self.assertEqual(self.acknowledged(cluster), before, "nothing is acknowledged")
            cluster.redis("CONFIG", "SET", "appendfsync", "everysec")
            until(lambda: self.acknowledged(cluster) != before, "work goes on",
                  seconds=20 * PATIENCE)
        self.play_durably(fault)

    def test_a_log_that_is_switched_off_ends_the_workers(self):
        def fault(cluster):
            cluster.redis("CONFIG", "SET", "appendonly", "no")
            for name in ("w1", "w2"):
                worker = cluster.processes[f"worker-{name}"]
                self.assertEqual(worker.popen.wait(20 * PATIENCE), EX_CONFIG)
                self.assertIn("acknowledge: fsync needs appendonly yes", worker.text())
        self.play_durably(fault, outlives=False)

    def test_syncs_that_never_come_are_refused(self):
        with Cluster() as cluster:
            cluster.start_redis("--appendfsync", "no")
            cluster.start_broker()
            worker = cluster.start_worker("w1", wait=False, acknowledge="fsync")
            self.assertEqual(worker.popen.wait(10 * PATIENCE), EX_CONFIG)
            self.assertIn("needs appendfsync always or everysec; Redis has no", worker.text())


class Valkey(unittest.TestCase):
    def test_its_waitaof_is_refused(self):
        if not server()[1]:
            self.skipTest("redis-server is not Valkey")
        with Cluster() as cluster:
            cluster.start_redis("--appendfsync", "everysec")
            cluster.start_broker()
            worker = cluster.start_worker("w1", wait=False, acknowledge="fsync")
            self.assertEqual(worker.popen.wait(10 * PATIENCE), EX_CONFIG)
            self.assertIn("needs appendfsync always; Redis has everysec, and it is Valkey",
                          worker.text())


if __name__ == "__main__":
    main()
