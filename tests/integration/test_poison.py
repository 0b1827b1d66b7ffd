"""A batch that kills every worker that reads it is put aside after three deaths, an encounter that
kills every worker that judges it becomes an error; everything else is as if they were not there."""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cluster import PATIENCE, main  # noqa: E402
from poisoned import POISON_BODY, POISON_ENCOUNTER, Branch, Poisoned, encounter  # noqa: E402

GOES_ON_S = 15 * PATIENCE


class Poison(Poisoned):
    def begin(self, *branches, **settings):
        self.new_cluster(**settings)
        made = [Branch(self.cluster, name) for name in branches]
        self.start_all(made)
        return made

    def test_a_batch_that_kills_is_a_dead_letter_after_three_deaths_alone(self):
        sick, sound = self.begin("sick", "sound")
        for number in range(3):
            for branch in (sick, sound):
                branch.write(encounter(f"before-{number}", number))
        self.until(lambda: sick.knows("before-2") and sound.knows("before-2"), "all is applied")

        began = time.monotonic()
        sick.write(encounter(POISON_BODY, 3))
        self.until(lambda: self.deaths, "a worker dies of it")
        sound.write(encounter("meanwhile", 3))
        self.until(lambda: sound.knows("meanwhile"), "the other branch flows on")
        self.assertEqual(sick.redis("HLEN", "dead"), 0, "not before the third death")
        self.until(lambda: sick.redis("HLEN", "dead"), "it is put aside")
        # Once with whatever else its worker held, then three times alone.
        self.assertIn(self.deaths, (3, 4))

        sick.write(encounter("after", 4))
        self.until(lambda: sick.knows("after"), "its branch goes on")
        self.assertLess(time.monotonic() - began, GOES_ON_S)
        for branch in (sick, sound):
            branch.pipe.close()
        self.wait("sick", "sound")
        before = {f"before-{number}" for number in range(3)}
        self.assertEqual(set(sick.judged()), before | {"after"})
        self.assertEqual(set(sound.judged()), before | {"meanwhile"})
        self.assertEqual((sick.redis("HLEN", "dead"), sound.redis("HLEN", "dead")), (1, 0))
        for branch, dead in (("sick", 1), ("sound", 0)):
            gateway = self.cluster.json("audit", branch)["branches"][0]["gateways"][0]
            self.assertEqual((gateway["dead"], gateway["difference"]), (dead, 0), gateway)

    def test_an_encounter_that_kills_is_an_error_after_three_leases(self):
        branch, = self.begin("sick", lease_ms=1000)
        names = [f"sound-{number}" for number in range(12)]
        names.insert(6, POISON_ENCOUNTER)
        branch.write("".join(encounter(name, number) for number, name in enumerate(names)))
        branch.pipe.close()
        self.wait("sick")
        self.assertEqual(self.deaths, 3)
        found = branch.judged()
        self.assertEqual(set(found), set(names))
        for name, one in found.items():
            reasons = {verdict["reason"] for verdict in one["verdicts"]
                       if verdict["verdict"] == "error"}
            self.assertEqual(reasons, {"crash"} if name == POISON_ENCOUNTER else set(), name)
        self.cluster.ctl("audit", "sick")


if __name__ == "__main__":
    main()
