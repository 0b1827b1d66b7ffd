"""How safe a batch is when it is acknowledged: what `acknowledge: fsync` and `replicated` promise."""

import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import PATIENCE, Cluster, main, until  # noqa: E402
from faulted_day import BRANCH, GATEWAYS, FaultedDay  # noqa: E402
from redis_pair import RedisPair  # noqa: E402

EX_CONFIG = 78


def synced(cluster):
    cluster.start_redis("--appendfsync", "always")


def never_synced(cluster):
    """Not good enough for any Redis; everysec would be from 7.2 on."""
    cluster.start_redis("--appendfsync", "no")


def replicated(cluster):
    cluster.pair = RedisPair(cluster)


class Acknowledge(FaultedDay):
    def acknowledged(self, cluster):
        """The position that each gateway was told last."""
        return {gateway: cluster.gateway_status(BRANCH, gateway)["position"]
                for gateway in GATEWAYS}

    def assert_nothing_lost(self, cluster, acknowledged):
        stored = self.stored(cluster)
        for gateway, number in acknowledged.items():
            self.assertGreaterEqual(stored[gateway], number, gateway)

    def assert_level(self, cluster, level):
        workers = cluster.status()["workers"]
        self.assertEqual({worker["acknowledge"] for worker in workers}, {level})

    def assert_ended(self, worker, reason):
        self.assertEqual(worker.popen.wait(10 * PATIENCE), EX_CONFIG)
        self.assertIn(reason, worker.text())

    def test_fsync_outlives_a_killed_redis(self):
        def fault(cluster):
            self.assert_level(cluster, "fsync")
            acknowledged = self.acknowledged(cluster)
            cluster.processes["redis"].kill()
            synced(cluster)
            self.assert_nothing_lost(cluster, acknowledged)
        self.play(fault, synced, acknowledge="fsync")

    def test_fsync_is_refused_where_redis_does_not_sync_at_once(self):
        with Cluster() as cluster:
            never_synced(cluster)
            cluster.start_broker()
            worker = cluster.start_worker("w1", wait=False, acknowledge="fsync")
            self.assert_ended(worker, "needs appendfsync always")

    def test_fsync_is_checked_with_each_new_connection(self):
        with Cluster() as cluster:
            synced(cluster)
            cluster.start_broker()
            worker = cluster.start_worker("w1", acknowledge="fsync")
            cluster.processes["redis"].kill()
            never_synced(cluster)
            self.assert_ended(worker, "needs appendfsync always")

    def test_replicated_waits_for_the_replica_and_outlives_the_primary(self):
        def fault(cluster):
            self.assert_level(cluster, "replicated")
            replica = cluster.processes["redis-b"].popen
            replica.send_signal(signal.SIGSTOP)
            try:
                until(lambda: any("0 of 1 replicas" in (worker["trouble"] or "")
                                  for worker in cluster.status()["workers"]), "status says so")
                before = self.acknowledged(cluster)
                time.sleep(1.5)  # of refusing
                self.assertEqual(self.acknowledged(cluster), before, "nothing is acknowledged")
                self.assertGreater(self.stored(cluster)["floor"], before["floor"])
            finally:
                replica.send_signal(signal.SIGCONT)
            until(lambda: self.position(cluster) > before["floor"],
                  "what the replica has caught up with is acknowledged", seconds=5 * PATIENCE)
            acknowledged = self.acknowledged(cluster)
            cluster.pair.fail_over()
            self.assert_nothing_lost(cluster, acknowledged)
        self.play(fault, replicated, acknowledge="replicated", redis_command_ms=2000)


if __name__ == "__main__":
    main()
