"""Two brokers share their workers, and on both a batch kills every worker that reads it: each is put
aside after three deaths while alone, and nothing of either broker goes with it."""

import collections
import itertools
import json
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import BROKERS, LONG, PATIENCE, SEED, main, until  # noqa: E402
from poisoned import (GATEWAY, POISON_BODY, POISON_HELD, WORKERS, Branch,  # noqa: E402
                      Poisoned)

FIRST, SECOND = BROKERS
PAUSE_S = 0.25 * PATIENCE


class TwoBrokers(Poisoned):
    def setUp(self):
        self.new_cluster()
        self.holding, self.held, self.released = False, None, collections.Counter()
        self.numbers = itertools.count()
        self.sick = {broker: Branch(self.cluster, f"sick-{broker}", broker) for broker in BROKERS}
        self.sound = {broker: Branch(self.cluster, f"sound-{broker}", broker) for broker in BROKERS}
        self.branches = [*self.sick.values(), *self.sound.values()]
        self.start_all(self.branches)
        self.write_everywhere()
        self.until(self.all_known, "all is applied")

    def supervise(self):
        """What stands still with a batch dies, too, but the one that is to be held."""
        for name in self.workers:
            stood = self.killed_by(POISON_HELD).count(name)
            if stood > self.released[name]:
                if self.holding and self.held in (None, name):
                    self.held = name
                    continue
                self.released[name] = stood
                self.cluster.processes[f"worker-{name}"].kill()
        super().supervise()

    def write_everywhere(self):
        number = next(self.numbers)
        for branch in self.branches:
            branch.add(f"sound-{number}")

    def all_known(self):
        """What does not kill, up to the last of each branch."""
        return all(branch.knows([name for name in branch.written
                                 if not name.startswith(POISON_BODY)][-1])
                   for branch in self.branches)

    def plant(self, broker, mark=POISON_BODY):
        """A batch that kills, on this broker; its mark."""
        mark = mark if mark == POISON_HELD else f"{mark}-{next(self.numbers)}"
        self.sick[broker].add_alone(mark)
        return mark

    def put_aside(self, broker):
        """Whether all that kills is a dead letter."""
        branch = self.sick[broker]
        return branch.redis("HLEN", "dead") >= len(branch.spooled(POISON_BODY))

    def results(self):
        """What is known of all branches, once all of it is final."""
        self.wait(*(branch.name for branch in self.branches), broker=BROKERS)
        for branch in self.branches:
            gateway, = self.cluster.json("audit", branch.name,
                                         broker=BROKERS)["branches"][0]["gateways"]
            killers = branch.spooled(POISON_BODY)
            letters = self.cluster.json("dead", "list", branch.name)
            self.assertEqual(sorted(letter["entry"] for letter in letters),
                             sorted(f"{GATEWAY}:1:{number}" for number in killers), branch.name)
            self.assertEqual((gateway["dead"], gateway["difference"]), (len(killers), 0), gateway)
            innocents = {name for name in branch.written if not name.startswith(POISON_BODY)}
            self.assertEqual(set(branch.judged()), innocents)
        return {branch.name: [self.cluster.ctl("--json", what, branch.name)
                              for what in ("scorecard", "explain")] for branch in self.branches}

    def check(self):
        """Only what kills is a dead letter, and the spools alone yield the same again."""
        for branch in self.branches:
            branch.pipe.close()
        results = self.results()
        self.cluster.redis("FLUSHALL")
        self.until(lambda: all(map(self.put_aside, BROKERS)), "it is put aside again")
        self.until(self.all_known, "the others have come again")
        self.assertEqual(self.results(), results)

    def test_each_kills_three_while_alone(self):
        marks = {broker: self.plant(broker) for broker in BROKERS}
        self.until(lambda: self.deaths, "a worker dies")
        while not all(map(self.put_aside, BROKERS)):
            for broker in BROKERS:
                self.sound[broker].add(f"meanwhile-{next(self.numbers)}")
            self.until(lambda: all(branch.knows(branch.written[-1])
                                   for branch in self.sound.values()), "the others flow on")
        for broker, mark in marks.items():
            # Once with whatever else its worker held, three times alone; a death that comes too
            # soon after one of the other's does not count.
            self.assertIn(len(self.killed_by(mark)), range(3, 8), mark)
        self.write_everywhere()
        self.until(self.all_known, "the sick branches go on")
        self.check()

    def test_innocents_are_no_dead_letters_while_workers_are_killed(self):
        rng = random.Random(SEED)
        times = 200 if LONG else 28  # one worker or both
        for number in range(times):
            if number % (times // 4) == 1:
                for broker in BROKERS:
                    self.plant(broker)
            self.moment(rng.uniform(0, 2 * PAUSE_S))
            self.write_everywhere()
            for name in rng.sample(WORKERS, rng.randint(1, 2)):
                self.cluster.processes[f"worker-{name}"].kill()
        self.check()

    def hold_a_reservation(self):
        """The first broker's suspect is tried, and its worker does not come back from it."""
        self.plant(FIRST, POISON_HELD)
        self.until(lambda: self.released.total(), "it is read, and kills")
        self.holding = True  # the next time, which is alone
        self.until(lambda: self.held, "it is tried")

    def other_is_tried(self):
        """The second broker's suspect, although the first has a worker and is not there."""
        mark = self.plant(SECOND)
        self.until(lambda: self.killed_by(mark), "the other's is read")
        self.holding = False
        self.until(lambda: self.put_aside(SECOND), "the other's is put aside")
        self.sound[SECOND].add(f"meanwhile-{next(self.numbers)}")
        self.until(lambda: self.sound[SECOND].knows(self.sound[SECOND].written[-1]),
                   "the other broker flows on")

    def test_a_broker_is_killed_that_holds_a_reservation(self):
        self.hold_a_reservation()
        self.cluster.processes[FIRST].kill()
        self.other_is_tried()
        self.cluster.start_broker(FIRST)
        self.until(lambda: self.put_aside(FIRST), "its own is put aside")
        self.check()

    def test_a_broker_is_frozen_that_holds_a_reservation(self):
        self.hold_a_reservation()
        with self.frozen(FIRST):
            self.other_is_tried()
        self.until(lambda: self.put_aside(FIRST), "its own is put aside")
        self.check()

    def test_a_worker_told_to_drain_by_one_leaves_both(self):
        self.cluster.ctl("drain", "w1", broker=SECOND)
        worker = self.cluster.processes["worker-w1"]
        until(lambda: not worker.running(), "the worker has stopped")
        self.assertEqual(worker.popen.returncode, 0)
        for broker in BROKERS:
            workers = self.cluster.status(broker)["workers"]
            self.assertEqual({one["worker"]: one["ready"] for one in workers},
                             {"w1": False, "w2": True}, broker)
            self.assertEqual({one["brokers"] for one in workers}, {2})
        self.write_everywhere()
        until(self.all_known, "the other worker serves both brokers")

    def moment(self, seconds):
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end, "a moment")

    def test_a_broker_is_killed_or_frozen_while_both_have_suspects(self):
        rng = random.Random(SEED)
        for _ in range(20 if LONG else 4):
            for broker in BROKERS:
                self.plant(broker)
            self.write_everywhere()
            self.moment(rng.uniform(0, 1.5) * PATIENCE)
            broker = rng.choice(list(BROKERS))
            if rng.random() < 0.5:
                with self.frozen(broker):
                    self.moment(rng.uniform(0.1, 3) * PATIENCE)
            else:
                self.cluster.processes[broker].kill()
                self.moment(rng.uniform(0, 1) * PATIENCE)
                self.cluster.start_broker(broker)
            self.until(lambda: all(map(self.put_aside, BROKERS)), "both are put aside")
        self.check()


