"""Out of memory at any allocation while settings, standards and branches are read: a program ends, with a
status, never by a signal, and never as if all were in order."""

import os
import pathlib
import random
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import BUILD, LONG, PATIENCE, ROOT, SEED, main  # noqa: E402

CONFIG = ROOT / "config"
TRIES = 2000 if LONG else 60
COMMANDS = (["tresen-worker", "--config", CONFIG / "worker.yaml", "--check"],
            ["tresen-broker", "--config", CONFIG / "broker.yaml", "--check"],
            ["tresen-gateway", "--config", CONFIG / "gateways" / "musterstadt-desk.yaml", "--check"],
            ["tresenctl", "standards", "check", CONFIG])


def run(command, allocation=None):
    environment = os.environ | {"LD_PRELOAD": str(BUILD / "tests" / "no_memory.so")}
    if allocation:
        environment["TRESEN_NO_MEMORY"] = str(allocation)
    return subprocess.run([BUILD / command[0], *command[1:]], env=environment, cwd=ROOT,
                          capture_output=True, text=True, errors="replace", timeout=60,
                          check=False)


@unittest.skipIf(PATIENCE > 1, "sanitizers have an allocator of their own")
class NoMemory(unittest.TestCase):
    def test_from_any_allocation_on(self):
        for command in COMMANDS:
            whole = run(command)
            self.assertEqual(whole.returncode, 0, whole.stderr)
            count = int(re.search(r"allocations: (\d+)", whole.stderr).group(1))
            at = random.Random(SEED).sample(range(1, count), min(TRIES, count - 1))
            ended = [(run(command, allocation), allocation) for allocation in at]
            in_order = 0
            for done, allocation in ended:
                with self.subTest(program=command[0], allocation=allocation):
                    self.assertIn(done.returncode, (0, 1, 2), done.stderr)
                in_order += done.returncode == 0
            # The last few are for words that are said when all has been read.
            self.assertLess(in_order, len(ended) / 10, command[0])


if __name__ == "__main__":
    main()
