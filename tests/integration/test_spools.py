"""The shipped day, judged a second time: from what lies in the gateways' spools and the shipped
standards, by recompute.py's exact fractions. Every verdict and every figure must be the same."""

import collections
import fractions
import pathlib
import sys

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import recompute  # noqa: E402
import scoring  # noqa: E402
from cluster import ROOT, Case, Failure, made_up_day, main  # noqa: E402
from spools import Said  # noqa: E402

BRANCH, DAY = "musterstadt", "2024-11-25"
GATEWAYS = ("desk", "floor", "eye", "ear", "form")
SECOND = 1000
FIRST = "first_after_start"
WITHOUT_MEASURE = ("duration", "share", "count", "rate", "longest_outside")  # in units of their own
NOTHING = ("not_applicable", None, None)
ANY = ("met", "error", "insufficient_evidence", "partly_met", "not_met", "not_applicable")
MILLION = recompute.MILLION


def exact(number):
    """As written in the file."""
    return fractions.Fraction(str(number))


def millionths(share):
    return None if share is None else round(share * MILLION)


def config(name):
    return yaml.safe_load((ROOT / "config" / name).read_text())


class Rule:
    """A shipped standard in the words of recompute.py: whole multiples of its measure's resolution,
    ms, percent."""

    def __init__(self, standard, measures, phases):
        self.id = standard["standard"]
        self.statistic = standard["statistic"]
        self.measure = measures.get(standard.get("measure"))
        self.labels = standard.get("labels")
        self.during = standard["during"]
        self.applies = standard.get("applies", {})
        self._phases = phases
        self.resolution = exact(self.measure.get("resolution", 1)) if self.measure else exact(1)
        self.scale = {"s": SECOND, "%": 1, "1": 1, "1/min": 1}.get(standard["unit"], 1 / self.resolution) \
            if self.statistic in (FIRST, *WITHOUT_MEASURE) else 1 / self.resolution
        evidence = standard.get("evidence", {})
        self.confidence = 100 * exact(evidence.get("confidence", 0))
        bound = {side: exact(value) * self.scale for side, value in standard["bound"].items()}
        self.words = dict(
            bound, id=self.id, statistic=self.statistic, percent=standard.get("percent"),
            measure=standard.get("measure"), during=self.during,
            coverage=exact(evidence.get("coverage", 0)),
            gap_ms=int(exact(evidence.get("gap_s", 0)) * SECOND),
            uncertainty=exact(self.measure.get("uncertainty", 0)) / self.resolution
            if self.measure else 0,
            degree=[(exact(x) * self.scale, exact(y)) for x, y in standard.get("degree", [])])
        if "band" in standard:
            self.words["band"] = tuple(
                exact(standard["band"][side]) / self.resolution if side in standard["band"] else None
                for side in ("least", "most"))

    def judge(self, encounter, said):
        """(verdict, figure or None, covered millionths or None)"""
        if any(encounter.get(what) not in self.applies.get(f"{what}s", [encounter.get(what)])
               for what in ("offering", "outcome")):
            return NOTHING
        span, unseen = self._span(encounter, said)
        if unseen is not None:
            return "insufficient_evidence", None, unseen
        if span[0] is None:
            return NOTHING
        if self.statistic == "duration":
            times = dict(encounter, issued=span[0], started=span[1]) \
                if self.during != "service" else encounter
            words = dict(self.words, during="service" if self.during == "service" else "waiting")
            return recompute.judge_one(words, times, {}, [])
        if span[1] is None or span[0] >= span[1]:
            return NOTHING
        key = self.words["measure"], encounter["counter"]
        first = min(encounter[name] for name in ("issued", "started") if encounter[name] is not None)
        members = [(at, value)
                   for at, value, confidence in said.members(*key, first, encounter["ended"])
                   if confidence >= self.confidence and (not self.labels or value in self.labels)]
        if self.statistic in ("count", "rate", FIRST):
            return self._marks(members, said.watched(*key), *span)
        phase = dict(encounter, started=span[0], ended=span[1])
        words = dict(self.words, during="service", measure=None)
        return recompute.judge_one(words, dict(phase, issued=first),
                                   {(None, encounter["counter"]): members}, said.watched(*key))

    def _span(self, encounter, said):
        """(begin, end), and None or how much was watched of what could not tell them."""
        if isinstance(self.during, dict):
            ends = [self._end(self.during[name], encounter, said) for name in ("from", "to")]
            return [at for at, _ in ends], next((share for _, share in ends if share is not None),
                                                None)
        return self._phase(encounter), None

    def _end(self, end, encounter, said):
        """A time of the encounter, or of the first event of some labels in its service."""
        if isinstance(end, str):
            return encounter[end], None
        started, ended = encounter["started"], encounter["ended"]
        if started is None or started >= ended:
            return None, None
        key = end["first"], encounter["counter"]
        at = next((at for at, label, confidence in said.members(*key, started, ended)
                   if label in end["labels"] and confidence >= self.confidence), None)
        length = (ended if at is None else at) - started
        watched = sum(max(0, min(stop, started + length) - max(start, started))
                      for start, stop in said.watched(*key))
        if length and (watched == 0 or watched < self.words["coverage"] * length):
            return None, watched * MILLION // length
        return at, None

    def _phase(self, encounter):
        started, ended = encounter["started"], encounter["ended"]
        if self.during == "waiting":
            return encounter["issued"], started
        if started is None or self.during == "service":
            return started, ended
        length = SECOND * self._phases(encounter["offering"])[f"{self.during}_s"]
        return (started, min(started + length, ended)) if self.during == "opening" \
            else (max(ended - length, started), ended)

    def _marks(self, members, watched, begin, end):
        """How many, or how long until the first; with a band, until a sample in it."""
        words = self.words
        if "band" in words:
            held = recompute.stretches(words, members, watched, begin, end)
            covered = sum(to - at for at, to, _ in held)
            marks = {margin: [at for at, value in members if begin <= at < end
                              and recompute.in_band(value, words["band"], margin)]
                     for margin in (0, words["uncertainty"])}
        else:
            covered = sum(max(0, min(to, end) - max(at, begin)) for at, to in watched)
            heard = [at for at, _ in members if begin <= at < end]
            marks = {0: heard, words["uncertainty"]: heard}
        share = covered * MILLION // (end - begin)
        enough = covered >= words["coverage"] * (end - begin)

        def figure(times):
            if self.statistic == "count":
                return fractions.Fraction(len(times))
            if self.statistic == "rate":
                return fractions.Fraction(len(times) * 60 * SECOND, covered)
            return fractions.Fraction(times[0] - begin) if times else None
        if covered == 0:
            return "insufficient_evidence", None, share
        measured = figure(marks[0])
        if not enough:
            return "insufficient_evidence", measured, share
        kindest = figure(marks[words["uncertainty"]])
        if not self._violates(measured):
            return "met", measured, share
        if not self._violates(kindest):
            return "insufficient_evidence", measured, share
        return "not_met", measured, share

    def _violates(self, figure):
        """None: never, which is later than any bound."""
        if figure is None:
            return "most" in self.words
        return figure > self.words.get("most", figure) or figure < self.words.get("least", figure)