class OneWorker(Poisoned):
    workers = ("w1",)

    def test_an_innocent_suspect_is_not_in_hand_with_the_others_killer(self):
        self.new_cluster(redis_command_ms=60_000)
        # A gateway that asks while calls are held sends nothing before it is answered.
        self.cluster.gateway_settings["idle_ask_ms"] = 60_000
        innocent, sick = Branch(self.cluster, "innocent", FIRST), Branch(self.cluster, "sick", SECOND)
        self.start_all([innocent, sick])
        for branch in (innocent, sick):
            branch.add("before")
        self.until(lambda: innocent.knows("before") and sick.knows("before"), "all is applied")
        self.hold_calls()
        innocent.add("suspect")
        until(lambda: self.assigned(innocent), "the worker has it in hand")
        sick.add_alone(POISON_BODY)
        worker = self.cluster.processes["worker-w1"]
        until(lambda: not worker.running(), "both are suspects")
        with self.frozen(SECOND):
            with self.frozen(FIRST):
                self.cluster.redis("CLIENT", "UNPAUSE")
                seen = worker.text().count("event=store_up")
                self.start_worker("w1")
                worker = self.cluster.processes["worker-w1"]
                until(lambda: worker.text().count("event=store_up") > seen, "the worker is there")
                self.hold_calls()
            until(lambda: self.assigned(innocent), "the innocent one is tried")
        time.sleep(PATIENCE)  # for what must not come
        self.assertTrue(worker.running(), "the other's suspect waits")
        self.assertEqual(self.assigned(innocent), 1)
        self.cluster.redis("CLIENT", "UNPAUSE")
        self.until(lambda: innocent.knows("suspect"), "it is applied")
        self.until(lambda: sick.redis("HLEN", "dead"), "the other one is put aside")
        self.assertEqual(innocent.redis("HLEN", "dead"), 0)

    def hold_calls(self):
        """Redis answers, but takes nothing: what a worker has in hand stays there."""
        self.cluster.redis("CLIENT", "PAUSE", 600_000, "WRITE")

    def assigned(self, branch):
        for one in self.cluster.status(branch.brokers[0])["branches"]:
            if one["branch"] == branch.name:
                return one["assigned"]
        return 0


