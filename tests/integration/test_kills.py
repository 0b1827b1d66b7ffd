"""Killed again and again at random moments, far more often than anything ever dies: nothing is lost,
nothing counts twice, and no innocent batch becomes a dead letter."""

import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import LONG, PATIENCE, SEED, Cluster, main  # noqa: E402
from faulted_day import BRANCH, GATEWAYS, FaultedDay  # noqa: E402

PAUSE_S = 0.25 * PATIENCE
DAY_S = 3 * 3600  # at least, of event time


class Kills(FaultedDay):
    def kill_often(self, times, kill_and_start, start_redis=Cluster.start_redis):
        """So many times; the day is played slowly enough for that. It must end as undisturbed."""
        rng = random.Random(SEED)
        speed = f"drivers.0.speed={DAY_S / (times * (PAUSE_S + 0.1 * PATIENCE))}"
        with Cluster() as cluster:
            self.bring_key(cluster)
            self.start(cluster, start_redis, speed)
            for _ in range(times):
                time.sleep(rng.uniform(0, 2 * PAUSE_S))
                kill_and_start(cluster, rng, speed)
            cluster.wait(BRANCH, seconds=120 * PATIENCE)
            self.assertEqual(self.read_results(cluster), self.results)
            for one in cluster.json("audit", BRANCH)["branches"][0]["gateways"]:
                self.assertEqual(one["dead"], 0, one)

    def test_workers_and_innocents_are_no_dead_letters(self):
        def kill(cluster, rng, _):
            names = rng.sample(("w1", "w2"), rng.randint(1, 2))
            for name in names:
                cluster.processes[f"worker-{name}"].kill()
            for name in names:
                cluster.start_worker(name, wait=False)
        self.kill_often(200 if LONG else 10, kill)

    def test_broker(self):
        def kill(cluster, *_):
            cluster.processes["broker"].kill()
            cluster.start_broker(window=4)
        self.kill_often(100 if LONG else 8, kill)

    def test_gateways(self):
        def kill(cluster, rng, speed):
            gateway = rng.choice(GATEWAYS)
            cluster.processes[f"gateway.{BRANCH}.{gateway}"].kill()
            self.start_gateway(cluster, gateway, speed)
        self.kill_often(200 if LONG else 10, kill)

    def redis(self, fsync, times):
        def start(cluster):
            cluster.start_redis("--appendfsync", fsync)

        def kill(cluster, *_):
            cluster.processes["redis"].kill()
            start(cluster)
        self.kill_often(times, kill, start)

    def test_redis_that_syncs_each_second(self):
        self.redis("everysec", 50 if LONG else 5)

    def test_redis_that_syncs_always(self):
        self.redis("always", 50 if LONG else 5)


if __name__ == "__main__":
    main()
