"""What operations and integrators see of gateways at work: live values, and how each gateway is."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import Case, main, until  # noqa: E402

OPEN, CLOSED = "musterstadt", "beispiel"  # with an agreement on visible expressions, and without
GATEWAYS = {OPEN: "desk", CLOSED: "door"}


class Watching(Case):
    @classmethod
    def set_up(cls):
        cls.new_cluster()
        cls.cluster.start_redis()
        cls.cluster.start_broker()
        cls.cluster.start_worker("w1")
        for branch, gateway in GATEWAYS.items():
            cls.cluster.start_gateway(branch, gateway, legal_most="P3", drivers=[
                {"driver": "simulate", "speed": 120, "clients_an_hour": 60}])
        for branch, gateway in GATEWAYS.items():
            until(lambda: (cls.cluster.gateway_status(branch, gateway) or {}).get("position", 0) > 5,
                  f"something of {branch} is applied")

    def tap(self, *words, seconds=2):
        lines = self.cluster.ctl("--json", "tap", *words, "--seconds", seconds).splitlines()
        return [json.loads(line) for line in lines]

    def test_tap_tells_what_is_applied_in_units(self):
        lines = self.tap(OPEN)
        self.assertEqual({line["counter"] for line in lines},
                         {"desk-1", "desk-2", "desk-3", "desk-4"})
        units = {line["measure"]: line["unit"] for line in lines}
        self.assertEqual(units["distance.client"], "m")
        self.assertEqual(units["audio.loudness"], "LUFS")
        self.assertIn("vision.smile", units)
        distances = [line for line in lines if line["measure"] == "distance.client"]
        for line in distances:
            self.assertTrue(0 <= line["value"] <= 20, line)
            self.assertTrue(0 <= line["confidence"] <= 1, line)
            self.assertEqual(line["gateway"], GATEWAYS[OPEN])
        self.assertGreater(max(line["members"] for line in distances), 1)
        # What a person could be known by is in no line.
        self.assertEqual({key for line in lines for key in line},
                         {"t", "branch", "counter", "measure", "gateway", "value", "unit",
                          "confidence", "members"} | ({"label"} if any("label" in line
                                                                       for line in lines) else set()))
        # Time goes on in each series, and a look tells each but once.
        for desk in ("desk-1", "desk-2"):
            times = [line["t"] for line in distances if line["counter"] == desk]
            self.assertEqual(times, sorted(set(times)))

    def test_tap_tells_of_one_counter_and_measure(self):
        lines = self.tap(f"{OPEN}/desk-2", "audio.loudness")
        self.assertEqual({(line["counter"], line["measure"]) for line in lines},
                         {("desk-2", "audio.loudness")})
        text = self.cluster.ctl("tap", f"{OPEN}/desk-2", "audio.loudness", "--seconds", "2")
        self.assertRegex(text, r"(?m)^\S+Z  desk-2 +audio.loudness +-\d+\.\d LUFS  "
                               r"\(confidence \d+ %, desk")

    def test_tap_shows_only_what_may_be_shown(self):
        measures = {line["measure"] for line in self.tap(CLOSED)}
        self.assertIn("distance.client", measures)
        self.assertNotIn("vision.smile", measures)
        done = self.cluster.ctl_run("tap", CLOSED, "vision.smile", "--seconds", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("class P3, which may not be shown in branch beispiel", done.stderr)

    def test_tap_changes_nothing(self):
        commands = self.cluster.redis("INFO", "commandstats")
        self.tap(OPEN, seconds=1)
        after = self.cluster.redis("INFO", "commandstats")

        def names(text):
            return {line.split(":")[0] for line in text.splitlines() if line.startswith("cmdstat_")}
        self.assertLessEqual(names(after) - names(commands),
                             {"cmdstat_info", "cmdstat_strlen", "cmdstat_getrange", "cmdstat_zrange"})

    def test_tap_says_what_there_is_not(self):
        for words, said in ((["nowhere"], "there is no branch nowhere"),
                            ([f"{OPEN}/desk-9"], "has no counter desk-9"),
                            ([OPEN, "distance.cleint"], "no measure distance.cleint"),
                            ([OPEN, "--seconds", "soon"], "--seconds soon is no number")):
            done = self.cluster.ctl_run("tap", *words)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn(said, done.stderr)


if __name__ == "__main__":
    main()