class Together(Poisoned):
    """tresenctl that is told of both brokers."""

    def setUp(self):
        self.new_cluster()
        self.first, self.second, self.moving = self.branches = (
            Branch(self.cluster, "at-first", FIRST), Branch(self.cluster, "at-second", SECOND),
            Branch(self.cluster, "moving", FIRST, SECOND))
        self.start_all(self.branches)
        for branch in self.branches:
            self.apply(branch, "before")

    def apply(self, branch, name):
        branch.add(name)
        until(lambda: branch.knows(name), f"{name} of {branch.name} is applied")

    def run_all(self, *words, answer_ms=1000 * PATIENCE):
        return self.cluster.ctl_run("--set", f"answer_ms={answer_ms}", *words, broker=BROKERS)

    def test_doctor_counts_the_workers_of_each_broker(self):
        checks = json.loads(self.run_all("--json", "doctor").stdout)["checks"]
        served = [(one["value"], one["problem"]) for one in checks if one["check"] == "workers ready"]
        at = [self.cluster.control_endpoint_of(broker) for broker in BROKERS]
        self.assertEqual(served, [(f"{len(self.workers)} at {endpoint}", None) for endpoint in at])

    def balances(self, audit):
        return {one["branch"]: one["gateways"][0] for one in audit["branches"]}

    def moved(self):
        """Its gateway, once it is at the second broker."""
        ours = [one for one in self.cluster.json("status", broker=BROKERS)["gateways"]
                if one["branch"] == self.moving.name]
        self.assertEqual(len(ours), 1, "it counts once")
        return ours[0] if ours[0]["broker"] == self.cluster.control_endpoint_of(SECOND) else None

    def check_without_the_first(self):
        lacking = f"no broker answers at {self.cluster.control_endpoint_of(FIRST)} "
        done = self.run_all("--json", "status")
        self.assertEqual(done.returncode, 1)
        self.assertIn(lacking, done.stderr)
        self.assertEqual([one["answers"] for one in json.loads(done.stdout)["brokers"]],
                         [False, True])
        self.assertIn(f"broker at {self.cluster.control_endpoint_of(FIRST)}: not answering\n",
                      self.run_all("status").stdout)

        done = self.run_all("--json", "gateways", self.first.name)
        self.assertEqual(done.returncode, 1)
        self.assertIn(lacking, done.stderr)
        self.assertEqual(json.loads(done.stdout)[0]["troubles"],
                         ["unknown while a broker does not answer"])

        done = self.run_all("--json", "audit", *(branch.name for branch in self.branches))
        self.assertEqual(done.returncode, 1)
        self.assertIn(lacking, done.stderr)
        audit = json.loads(done.stdout)
        self.assertEqual((audit["fine"], audit["brokers_answer"]), (False, False))
        balances = self.balances(audit)
        self.assertNotIn("difference", balances[self.first.name])
        self.assertIn("difference", balances[self.second.name])

        done = self.run_all("rebuild", self.first.name)
        self.assertEqual(done.returncode, 1)
        self.assertIn(lacking, done.stderr)
        self.assertIn(f"gateway {self.first.name}/{GATEWAY} is connected to no broker", done.stderr)

        done = self.run_all("wait", self.first.name, answer_ms=100)
        self.assertEqual(done.returncode, 1)
        self.assertIn(lacking, done.stderr)

    def test_all_brokers_are_asked_and_one_that_is_away_is_named(self):
        with self.frozen(FIRST):
            self.apply(self.moving, "moved")
            self.check_without_the_first()
        moved = until(self.moved, "it is at the second broker")
        self.assertEqual((moved["connected"], moved["rewind"]), (True, None))
        for branch in self.branches:
            branch.pipe.close()
        names = [branch.name for branch in self.branches]
        self.cluster.wait(*names, broker=BROKERS)
        for branch in self.branches:
            gateway, = self.cluster.json("gateways", branch.name, broker=BROKERS)
            self.assertEqual((gateway["connected"], gateway["report"]["held"]), (True, 0), gateway)
        audit = until(self.settled, "nothing is in flight")
        self.assertEqual((audit["fine"], audit["brokers_answer"]), (True, True))
        # Who asks one broker knows the gateways of that one.
        done = self.cluster.ctl_run("rebuild", self.second.name, broker=FIRST)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is connected to no broker", done.stderr)
        for name in names:
            self.cluster.ctl("rebuild", name, broker=BROKERS)

    def settled(self):
        """The audit of all branches, if every balance comes to nothing."""
        audit = self.cluster.json("audit", *(one.name for one in self.branches), broker=BROKERS)
        balances = self.balances(audit).values()
        return audit if all(one.get("difference") == 0 for one in balances) else None