class Composed:
    """`any`: of several figures the one that speaks loudest."""

    def __init__(self, standard, parts):
        self.id, self.parts = standard["standard"], parts

    def judge(self, encounter, said):
        part, spoken = min(((part, part.judge(encounter, said)) for part in self.parts),
                           key=lambda one: ANY.index(one[1][0]))
        return spoken[0], None if spoken[1] is None else spoken[1] / part.scale, spoken[2]

    scale = 1


class Shipped:
    """A standard of the library as it holds in the branch, by offering; on trial it is judged alike."""

    def __init__(self, standard, overlays, measures, phases):
        self.id = standard["standard"]
        self.dimension, self.weight = standard["dimension"], standard["weight"]
        self.shadow = standard["status"] == "shadow"
        common = {key: value for key, value in standard.items() if key != "any"}
        if "any" in standard:
            self._usual = Composed(standard, [Rule({**common, **part}, measures, phases)
                                              for part in standard["any"]])
        else:
            self._usual = Rule(standard, measures, phases)
        self.scale, self.words = self._usual.scale, getattr(self._usual, "words", None)
        self._of = {offering: Rule({**standard, "bound": {**standard["bound"], **one["bound"]},
                                    "degree": one.get("degree", [])}, measures, phases)
                    for one in overlays if one["standard"] == self.id
                    for offering in one["where"]["offerings"]}

    def judge(self, encounter, said):
        rule = self._of.get(encounter.get("offering"), self._usual)
        return rule.judge(encounter, said)


