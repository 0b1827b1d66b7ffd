"""A Redis that fell back, by little or much, while all is busy or idle: the gateways bring it forward."""

import pathlib
import random
import re
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import DEADLINE_S, LONG, PATIENCE, SEED, Cluster, Failure, main, until  # noqa: E402
from faulted_day import BRANCH, FaultedDay  # noqa: E402
from redis_pair import RedisPair  # noqa: E402

CUTS = 200 if LONG else 4
MANY = 10_000


def pair(cluster):
    cluster.pair = RedisPair(cluster)


class Rewind(FaultedDay):
    def fall_back(self, batches):
        def fault(cluster):
            cluster.pair.part()
            at = self.position(cluster)
            most = self.total * 98 // 100  # a play may have a batch less than another
            until(lambda: self.position(cluster) >= min(at + batches, most),
                  "so much is acknowledged that the replica never saw", every=0)
            cluster.pair.fail_over()
        self.play(fault, pair)

    def test_by_one_batch(self):
        self.fall_back(1)

    def test_by_a_hundred_batches(self):
        self.fall_back(100)

    def test_by_all_that_is_left(self):
        self.fall_back(10**6)

    def healed(self, cluster):
        """How long it takes until all is as it was."""
        def same():
            try:
                return self.read_results(cluster) == self.results
            except Failure:  # sums in flight
                return False
        began = time.monotonic()
        until(same, "all is as it was", seconds=DEADLINE_S)
        return time.monotonic() - began

    def test_by_ten_thousand_batches(self):
        """Far more than is ever on its way, while the gateway sends as fast as it can."""
        with Cluster() as cluster:
            self.bring_key(cluster)
            self.start(cluster, pair, "batch_observations=1", f"held_max={10 * MANY}", window=64)
            until(lambda: self.position(cluster) > 0, "the play has begun")
            cluster.pair.part()
            at = self.stored(cluster)["floor"]  # the replica has no more than that
            until(lambda: self.position(cluster) >= at + MANY, "so much is acknowledged")
            cluster.pair.fail_over()
            print(f"played to its end in {self.healed(cluster):.1f} s", file=sys.stderr)
            was, now = map(int, re.search(r"event=store_went_back from=(\d+) to=(\d+)",
                                          cluster.processes[f"gateway.{BRANCH}.floor"].text()).groups())
            self.assertGreaterEqual(was - now, MANY)

    def test_while_gateways_are_idle(self):
        def fault(cluster):
            cluster.pair.part()
            cluster.wait(BRANCH)
            self.assertEqual(self.read_results(cluster), self.results)
            fallen = cluster.ctl("--set", f"redis_path={cluster.pair.replica_path}", "--json",
                                 "scorecard", BRANCH)
            self.assertNotEqual(fallen, self.results[0])
            cluster.pair.fail_over()
            seconds = self.healed(cluster)
            print(f"healed within {seconds:.1f} s, an idle gateway asks every "
                  f"{cluster.gateway_settings['idle_ask_ms']} ms", file=sys.stderr)
        self.play(fault, pair)

    def test_to_a_log_that_was_torn_anywhere(self):
        """Redis cuts off the torn end itself: aof-load-truncated. Each time from the same whole log:
        what it leaves may begin a MULTI that never ends, which the next start would run into."""
        rng = random.Random(SEED)

        def fault(cluster):
            cluster.wait(BRANCH)
            folder, whole = cluster.folder / "redis", cluster.folder / "whole"
            cluster.processes["redis"].kill()
            shutil.copytree(folder, whole)
            for _ in range(CUTS):
                cluster.processes["redis"].kill()
                shutil.rmtree(folder)
                shutil.copytree(whole, folder)
                log, = folder.glob("appendonlydir/*.incr.aof")
                with open(log, "r+b") as file:
                    file.truncate(rng.randrange(log.stat().st_size))
                cluster.start_redis()
                self.healed(cluster)
        # What was taken in the lost part is under a lease that nobody answers.
        self.play(fault, lease_ms=1000)


if __name__ == "__main__":
    main()