class InReserve(Poisoned):
    def test_a_gateway_goes_to_the_other_broker_and_back(self):
        self.new_cluster()
        branch = Branch(self.cluster, "moving", *BROKERS)
        self.start_all([branch])
        for number, broker in enumerate((FIRST, SECOND, None)):
            branch.add(f"sound-{number}")
            until(lambda number=number: branch.knows(f"sound-{number}"), "it flows on")
            if broker:
                self.cluster.processes[broker].kill()
            if broker == SECOND:
                self.cluster.start_broker(FIRST)
        branch.pipe.close()
        self.cluster.wait(branch.name, broker=BROKERS)  # it is there, so nobody else knows better
        self.assertEqual(set(branch.judged()), set(branch.written))
        self.assertNotEqual(self.cluster.ctl_run("audit", branch.name, broker=BROKERS).returncode, 0,
                            "one broker is not there")
        gateway, = self.cluster.json("audit", branch.name)["branches"][0]["gateways"]
        self.assertEqual((gateway["dead"], gateway["difference"]), (0, 0), gateway)
        self.cluster.ctl("rebuild", branch.name, broker=BROKERS)
        done = self.cluster.ctl_run("rebuild", branch.name, broker=SECOND)
        self.assertNotEqual(done.returncode, 0, "that broker is not there")


if __name__ == "__main__":
    main()