def rules(changed=None):
    """All shipped standards; of those in `changed`, by id, with other keys."""
    measures = {one["id"]: one for one in config("measures.yaml")}
    offerings = config("offerings.yaml")
    phases = {one["offering"]: one for one in offerings["offerings"]}
    overlays = config("overlays/offering.yaml")
    return [Shipped({**standard, **(changed or {}).get(standard["standard"], {})}, overlays, measures,
                    lambda offering: phases.get(offering, offerings["other"]))
            for path in sorted((ROOT / "config" / "standards").glob("*.yaml"))
            for standard in yaml.safe_load(path.read_text())]


class Spools(Case):
    @classmethod
    def set_up(cls):
        cls.new_cluster()
        day = made_up_day(cls.cluster.folder / "day")
        cls.cluster.start_redis()
        cls.cluster.start_broker()
        cls.cluster.start_worker("w1")
        for gateway in GATEWAYS:
            cls.cluster.start_shipped_gateway(BRANCH, gateway, day, DAY)
        cls.cluster.wait(BRANCH)
        cls.card = cls.cluster.json("scorecard", BRANCH)
        cls.found = {one["encounter"]: one for one in cls.cluster.json("explain", BRANCH)}
        cls.rules = rules()
        cls.said = Said({one["id"]: exact(one["resolution"]) for one in config("measures.yaml")
                         if "resolution" in one})
        for gateway in GATEWAYS:
            if cls.cluster.processes[f"gateway.{BRANCH}.{gateway}"].stop() != 0:
                raise Failure(f"{gateway} did not stop well")
            cls.said.read(cls.cluster.folder / f"gateway.{BRANCH}.{gateway}.spool")
        times = dict.fromkeys(("issued", "called", "started", "ended"))
        cls.encounters = {identity: {**times, **one}
                          for identity, one in cls.said.encounters().items()}
        cls.expected = {identity: {rule.id: rule.judge(one, cls.said) for rule in cls.rules}
                        for identity, one in cls.encounters.items()}

    def standards(self):
        """Those that count, by id, and those on trial."""
        return {one["id"]: one for dimension in self.card["dimensions"]
                for one in dimension["standards"]}, \
            {one["id"]: one for one in self.card["shadow"]}

    def test_encounters_by_outcome(self):
        self.assertGreater(len(self.encounters), 80)
        self.assertEqual(set(self.found), set(self.encounters))
        outcomes = collections.Counter(one["outcome"] for one in self.encounters.values())
        self.assertGreaterEqual(len(outcomes), 3)
        self.assertEqual({name: count for name, count in self.card["outcomes"].items() if count},
                         dict(outcomes))

    def test_waits_over_the_limit(self):
        most = next(rule for rule in self.rules if rule.id == "timing.wait").words["most"]
        longer = sum((one["ended"] if one["started"] is None else one["started"]) - one["issued"]
                     > most for one in self.encounters.values()
                     if one["issued"] is not None and
                     (one["started"] is not None or one["outcome"] == "abandoned"))
        self.assertGreater(longer, 0)
        verdicts = self.standards()[0]["timing.wait"]["verdicts"]
        self.assertEqual(verdicts["partly_met"] + verdicts["not_met"], longer)

    def test_every_total_of_the_scorecard(self):
        sums = collections.defaultdict(collections.Counter)
        for verdicts in self.expected.values():
            for standard, (verdict, _, _) in verdicts.items():
                sums[standard][verdict] += 1
        counted, on_trial = self.standards()
        self.assertEqual(set(on_trial), {rule.id for rule in self.rules if rule.shadow})
        self.assertEqual(set(counted), set(sums) - set(on_trial))
        self.assertEqual(on_trial["wording.naming"]["dimension"], "wording")
        for name in ("wording.greeting", "wording.farewell", "wording.forbidden", "proxemics.mean"):
            self.assertGreater(sums[name]["met"], 5)
            self.assertGreater(sums[name]["partly_met"] + sums[name]["not_met"], 0)
        for name, one in {**counted, **on_trial}.items():
            self.assertEqual({key: count for key, count in one["verdicts"].items() if count},
                             dict(sums[name]), name)

    def test_what_is_on_trial_says_what_it_would_and_counts_nowhere(self):
        counted, on_trial = self.standards()
        naming = on_trial["wording.naming"]["verdicts"]
        self.assertGreater(naming["met"] + naming["not_met"], 5, naming)
        for dimension in self.card["dimensions"]:
            sums = collections.Counter()
            for one in dimension["standards"]:
                sums.update(one["verdicts"])
            self.assertEqual(dimension["verdicts"], dict(sums), dimension["dimension"])
        for encounter in self.found.values():
            self.assertEqual({one["standard"] for one in encounter["verdicts"] if one["shadow"]},
                             set(on_trial))
        self.assertIn("on trial: judged, but not counted", self.cluster.ctl("scorecard", BRANCH))

    def test_scores_are_those_of_what_counts(self):
        rules = {rule.id: rule for rule in self.rules}
        floor = exact(config("scoring.yaml")["coverage_floor"])
        scored = 0
        for identity, encounter in self.found.items():
            judged = [scoring.Judged(rules[one["standard"]].dimension,
                                     rules[one["standard"]].weight, rules[one["standard"]].shadow,
                                     one["verdict"], millionths(one["degree"]))
                      for one in encounter["verdicts"]]
            overall, _, coverage = scoring.score(judged, floor)
            self.assertEqual((millionths(encounter["score"]), millionths(encounter["coverage"])),
                             (overall, coverage), identity)
            scored += overall is not None
        self.assertEqual(self.card["scored"], scored)
        self.assertGreater(scored, 20)

    def test_every_verdict_with_its_figure_and_coverage(self):
        scales = {rule.id: rule.scale for rule in self.rules}
        for identity, verdicts in self.expected.items():
            found = {one["standard"]: one for one in self.found[identity]["verdicts"]}
            self.assertEqual(set(found), set(verdicts))
            for name, (verdict, figure, covered) in verdicts.items():
                one, what = found[name], f"{identity} {name}: {found[name]}"
                self.assertEqual(one["verdict"], verdict, what)
                if figure is None:
                    self.assertIsNone(one["measured"], what)
                else:
                    self.assertAlmostEqual(one["measured"], float(figure / scales[name]),
                                           delta=1e-9 * max(1, abs(float(figure))), msg=what)
                share = one["coverage"]
                self.assertEqual(None if share is None else round(share * MILLION), covered, what)

    def test_what_changed_standards_would_have_judged(self):
        """standards try: before as the branch was judged, after as the second judge says."""
        timing = self.cluster.folder / "changed" / "standards" / "timing.yaml"
        timing.parent.mkdir(parents=True)
        text = (ROOT / "config" / "standards" / "timing.yaml").read_text()
        old = "bound: {most: 120}\n  degree: [[120, 1], [300, 0]]"
        self.assertIn(old, text)
        text = text.replace(old, "bound: {most: 60}\n  degree: [[60, 1], [300, 0]]")
        text = text.replace("{issued: 0, started: 120, ended: 300}", "{issued: 0, started: 60, ended: 300}")
        text = text.replace("{issued: 0, ended: 120, outcome: abandoned}",
                            "{issued: 0, ended: 60, outcome: abandoned}")
        timing.write_text(text)
        tried, = self.cluster.json("standards", "try", timing, "--recording",
                                   self.cluster.folder)["branches"]
        self.assertEqual((tried["branch"], tried["open"], tried["unread"]), (BRANCH, 0, 0))
        self.assertEqual(tried["encounters"], len(self.encounters))
        wait = next(rule for rule in rules({"timing.wait": {"bound": {"most": 60}, "degree":
                                                            [[60, 1], [300, 0]]}})
                    if rule.id == "timing.wait")
        after = {identity: wait.judge(one, self.said)[0]
                 for identity, one in self.encounters.items()}
        counted, on_trial = self.standards()
        self.assertEqual({one["standard"] for one in tried["standards"]}, {*counted, *on_trial})
        for one in tried["standards"]:
            name = one["standard"]
            for before, standards in ((one["before"], counted), (one["shadow"]["before"], on_trial)):
                verdicts = standards.get(name, {"verdicts": {}})["verdicts"]
                self.assertEqual(before, {key: n for key, n in verdicts.items() if n}, name)
            self.assertEqual(one["shadow"]["after"], one["shadow"]["before"], name)
            if name != "timing.wait":
                self.assertEqual((one["after"], one["changes"]), (one["before"], []), name)
                continue
            self.assertEqual(one["after"], dict(collections.Counter(after.values())))
            self.assertGreater(len(one["changes"]), 0)
            for change in one["changes"]:
                self.assertEqual(change["after"]["verdict"], after[change["encounter"]])
        self.assertAlmostEqual(tried["score"]["before"], self.card["score"], delta=1e-6)
        self.assertLess(tried["score"]["after"], tried["score"]["before"])
        said = self.cluster.ctl("standards", "try", timing, "--recording", self.cluster.folder)
        self.assertIn("timing.wait: ", said)

    def test_what_would_count_that_is_on_trial(self):
        wording = self.cluster.folder / "counted" / "standards" / "wording.yaml"
        wording.parent.mkdir(parents=True)
        text = (ROOT / "config" / "standards" / "wording.yaml").read_text()
        self.assertIn("status: shadow", text)
        wording.write_text(text.replace("status: shadow", "status: active"))
        tried, = self.cluster.json("standards", "try", wording, "--recording",
                                   self.cluster.folder)["branches"]
        naming, = [one for one in tried["standards"] if one["standard"] == "wording.naming"]
        self.assertEqual((naming["before"], naming["shadow"]["after"]), ({}, {}))
        self.assertEqual(naming["after"], naming["shadow"]["before"])
        applied = {identity for identity, verdicts in self.expected.items()
                   if verdicts["wording.naming"][0] != "not_applicable"}
        self.assertEqual({change["encounter"] for change in naming["changes"]}, applied)
        for change in naming["changes"]:
            before, after = change["before"], change["after"]
            self.assertEqual((before.pop("shadow"), after.pop("shadow")), (True, False))
            self.assertEqual(before, after)
        self.assertLess(tried["score"]["after"], tried["score"]["before"])

    def test_a_broken_file_and_a_strange_recording_are_told(self):
        broken = self.cluster.folder / "broken.yaml"
        broken.write_text("- standard: x\n")
        for path, recording, says in (
                (broken, self.cluster.folder, "standards/broken.yaml:1:3"),
                ("nowhere.yaml", self.cluster.folder, "nowhere.yaml"),
                (ROOT / "config", self.cluster.folder / "nowhere", "no such file"),
                (ROOT / "config", broken, "BRANCH-GATEWAY.spool")):
            done = self.cluster.ctl_run("standards", "try", path, "--recording", recording)
            self.assertEqual(done.returncode, 1)
            self.assertIn(says, done.stderr)


if __name__ == "__main__":
    main()
