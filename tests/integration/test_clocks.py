"""Wall clocks that jump by hours, days and years: what is measured keeps its times, no spool is emptied,
and nobody minds."""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import BUILD, Failure, main, until  # noqa: E402
from faulted_day import BRANCH, FaultedDay  # noqa: E402

HOUR_S, DAY_S, YEAR_S = 3600, 86_400, 31_557_600
JUMPS_S = (-HOUR_S, HOUR_S, -DAY_S, 10 * YEAR_S, 0)


def with_a_clock_to_set(cluster):
    """Our own programs' wall clock: it is off by what stands in this file."""
    cluster.clock = cluster.folder / "clock"
    cluster.clock.write_text("0")
    cluster.environment |= {"TRESEN_CLOCK": str(cluster.clock),
                            "LD_PRELOAD": str(BUILD / "tests" / "clock_jump.so"),
                            "ASAN_OPTIONS": "verify_asan_link_order=0"}
    cluster.start_redis()


class Clocks(FaultedDay):
    def same(self, cluster):
        try:
            return self.read_results(cluster) == self.results
        except Failure:  # not there yet
            return False

    def test_jumps_in_the_middle_of_the_day_and_the_spools_keep_all(self):
        def fault(cluster):
            for jump_s in JUMPS_S:
                cluster.clock.write_text(str(jump_s))
                self.goes_on(cluster, self.position(cluster), batches=20)
            cluster.clock.write_text(str(10 * YEAR_S))
            cluster.wait(BRANCH)
            self.assertTrue(self.same(cluster))
            cluster.redis("FLUSHALL")
            until(lambda: self.same(cluster), "the spools still have everything")
            year = time.gmtime(time.time() + 10 * YEAR_S).tm_year
            self.assertRegex(cluster.processes[f"gateway.{BRANCH}.floor"].text(),
                             f"time={year}-.* event=store_went_back")
        self.play(fault, with_a_clock_to_set)


if __name__ == "__main__":
    main()
