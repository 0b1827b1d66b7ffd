"""A Redis that is there but refuses or dawdles: nothing is acknowledged meanwhile, status says why, work
goes on within seconds afterwards, and the scorecard is the undisturbed one."""

import contextlib
import pathlib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import PATIENCE, Cluster, main, until  # noqa: E402
from faulted_day import FaultedDay  # noqa: E402

LASTS_S = 1.5
EX_CONFIG = 78
SCRIPT_MS = 20  # of which a second is busy
COUNT_FOR_EVER = "while true do redis.call('PING') end"


def commands(begin, end):
    @contextlib.contextmanager
    def refusing(cluster):
        cluster.redis(*begin)
        yield
        cluster.redis(*end)
    return refusing


@contextlib.contextmanager
def busy(cluster):
    """Somebody's script does not end."""
    cluster.redis("CONFIG", "SET", "busy-reply-threshold", SCRIPT_MS)
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(str(cluster.redis_path))
        other.sendall(f"EVAL \"{COUNT_FOR_EVER}\" 0\r\n".encode())
        yield
        cluster.redis("SCRIPT", "KILL")


@contextlib.contextmanager
def snapshots_fail(cluster):
    """A folder stands where the dump should."""
    dump = cluster.folder / "redis" / "dump.rdb"
    dump.mkdir()
    cluster.redis("CONFIG", "SET", "save", "3600 1")
    cluster.redis("BGSAVE")
    until(lambda: "rdb_last_bgsave_status:err" in cluster.redis("INFO", "persistence"),
          "the snapshot has failed")
    yield
    dump.rmdir()
    cluster.redis("BGSAVE")


class StoreTrouble(FaultedDay):
    def trouble(self, refusing, words, start_redis=Cluster.start_redis):
        """While it refuses no call may succeed, and status says these words."""
        def fault(cluster):
            with refusing(cluster):
                until(lambda: any(words in (worker["trouble"] or "")
                                  for worker in cluster.status()["workers"]), "status says why")
                time.sleep(0.5)  # what was applied before is acknowledged
                before = self.position(cluster)
                self.assertLess(before, self.total)
                time.sleep(LASTS_S)
                self.assertEqual(self.position(cluster), before, "nothing is acknowledged")
            until(lambda: self.position(cluster) > before, "work goes on", seconds=5 * PATIENCE)
            until(lambda: not any(worker["trouble"] for worker in cluster.status()["workers"]),
                  "status says that all is well")
        self.play(fault, start_redis)

    def test_out_of_memory(self):
        self.trouble(commands(("CONFIG", "SET", "maxmemory", "1"),
                              ("CONFIG", "SET", "maxmemory", "0")), "OOM")

    def test_read_only(self):
        self.trouble(commands(("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
                     "READONLY")

    def test_too_few_replicas(self):
        self.trouble(commands(("CONFIG", "SET", "min-replicas-to-write", "1"),
                              ("CONFIG", "SET", "min-replicas-to-write", "0")), "NOREPLICAS")

    def test_busy(self):
        self.trouble(busy, "BUSY")

    def test_snapshots_fail(self):
        self.trouble(snapshots_fail, "MISCONF")

    def test_nobody_has_the_slot(self):
        def start_cluster_node(cluster):
            cluster.start_redis("--cluster-enabled", "yes", "--cluster-node-timeout", "500")
            cluster.redis("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            until(lambda: "cluster_state:ok" in cluster.redis("CLUSTER", "INFO"), "all slots are")
        self.trouble(commands(("CLUSTER", "DELSLOTSRANGE", 0, 16383),
                              ("CLUSTER", "ADDSLOTSRANGE", 0, 16383)), "CLUSTERDOWN",
                     start_cluster_node)

    def test_without_rights_workers_end_and_say_so(self):
        def fault(cluster):
            workers = [cluster.processes[f"worker-{name}"] for name in ("w1", "w2")]
            cluster.redis("ACL", "SETUSER", "default", "-fcall")
            for worker in workers:
                self.assertEqual(worker.popen.wait(10 * PATIENCE), EX_CONFIG)
                self.assertRegex(worker.text(), "event=store_configuration reason=\"?NOPERM")
            cluster.redis("ACL", "SETUSER", "default", "+fcall")
            for name in ("w1", "w2"):
                cluster.start_worker(name)
        self.play(fault)

    def test_without_a_password_a_worker_ends_and_says_so(self):
        with Cluster() as cluster:
            cluster.start_redis()
            cluster.redis("CONFIG", "SET", "requirepass", "secret")
            cluster.start_broker()
            worker = cluster.start_worker("w1", wait=False)
            self.assertEqual(worker.popen.wait(10 * PATIENCE), EX_CONFIG)
            self.assertRegex(worker.text(), "event=store_configuration reason=\"?NOAUTH")

    def test_the_function_library_is_gone(self):
        def fault(cluster):
            before = self.position(cluster)
            cluster.redis("FUNCTION", "FLUSH")
            until(lambda: cluster.redis("FUNCTION", "LIST"), "a worker has brought it",
                  seconds=5 * PATIENCE)
            until(lambda: self.position(cluster) > before, "work goes on", seconds=5 * PATIENCE)
        self.play(fault)

    def test_slower_than_a_worker_waits(self):
        def fault(cluster):
            cluster.redis("DEBUG", "SLEEP", 3)  # answers only when it is over
            woke = self.position(cluster)
            self.assertLess(woke, self.total)
            until(lambda: self.position(cluster) > woke, "work goes on", seconds=5 * PATIENCE)
        self.play(fault, redis_command_ms=1000)

    def test_its_log_is_rewritten_again_and_again(self):
        def fault(cluster):
            for _ in range(3):
                at = self.position(cluster)
                cluster.redis("BGREWRITEAOF")
                until(lambda: "aof_rewrite_in_progress:0" in cluster.redis("INFO", "persistence"),
                      "it is rewritten")
                self.goes_on(cluster, at, seconds=5 * PATIENCE)
            self.assertIn("aof_last_bgrewrite_status:ok", cluster.redis("INFO", "persistence"))
        self.play(fault)


if __name__ == "__main__":
    main()
