"""A Redis that is there but refuses or dawdles: nothing is acknowledged meanwhile, work goes on within
seconds afterwards, and the scorecard is the undisturbed one."""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import PATIENCE, main, until  # noqa: E402
from faulted_day import FaultedDay  # noqa: E402

LASTS_S = 1.5


class StoreTrouble(FaultedDay):
    def trouble(self, begin, end):
        """Between these two commands no call may succeed."""
        def fault(cluster):
            cluster.redis(*begin)
            time.sleep(0.5)  # what was applied before is acknowledged
            before = self.position(cluster)
            self.assertLess(before, self.total)
            time.sleep(LASTS_S)
            self.assertEqual(self.position(cluster), before, "nothing is acknowledged")
            cluster.redis(*end)
            until(lambda: self.position(cluster) > before, "work goes on", seconds=5 * PATIENCE)
        self.play(fault)

    def test_out_of_memory(self):
        self.trouble(("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0"))

    def test_read_only(self):
        self.trouble(("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE"))

    def test_too_few_replicas(self):
        self.trouble(("CONFIG", "SET", "min-replicas-to-write", "1"),
                     ("CONFIG", "SET", "min-replicas-to-write", "0"))

    def test_not_permitted(self):
        self.trouble(("ACL", "SETUSER", "default", "-fcall"),
                     ("ACL", "SETUSER", "default", "+fcall"))

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


if __name__ == "__main__":
    main()
