"""What operations and integrators see of gateways at work: live values, and how each gateway is."""

import json
import pathlib
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import PATIENCE, Case, main, until  # noqa: E402

OPEN, CLOSED = "musterstadt", "beispiel"  # with an agreement on visible expressions, and without
GATEWAYS = {OPEN: "desk", CLOSED: "door"}


class Watching(Case):
    @classmethod
    def set_up(cls):
        cls.new_cluster()
        cls.cluster.start_redis()
        cls.cluster.start_broker(gateway_silence_ms=2000 * PATIENCE)
        cls.cluster.start_worker("w1")
        for branch in GATEWAYS:
            cls.simulate(branch)
        for branch, gateway in GATEWAYS.items():
            until(lambda: (cls.cluster.gateway_status(branch, gateway) or {}).get("position", 0) > 5,
                  f"something of {branch} is applied")

    @classmethod
    def simulate(cls, branch):
        cls.cluster.start_gateway(branch, GATEWAYS[branch], legal_most="P3", drivers=[
            {"driver": "simulate", "speed": 120, "clients_an_hour": 200, "open_hours": 12}])

    def gateways(self, branch):
        return {one["gateway"]: one for one in self.cluster.json("gateways", branch)}

    def troubles(self, branch, gateway):
        return self.gateways(branch)[gateway]["troubles"]

    def start_odd_one(self):
        """A gateway whose measures.yaml says other things than the workers', and whose sensors stand
        still, jump and dream of the future."""
        folder = self.cluster.folder / "odd"
        shutil.copytree(self.cluster.config, folder / "config")
        measures = folder / "config" / "measures.yaml"
        text = measures.read_text().replace("range: [0, 20]", "range: [0, 50]", 1)
        measures.write_text(text + """
- {id: air.co2, kind: samples, unit: ppm, resolution: 1, range: [0, 9999], uncertainty: 50, legal: P0,
   text: {de: Luft, en: Air}}
""")
        begin = int(time.time() // 60) * 60000  # all in one minute
        rows = [{"t": begin + 100 * i, "measure": "distance.client", "value": 1.25}
                for i in range(40)]
        rows += [{"t": begin + i, "measure": "distance.client", "value": 31} for i in range(1, 6)]
        rows += [{"t": begin + 3600000 + i, "measure": "distance.bystander", "value": 2}
                 for i in range(3)]
        rows += [{"t": begin, "measure": "air.co2", "value": 700}]
        rows += [{"fact": "gap", "from": begin - 60000, "to": begin - 1000, "reason": "cleaning"}]
        with open(folder / "rows.jsonl", "w", encoding="utf-8") as out:
            for row in rows:
                out.write(json.dumps({"counter": "desk-1", **row}) + "\n")
        self.cluster.start_gateway(OPEN, "eye", config_dir=str(folder / "config"), drivers=[
            {"driver": "jsonl", "command": f"cat {folder}/rows.jsonl; exec sleep 600",
             "own_watermarks": True,
             "measures": ["distance.client", "distance.bystander", "air.co2", "audio.speech"]}])

    def test_gateways_tells_of_each_that_the_registry_names(self):
        every = self.gateways(OPEN)
        self.assertEqual(set(every), {"desk", "ear", "eye", "floor", "form", "office"})
        for name in ("ear", "floor", "form"):
            self.assertEqual(every[name]["troubles"], ["missing"])
        desk = every["desk"]
        self.assertEqual(desk["troubles"], [])
        self.assertEqual(desk["births"], 1)
        self.assertIn("vision.smile", desk["brings"])
        self.assertTrue(desk["born"] and desk["watermark"])
        self.assertEqual({one["measure"] for one in desk["series"]}, set(desk["brings"]))
        text = self.cluster.ctl("gateways", OPEN)
        self.assertRegex(text, r"(?m)^musterstadt/desk +yes +[\d.]+ s ago +1 ")
        self.assertRegex(text, r"(?m)^musterstadt/floor +no +never .* missing$")
        self.assertRegex(text, r"(?m)^    audio.loudness +desk-1 +\d+  newest 20\S+Z  -\d+")
        names = {f"{one['branch']}/{one['gateway']}" for one in self.cluster.json("gateways")}
        self.assertLessEqual({"musterstadt/desk", "beispiel/door", "bank-phone/log"}, names)

    def test_gateways_tells_what_is_wrong(self):
        self.start_odd_one()
        until(lambda: self.gateways(OPEN)["eye"].get("gaps"), "the odd one has been heard",
              every=0.2)
        eye = self.gateways(OPEN)["eye"]
        self.assertEqual((eye["out_of_range"], eye["future"], eye["undeclared"], eye["gaps"]),
                         (5, 3, 1, 1), eye)
        self.assertEqual(sorted(eye["troubles"]), sorted([
            "stale air.co2", "stale audio.speech", "stale distance.bystander",
            "flat distance.client at desk-1", "out_of_range 5", "future 3", "undeclared 1"]))
        self.cluster.processes[f"gateway.{OPEN}.eye"].kill()
        until(lambda: "silent" in self.troubles(OPEN, "eye"), "it is missed", every=0.3)

    def test_gateways_knows_one_that_came_back(self):
        before = self.gateways(CLOSED)["door"]
        self.cluster.processes[f"gateway.{CLOSED}.door"].kill()
        self.simulate(CLOSED)
        until(lambda: self.gateways(CLOSED)["door"]["position"] > before["position"] + 3,
              "it has come back", every=0.2)
        after = self.gateways(CLOSED)["door"]
        self.assertEqual((after["births"], after["epoch"], after["troubles"]), (1, 1, []))
        self.assertGreaterEqual(after["repeated"], before["repeated"])

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
