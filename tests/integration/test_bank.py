"""The log of a bank's calls, by day and type of call: the share of waits within the limit, the
service level and the abandonment of the scorecard are those that simple counting in the raw log
finds. The types of call are offerings; the standards are the shipped ones, once for each type."""

import collections
import datetime
import pathlib
import sys
import unittest
import zoneinfo

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import recompute  # noqa: E402
from cluster import ROOT, Case, data_folder, main, write_yaml  # noqa: E402

BANK = "bank-phone"
ZONE = zoneinfo.ZoneInfo("Asia/Jerusalem")
TYPES = ("ps", "pe", "in", "ne", "nw", "tt")
# Of the shipped standards: what its share of `met` is called, and its limit in ms.
FIGURES = {"timing.wait": ("waits within the limit", 120_000),
           "timing.answer": ("service level 80/20", 20_000),
           "timing.served": ("whoever waited so long and did not give up", 10_000)}


def standards():
    """Each of the shipped ones for each type of call alone."""
    shipped = {one["standard"]: one for one in
               yaml.safe_load((ROOT / "config" / "standards" / "timing.yaml").read_text())}
    for name in FIGURES:
        for kind in TYPES:
            applies = dict(shipped[name].get("applies", {}), offerings=[kind])
            given = {"offering": kind, "issued": 0}
            yield dict(shipped[name], standard=f"{name}.{kind}", applies=applies, tests=[
                {"given": {**given, "started": 1, "ended": 60}, "expect": "met"},
                {"given": {**given, "ended": 900, "outcome": "abandoned"}, "expect": "not_met"}])


def offerings():
    phases = {"opening_s": 15, "closing_s": 15}
    return {"other": phases, "offerings": [dict(phases, offering=kind, text={"de": kind, "en": kind})
                                           for kind in sorted(TYPES)]}


def day_of(call):
    """When the service began, or the client came who was not served."""
    at = call["issued"] if call["started"] is None else call["started"]
    return datetime.datetime.fromtimestamp(at / 1000, ZONE).date().isoformat()


def within(calls, limit):
    """(kept, broken): calls answered in time, and those answered or given up later. Who gave up
    earlier says nothing."""
    kept = broken = 0
    for call in calls:
        if call["issued"] is None:
            continue
        served = call["outcome"] == "normal"
        late = call["started" if served else "ended"] - call["issued"] > limit
        kept += served and not late
        broken += late
    return kept, broken


def served(calls, limit):
    """(kept, broken): calls that were served, and those given up after waiting longer."""
    given_up = [call for call in calls if call["outcome"] == "abandoned"]
    return (len(calls) - len(given_up),
            sum(call["ended"] - call["issued"] > limit for call in given_up))


class Bank(Case):
    @classmethod
    def set_up(cls):
        data = data_folder()
        if data is None:
            raise unittest.SkipTest("the recordings are not here; TRESEN_DATA names their folder")
        log = data / recompute.BANK_LOG
        cls.new_cluster()
        cls.configure()
        cls.cluster.start_redis()
        cls.cluster.start_broker()
        for name in ("w1", "w2"):
            cls.cluster.start_worker(name)
        cls.cluster.start_gateway(BANK, "log", [
            recompute.bank_driver(log, offering={"column": "type"})])
        cls.calls = collections.defaultdict(list)
        for call in recompute.bank_encounters(log, offering="type")[0].values():
            cls.calls[day_of(call), call["offering"]].append(call)
        cls.cluster.wait(BANK)
        cls.days = sorted({day for day, _ in cls.calls})
        cls.cards = {day: cls.cluster.json("scorecard", BANK, "--day", day) for day in cls.days}

    @classmethod
    def configure(cls):
        cls.cluster.only_standards("bank", list(standards()))
        write_yaml(cls.cluster.config / "offerings.yaml", offerings())
        cls.cluster.only_branches(BANK)

    def compare(self, name, count):
        """The standard's figures of every day and type against those counted in the log."""
        what, limit = FIGURES[name]
        shares = set()
        for day, card in self.cards.items():
            found = {one["id"]: one for dimension in card["dimensions"]
                     for one in dimension["standards"]}
            self.assertEqual(set(found), {f"{one}.{kind}" for one in FIGURES for kind in TYPES})
            for kind in TYPES:
                one, where = found[f"{name}.{kind}"], f"{what}, {day}, {kind}"
                kept, broken = count(self.calls[day, kind], limit)
                verdicts = one["verdicts"]
                self.assertEqual((verdicts["met"], verdicts["partly_met"] + verdicts["not_met"]),
                                 (kept, broken), where)
                # Each call has one verdict: those of another type, or who left early, do not apply.
                self.assertEqual(verdicts["not_applicable"],
                                 card["encounters"] - kept - broken, where)
                if kept + broken == 0:
                    self.assertIsNone(one["share_met"], where)
                else:
                    self.assertAlmostEqual(one["share_met"], kept / (kept + broken), delta=1e-12,
                                           msg=where)
                    shares.add(one["share_met"])
        self.assertGreater(len(shares), 30, what)

    def test_all_calls_of_all_days_and_types_are_there(self):
        self.assertEqual(len(self.days), 14)
        self.assertEqual({kind for _, kind in self.calls}, set(TYPES))
        for day, card in self.cards.items():
            self.assertEqual(card["encounters"],
                             sum(len(self.calls[day, kind]) for kind in TYPES), day)
        self.assertGreater(sum(card["encounters"] for card in self.cards.values()), 16_000)

    def test_waits_within_the_limit(self):
        self.compare("timing.wait", within)

    def test_service_level(self):
        self.compare("timing.answer", within)

    def test_abandonment(self):
        self.compare("timing.served", served)

    def test_the_audit_is_clean(self):
        self.cluster.ctl("audit", BANK)


if __name__ == "__main__":
    main()
