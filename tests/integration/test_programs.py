"""Every program says what it is, checks what it is given, and stops when it is told to."""

import pathlib
import re
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import BUILD, PATIENCE, ROOT, Cluster, made_up_day, main, until  # noqa: E402

PROGRAMS = ["tresen-broker", "tresen-worker", "tresen-gateway", "tresenctl"]
DAY = "2024-11-25"


def run(program, *arguments):
    return subprocess.run([str(BUILD / program), *map(str, arguments)], capture_output=True,
                          text=True, timeout=60, stdin=subprocess.DEVNULL, check=False)


class Programs(unittest.TestCase):
    def test_help_tells_every_setting_and_exits_0(self):
        for program in PROGRAMS:
            with self.subTest(program=program):
                done = run(program, "--help")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(program, done.stdout)
                self.assertIn("config_dir", done.stdout)

    def test_the_gateways_help_tells_of_driver(self):
        for words in ([], ["probe"]):
            self.assertRegex(run("tresen-gateway", *words, "--help").stdout,
                             r"--driver NAME +short for")

    def test_version_is_the_projects(self):
        version = re.search(r"project\(tresen VERSION (\S+)",
                            (ROOT / "CMakeLists.txt").read_text()).group(1)
        for program in PROGRAMS:
            with self.subTest(program=program):
                done = run(program, "--version")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(version, done.stdout)

    def test_an_unknown_option_is_named_and_refused(self):
        for program in PROGRAMS:
            with self.subTest(program=program):
                done = run(program, "--no-such-option")
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertIn("--no-such-option", done.stderr)

    def test_an_unknown_command_is_named_and_refused(self):
        done = run("tresenctl", "no-such-command")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("no-such-command", done.stderr)

    def test_a_file_that_is_not_there_is_named(self):
        for program in PROGRAMS:
            with self.subTest(program=program):
                done = run(program, "--config", "/nowhere/at-all.yaml")
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertIn("/nowhere/at-all.yaml", done.stderr)

    def test_what_works_passes_the_check_and_stops_on_sigterm_with_0(self):
        with Cluster() as cluster:
            day = made_up_day(cluster.folder / "day")
            cluster.start_redis()
            processes = [
                cluster.start_broker(),
                cluster.start_worker("w1"),
                cluster.start_shipped_gateway("musterstadt", "desk", day, DAY),
            ]
            until(lambda: cluster.gateway_status("musterstadt", "desk")["position"] > 0,
                  "the gateway's first batch is applied")
            for process in reversed(processes):
                with self.subTest(program=process.name):
                    arguments = process.popen.args[1:]
                    done = run(pathlib.Path(process.popen.args[0]).name, *arguments, "--check")
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertEqual(process.stop(seconds=10), 0)

    def test_sigterm_in_the_first_milliseconds_of_a_start_is_a_clean_stop(self):
        with Cluster() as cluster:
            day = made_up_day(cluster.folder / "day")
            cluster.start_redis()
            processes = [
                cluster.start_broker(),
                cluster.start_worker("w1", wait=False),
                cluster.start_shipped_gateway("musterstadt", "desk", day, DAY),
            ]
            for process in processes:
                process.stop()
            for process in processes:
                for after_ms in range(0, 60, 3):
                    with self.subTest(program=process.name, after_ms=after_ms):
                        again = cluster.start(process.name, process.popen.args)
                        again.begin()
                        time.sleep(after_ms / 1000)
                        self.assertEqual(again.stop(seconds=10 * PATIENCE), 0, again.text()[-500:])

    def test_the_shipped_settings_pass_the_check(self):
        for program, name in (("tresen-broker", "broker"), ("tresen-worker", "worker"),
                              ("tresenctl", "tresenctl")):
            with self.subTest(program=program):
                done = run(program, "--config", ROOT / "config" / f"{name}.yaml", "--check",
                           "--set", f"config_dir={ROOT / 'config'}")
                self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    main()
