"""A new measure, from a shell script of five lines to a verdict, by changes in YAML alone: the section
of sensors-gw/README.md, done as it stands there with the programs as they are."""

import fractions
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import ROOT, Case, main  # noqa: E402

PAGE = ROOT / "sensors-gw" / "README.md"
TITLE = "## A new measure in five lines\n"
BRANCH, GATEWAY, MEASURE, STANDARD = "beispiel", "air", "air.co2", "safety.air"
# The section's blocks, in its order, and the files of the configuration that they go to.
BLOCKS = ("script", "measure", "value", "norm", "standard", "branch", "gateway", "clients")
NEW = {"standard": "standards/air.yaml", "branch": f"branches/{BRANCH}.yaml"}
LONGER = {"measure": "measures.yaml", "value": "values.yaml", "norm": "norms.yaml"}


def blocks():
    """What the page shows, by name."""
    section = PAGE.read_text().partition(TITLE)[2].partition("\n## ")[0]
    found = re.findall(r"^```[a-z]+\n(.*?)^```$", section, re.M | re.S)
    return dict(zip(BLOCKS, found, strict=True))


class NewMeasure(Case):
    def setUp(self):
        self.blocks = blocks()
        self.cluster = self.own_cluster()
        self.trial = self.cluster.folder / "trial"
        self.trial.mkdir()
        # The page's paths, the cluster's places.
        self.cluster.config.rename(self.trial / "config")
        self.cluster.config = self.trial / "config"
        self.cluster.keys = self.trial / "keys"

    def write(self, *left_out):
        for name, path in NEW.items():
            (self.cluster.config / path).write_text(self.blocks[name])
        for name in set(LONGER) - set(left_out):
            with open(self.cluster.config / LONGER[name], "a", encoding="utf-8") as out:
                out.write("\n" + self.blocks[name])
        (self.trial / "air.sh").write_text(self.blocks["script"])
        (self.trial / "clients.jsonl").write_text(self.blocks["clients"])

    def play(self):
        cluster = self.cluster
        cluster.start_redis()
        cluster.start_broker()
        cluster.start_worker("w1")
        cluster.key(f"gateway.{BRANCH}.{GATEWAY}")
        path = self.trial / "air.yaml"
        path.write_text(self.blocks["gateway"].replace("tcp://127.0.0.1:7460",
                                                       cluster.gateways_endpoint))
        cluster.start_gateway_file(BRANCH, GATEWAY, path)
        cluster.wait(BRANCH)

    def readings(self):
        """[(time, ppm)] by the script's own figures."""
        begin = 1000 * int(re.search(r"t=(\d+)", self.blocks["script"]).group(1))
        words = re.search(r"in ([\d ]+);", self.blocks["script"]).group(1).split()
        return [(begin + 5000 * i, int(word)) for i, word in enumerate(words)]

    def test_five_lines_of_shell_and_some_yaml_reach_a_verdict(self):
        self.assertEqual(len(self.blocks["script"].splitlines()), 5)
        self.write()
        self.play()
        found = {one["encounter"]: next(verdict for verdict in one["verdicts"]
                                        if verdict["standard"] == STANDARD)
                 for one in self.cluster.json("explain", BRANCH)}
        most = int(re.search(r"bound: {most: (\d+)}", self.blocks["standard"]).group(1))
        doubt = int(re.search(r"uncertainty: (\d+)", self.blocks["measure"]).group(1))
        clients = [json.loads(line) for line in self.blocks["clients"].splitlines()]
        self.assertEqual(set(found), {one["id"] for one in clients})
        for client in clients:
            inside = [ppm for at, ppm in self.readings()
                      if client["started"] <= at < client["ended"]]
            verdict = found[client["id"]]
            if not inside:
                self.assertEqual(verdict["verdict"], "insufficient_evidence", verdict)
                self.assertIsNone(verdict["measured"])
                continue
            mean = fractions.Fraction(sum(inside), len(inside))
            self.assertTrue(mean <= most or mean - doubt > most, "the page's figures are clear")
            self.assertEqual(verdict["verdict"], "met" if mean <= most else "not_met", verdict)
            self.assertAlmostEqual(verdict["measured"], float(mean), delta=1e-6)
            self.assertEqual((verdict["limit"], verdict["unit"]), (most, "ppm"))
            self.assertIn(f"{float(mean):.1f}", PAGE.read_text())
        self.assertEqual({one["verdict"] for one in found.values()},
                         {"met", "not_met", "insufficient_evidence"})
        card = self.cluster.json("scorecard", BRANCH)
        counted = next(one["verdicts"] for dimension in card["dimensions"]
                       for one in dimension["standards"] if one["id"] == STANDARD)
        self.assertEqual({name: count for name, count in counted.items() if count},
                         {"met": 1, "not_met": 1, "insufficient_evidence": 1})
        self.cluster.ctl("audit", BRANCH)

    def test_each_entry_is_needed(self):
        for name, said in (("measure", MEASURE), ("value", "health"), ("norm", "fresh-air")):
            with self.subTest(left_out=name):
                shipped = {other: (ROOT / "config" / path).read_text()
                           for other, path in LONGER.items()}
                for other, path in LONGER.items():
                    (self.cluster.config / path).write_text(shipped[other])
                self.write(name)
                done = self.cluster.ctl_run("standards", "check", self.cluster.config)
                self.assertNotEqual(done.returncode, 0)
                self.assertRegex(done.stdout + done.stderr, rf"\.yaml:\d+:\d+: .*{said}")


if __name__ == "__main__":
    main()
